"""How a column's value becomes JSON: the SQL expressions by which PostgreSQL writes it in the documented wire form.

PostgreSQL writes the JSON because building Python objects only to encode them again is most of the cost of a page: a
page of 50 rows takes a third of the worker's CPU this way, and less in total (`benchmarks/README.md`, "Rows to JSON").
No text that is produced here holds a line feed, so that a line feed can separate rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Text, case, cast, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from gatepost.database.statements import DIALECT
from gatepost.models.entity import Attribute
from gatepost.models.literals import literal_text
from gatepost.models.shape import Form, Shape

Piece = str | ColumnElement[Any]
"""A piece of JSON: literal text, or an expression whose text it is."""

Decode = Callable[[Any], Any]

_QUOTED = (Form.UUID, Form.DATE, Form.TIME)
_UTC, _SPACE, _T = literal_text("UTC"), literal_text(" "), literal_text("T")


def decoder_of(attribute: Attribute) -> Decode | None:
    """The function by which Python decodes each value before it is encoded; None where SQL writes the JSON."""
    if not _is_decoded(attribute.shape):
        return None
    kind: Any = attribute.column.type
    return kind.dialect_impl(DIALECT).result_processor(DIALECT, None) or (lambda value: value)


def _is_decoded(shape: Shape) -> bool:
    """What PostgreSQL does not write in its wire form: it writes intervals as `P-1DT2H`, which is not ISO 8601."""
    items = shape.items
    if shape.is_decorated or shape.form is Form.INTERVAL:
        return True
    return items is not None and (items.form is Form.BYTES or _is_decoded(items))


def json_pieces(column: ColumnElement[Any], shape: Shape) -> list[Piece]:
    """The JSON of a column's value, as pieces that are concatenated."""
    if shape.form is Form.TIMESTAMP:
        text = func.replace(cast(func.timezone(_UTC, column), Text), _SPACE, _T)
        return _enclosed(text, '"', 'Z"', nullable=shape.nullable)
    if _is_quoted(shape):
        return _enclosed(column, '"', '"', nullable=shape.nullable)
    return _enclosed(_json_expression(column, shape), "", "", nullable=shape.nullable)


def _is_quoted(shape: Shape) -> bool:
    return shape.is_text or shape.form in _QUOTED


def _json_expression(column: ColumnElement[Any], shape: Shape) -> ColumnElement[Any]:
    match shape.form:
        case Form.INTEGER | Form.BOOLEAN:
            return column if shape.form is Form.INTEGER else cast(column, Text)
        case Form.DOCUMENT:
            return cast(cast(column, JSONB), Text)
        case Form.BYTES:
            text = func.encode(column, literal_text("base64"))
            return func.to_json(func.replace(text, literal_column(r"E'\n'"), literal_text("")))
        case Form.ENUM:
            return _enum(column, shape.choices)
        case Form.ARRAY if shape.items is not None:
            return _array(column, shape.items)
        case _:
            return func.to_json(column)


def _enum(column: ColumnElement[Any], choices: Sequence[tuple[str, str]]) -> ColumnElement[Any]:
    text = cast(column, Text)
    if all(name == value for name, value in choices):
        return func.to_json(text)
    return case(
        *((text == literal_text(name), literal_text(json.dumps(value))) for name, value in choices),
        else_=cast(func.to_json(text), Text),
    )


def _array(column: ColumnElement[Any], items: Shape) -> ColumnElement[Any]:
    if items.form is Form.TIMESTAMP:
        return func.replace(cast(func.to_json(column), Text), literal_text('+00:00"'), literal_text('Z"'))
    if items.form is Form.ENUM:
        names = {name: value for name, value in items.choices if name != value}
        return func.to_json(_replaced(cast(column, ARRAY(Text)), names))
    if _is_quoted(items):
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


def _enclosed(value: ColumnElement[Any], before: str, after: str, *, nullable: bool) -> list[Piece]:
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


def concatenated(pieces: list[Piece]) -> ColumnElement[str]:
    """One expression for the pieces, adjacent literals joined."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        elif not isinstance(piece, str) or piece:
            joined.append(piece)
    arguments = [literal_text(piece) if isinstance(piece, str) else piece for piece in joined]
    while len(arguments) > ARGUMENTS_MAX:
        arguments = [
            func.concat(*arguments[start : start + ARGUMENTS_MAX]) for start in range(0, len(arguments), ARGUMENTS_MAX)
        ]
    return func.concat(*arguments)
