"""The first rows that a to-many relation leads to, as an array inside a row: a LATERAL of the same statement.

PostgreSQL joins their texts. Where Python has to decode values of them, each part of the rows is an array, from which
`_rows_text` builds the texts again. An array cannot hold arrays of several lengths, so those are joined to one, beside
the array of their lengths.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import aggregate_order_by

from gatepost.models.adapted_expressions import adapted
from gatepost.models.dto_members import RelatedMember
from gatepost.models.literals import literal_integer, literal_text
from gatepost.models.rows import Build, Columns, ListPiece, Pieces, is_spliced, row_expression
from gatepost.models.selections import Expansion
from gatepost.models.shape import plain_type
from gatepost.models.table_refs import TableRef

Values = Sequence[Any]
"""The values of several columns, by their place."""


class FirstRows(Expansion, frozen=True):
    """The first `count` rows of a to-many relation, in the order of the member; its key breaks ties."""

    member: RelatedMember
    count: int

    @property
    def bytes_max(self) -> int | None:
        size = self.selection.row_bytes_max
        return None if size is None else self.count * (size + 1) + 2

    def join(self, outer: TableRef, joined: sa.FromClause) -> tuple[sa.FromClause, Pieces]:
        """Its pieces, and what they are selected from with the LATERAL joined."""
        source = TableRef.alias(self.selection.served.entity)
        inner, pieces = self.selection.row(source, source.table)
        if is_spliced(pieces):
            return self._arrays(outer, joined, source, inner, pieces)
        page = self._page(outer, source, inner, [row_expression(pieces).label("row")])
        text = sa.func.string_agg(page.c.row, literal_text(","))
        lateral = sa.select(text.label("rows")).select_from(page).lateral()
        return joined.outerjoin(lateral, sa.true()), ["[", sa.func.coalesce(lateral.c.rows, literal_text("")), "]"]

    def _arrays(
        self, outer: TableRef, joined: sa.FromClause, source: TableRef, inner: sa.FromClause, pieces: Pieces
    ) -> tuple[sa.FromClause, Pieces]:
        columns = Columns()
        build = columns.add_row(pieces)
        number = sa.func.row_number().over(order_by=self._order(source)).label("number")
        page = self._page(outer, source, inner, [*columns.selected, number])
        found, readers = _aggregated(page, list(page.c)[:-1])
        lateral = found.lateral()
        piece = ListPiece(selected=list(lateral.c), build=_rows_text(build, readers))
        return joined.outerjoin(lateral, sa.true()), [piece]

    def _page(
        self, outer: TableRef, source: TableRef, inner: sa.FromClause, selected: Sequence[sa.ColumnElement[Any]]
    ) -> Any:
        conditions = [source.joined_by(self.relation, outer), *self.selection.rule.conditions(source)]
        rows = sa.select(*selected).select_from(inner).where(*conditions).order_by(*self._order(source))
        return rows.limit(literal_integer(self.count)).correlate(outer.table).subquery()

    def _order(self, source: TableRef) -> list[sa.ColumnElement[Any]]:
        order: Any = self.member.order
        return [adapted(order, source, lambda part: None), *map(source.column, source.entity.key.names)]


def _aggregated(page: Any, columns: Sequence[sa.ColumnElement[Any]]) -> tuple[sa.Select[Any], list["_Reader"]]:
    """The SELECT of arrays of these columns of `page`, one row, and what reads each column's values from it."""
    arrays = [column for column in columns if _is_array(column)]
    joined, elements = page, {}
    place: Any = sa.null()
    if arrays:
        names = [f"e{number}" for number in range(len(arrays))]
        listed = sa.func.unnest(*arrays).table_valued(*names, with_ordinality="place").render_derived().lateral()
        joined, place = page.outerjoin(listed, sa.true()), listed.c.place
        elements = {id(column): listed.c[name] for column, name in zip(arrays, names, strict=True)}
    is_first = sa.or_(place.is_(None), place == literal_integer(1)) if arrays else sa.true()
    selected: list[sa.ColumnElement[Any]] = []
    readers: list[_Reader] = []
    for column in columns:
        if id(column) not in elements:
            readers.append(_Reader(len(selected)))
            selected.append(_gathered(column, is_first, page.c.number))
            continue
        size = sa.func.cardinality(column)
        readers.append(_Reader(len(selected), len(selected) + 1))
        selected.append(_gathered(size, is_first, page.c.number))
        selected.append(_gathered(elements[id(column)], place <= size, page.c.number, place))
    return sa.select(*(each.label(f"a{number}") for number, each in enumerate(selected))).select_from(joined), readers


def _gathered(
    value: sa.ColumnElement[Any], condition: sa.ColumnElement[bool], *order: sa.ColumnElement[Any]
) -> sa.ColumnElement[Any]:
    kind = sa.ARRAY(sa.types.NullType())
    return sa.func.array_agg(aggregate_order_by(value, *order), type_=kind).filter(condition)


def _is_array(column: sa.ColumnElement[Any]) -> bool:
    return isinstance(plain_type(column.type), sa.ARRAY)


class _Reader:
    """Reads the values of one column of the rows from their arrays: at `index`; or, where each is an array itself, its
    length there and its elements at `elements`."""

    def __init__(self, index: int, elements: int | None = None) -> None:
        self._index = index
        self._elements = elements

    def read(self, values: Values) -> Iterator[Any]:
        """The column's value of each row."""
        found = values[self._index] or ()
        if self._elements is None:
            return iter(found)
        elements = iter(values[self._elements] or ())
        return (None if size is None else list(islice(elements, size)) for size in found)


def _rows_text(build: Build, readers: Sequence[_Reader]) -> Callable[[Values], str]:
    """The function from arrays to the JSON of the rows."""

    def make(values: Values) -> str:
        rows: Any = zip(*(reader.read(values) for reader in readers), strict=True)
        return f"[{','.join([build(row) for row in rows])}]"

    return make
