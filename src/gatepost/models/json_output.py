"""How a column's value becomes JSON: the SQL expressions by which PostgreSQL writes it in the documented wire form.

PostgreSQL writes the JSON because building Python objects only to encode them again is most of the cost of a page: a
page of 50 rows takes a third of the worker's CPU this way, and less in total (`benchmarks/README.md`, "Rows to JSON").
No text that is produced here holds a line feed, so that a line feed can separate rows.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    Text,
    Time,
    Uuid,
    case,
    cast,
    func,
    literal_column,
)
from sqlalchemy.dialects.postgresql import INTERVAL, JSONB
from sqlalchemy.types import TypeDecorator

from gatepost.database.statements import DIALECT
from gatepost.models.entity import wire_values

Part = str | ColumnElement[Any]
"""A piece of JSON: literal text, or an expression whose text it is."""

Decode = Callable[[Any], Any]

_PYTHONIC = (TypeDecorator, INTERVAL)
"""Types that Python decodes: `TypeDecorator`s, and intervals, which PostgreSQL writes as `P-1DT2H`, not ISO 8601."""

_QUOTED = (Uuid, Date, Time)
_BARE = (Integer, BigInteger)


def literal_text(text: str) -> ColumnElement[str]:
    """A text as a SQL literal."""
    return literal_column("'" + text.replace("'", "''") + "'", Text)


def literal_number(digits: str) -> ColumnElement[Any]:
    """A number as a SQL literal."""
    return literal_column(digits, Numeric())


# Literals, not parameters, which would be sent with every execution.
_UTC, _SPACE, _T = literal_text("UTC"), literal_text(" "), literal_text("T")


def decoder_of(kind: Any) -> Decode | None:
    """The function by which Python decodes each value before it is encoded; None where SQL writes the JSON."""
    item = getattr(kind, "item_type", None)
    if not (isinstance(kind, _PYTHONIC) or isinstance(item, (*_PYTHONIC, LargeBinary))):
        return None
    return kind.dialect_impl(DIALECT).result_processor(DIALECT, None) or (lambda value: value)


def json_parts(column: ColumnElement[Any], *, nullable: bool, bigint_as_string: bool) -> list[Part]:
    """The JSON of a column's value, as pieces that are concatenated."""
    kind: Any = column.type
    quoted = _is_quoted(kind, bigint_as_string=bigint_as_string)
    if isinstance(kind, DateTime):
        return _pieces(func.replace(cast(func.timezone(_UTC, column), Text), _SPACE, _T), '"', 'Z"', nullable=nullable)
    if quoted:
        return _pieces(column, '"', '"', nullable=nullable)
    if isinstance(kind, Boolean):
        return _pieces(cast(column, Text), "", "", nullable=nullable)
    if isinstance(kind, _BARE):
        return _pieces(column, "", "", nullable=nullable)
    return _pieces(_json_expression(column, kind, bigint_as_string=bigint_as_string), "", "", nullable=nullable)


def _is_quoted(kind: Any, *, bigint_as_string: bool) -> bool:
    if isinstance(kind, Numeric) and not isinstance(kind, Float):
        return bool(kind.asdecimal)
    return isinstance(kind, _QUOTED) or (bigint_as_string and isinstance(kind, BigInteger))


def _json_expression(column: ColumnElement[Any], kind: Any, *, bigint_as_string: bool) -> ColumnElement[Any]:
    if isinstance(kind, JSON):
        return cast(column if isinstance(kind, JSONB) else cast(column, JSONB), Text)
    if isinstance(kind, LargeBinary):
        encoded = func.replace(func.encode(column, literal_text("base64")), literal_column(r"E'\n'"), literal_text(""))
        return func.to_json(encoded)
    if isinstance(kind, Enum):
        return _enum(column, kind)
    item = getattr(kind, "item_type", None)
    if item is not None:
        return _array(column, item, bigint_as_string=bigint_as_string)
    return func.to_json(column)


def _enum(column: ColumnElement[Any], kind: Enum) -> ColumnElement[Any]:
    stored = wire_values(kind)
    text = cast(column, Text)
    if all(name == value for name, value in stored.items()):
        return func.to_json(text)
    return case(
        *((text == literal_text(name), literal_text(json.dumps(value))) for name, value in stored.items()),
        else_=cast(func.to_json(text), Text),
    )


def _array(column: ColumnElement[Any], item: Any, *, bigint_as_string: bool) -> ColumnElement[Any]:
    if isinstance(item, DateTime):
        return func.replace(cast(func.to_json(column), Text), literal_text('+00:00"'), literal_text('Z"'))
    if isinstance(item, Enum):
        names = {name: value for name, value in wire_values(item).items() if name != value}
        return func.to_json(_replaced(cast(column, ARRAY(Text)), names))
    if _is_quoted(item, bigint_as_string=bigint_as_string):
        return func.to_json(cast(column, ARRAY(Text)))
    return func.to_json(column)


def _replaced(members: Any, names: Mapping[str, str]) -> Any:
    """The array with the value of each name. Where a value is another's name, all get a mark first that no name has."""
    steps = [names]
    if not names.keys().isdisjoint(names.values()):
        mark = "\x01"
        while any(mark in name for name in names):
            mark += "\x01"
        steps = [{name: mark + name for name in names}, {mark + name: value for name, value in names.items()}]
    for step in steps:
        for name, value in step.items():
            members = func.array_replace(members, literal_text(name), literal_text(value))
    return members


def _pieces(value: ColumnElement[Any], before: str, after: str, *, nullable: bool) -> list[Part]:
    if not nullable:
        return [before, value, after]
    text: Any = cast(value, Text)
    if before:
        text = literal_text(before).concat(text)
    if after:
        text = text.concat(literal_text(after))
    return [func.coalesce(text, literal_text("null"))]


ARGUMENTS_MAX = 90
"""PostgreSQL allows 100 arguments of a function."""


def concatenated(parts: list[Part]) -> ColumnElement[str]:
    """One expression for the pieces, adjacent literals joined."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif not isinstance(part, str) or part:
            joined.append(part)
    arguments = [literal_text(part) if isinstance(part, str) else part for part in joined]
    while len(arguments) > ARGUMENTS_MAX:
        arguments = [
            func.concat(*arguments[start : start + ARGUMENTS_MAX]) for start in range(0, len(arguments), ARGUMENTS_MAX)
        ]
    return func.concat(*arguments)
