"""From records to what is encoded: the selected columns of a statement, and the function that makes a row of them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, case, cast, literal_column

from gatepost.database.pool import Record
from gatepost.database.statements import DIALECT
from gatepost.models.conditions import Source
from gatepost.models.wire import Decode, wire_column

Build = Callable[[Record], Any]
"""Makes one encodable object of a record."""

Rules = Callable[[str], ColumnElement[bool]]
"""The condition under which a field is shown on a row."""


class Columns:
    """The selected columns of one statement, laid out as they are added."""

    def __init__(self, *, bigint_as_string: bool) -> None:
        self.selected: list[ColumnElement[Any]] = []
        self._bigint_as_string = bigint_as_string

    def add(self, column: ColumnElement[Any]) -> Decode | None:
        """Select a column in its wire form; how its values are decoded."""
        expression, decode = wire_column(column, bigint_as_string=self._bigint_as_string)
        self.add_raw(expression)
        return decode

    def add_raw(self, expression: ColumnElement[Any]) -> int:
        """Select an expression as it is; where it stands in the record."""
        self.selected.append(expression.label(f"c{len(self.selected)}"))
        return len(self.selected) - 1


def version_column(source: Source) -> ColumnElement[Any]:
    """The row's version: its own column, or PostgreSQL's `xmin` of the table (never of an alias)."""
    if source.entity.version is not None:
        return source.same(source.entity.version)
    table = DIALECT.identifier_preparer.format_table(source.entity.table)
    return cast(literal_column(f"{table}.xmin"), Text)


def add_row(
    name: str,
    source: Source,
    columns: Columns,
    names: Sequence[str],
    *,
    ruled: frozenset[str] = frozenset(),
    rules: Rules | None = None,
    nested: Sequence[tuple[str, Build]] = (),
) -> Build:
    """Select `names` of the source and return what makes a row of a record.

    A field under a rule is selected twice, as its value where the rule holds and as the rule's outcome, so that a row
    leaves it out where it is not shown.
    """
    first = len(columns.selected)
    decoders: list[tuple[int, Decode]] = []
    for offset, field in enumerate(names):
        column = source.column(field)
        if field in ruled and rules is not None:
            column = cast(case((rules(field), column), else_=None), column.type)
        decode = columns.add(column)
        if decode is not None:
            decoders.append((offset, decode))
    last = len(columns.selected)
    flags = [
        (offset, columns.add_raw(rules(field)))
        for offset, field in enumerate(names)
        if field in ruled and rules is not None
    ]
    members = [*names, *(label for label, _ in nested)]
    make = msgspec.defstruct(name, [(member, Any) for member in members], gc=False)
    return _assemble(make, first, last, decoders, flags, [build for _, build in nested])


def _assemble(
    make: Callable[..., Any],
    first: int,
    last: int,
    decoders: Sequence[tuple[int, Decode]],
    flags: Sequence[tuple[int, int]],
    nested: Sequence[Build],
) -> Build:
    """The cheapest function that does what this layout needs: most need nothing but the values in a row."""
    if not decoders and not flags:
        if not nested:
            return lambda record: make(*record[first:last])
        return lambda record: make(*record[first:last], *[build(record) for build in nested])

    def build_carefully(record: Record) -> Any:
        values: list[Any] = list(record[first:last])
        for offset, decode in decoders:
            values[offset] = decode(values[offset])
        for offset, flag in flags:
            if not record[flag]:
                values[offset] = msgspec.UNSET
        return make(*values, *[build(record) for build in nested])

    return build_carefully
