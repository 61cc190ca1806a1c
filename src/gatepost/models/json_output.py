"""How a column's value becomes JSON: the SQL expressions by which PostgreSQL writes it in the documented wire form.

PostgreSQL writes the JSON because building Python objects only to encode them again is most of the cost of a page: a
page of 50 rows takes a third of the worker's CPU this way, and less in total (`benchmarks/README.md`, "Rows to JSON").
No text that is produced here holds a line feed, so that a line feed can separate rows.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, ColumnElement, DateTime, Text, all_, and_, case, cast, func, literal_column

from gatepost.database.statements import DIALECT
from gatepost.exact_json import encode, encode_bytes
from gatepost.models.entity import Attribute
from gatepost.models.literals import literal_text
from gatepost.models.shape import Form, Shape

Piece = str | ColumnElement[Any]
"""A piece of JSON: literal text, or an expression whose text it is."""

Decode = Callable[[Any], Any]

_QUOTED = (Form.UUID, Form.DATE, Form.TIME)
_UTC, _SPACE, _T, _Z = (literal_text(text) for text in ("UTC", " ", "T", "Z"))
_LINE_FEED = literal_column(r"E'\n'", Text())
_YEAR_1 = literal_column("timestamptz '0001-01-01 00:00:00+00'", DateTime(timezone=True))
_YEAR_10000 = literal_column("timestamptz '10000-01-01 00:00:00+00'", DateTime(timezone=True))
_BEYOND = literal_text('([0-9]{5,}-[0-9-]+|[0-9-]+(?=T[0-9:.+]* BC))T([0-9:.]+)[+]00:00(| BC)(?=")')


def decoder_of(attribute: Attribute) -> Decode | None:
    """The function by which Python decodes each value before it is encoded; None where SQL writes the JSON."""
    if not _is_decoded(attribute.shape):
        return None
    kind: Any = attribute.column.type
    decode: Decode = kind.dialect_impl(DIALECT).result_processor(DIALECT, None) or (lambda value: value)
    shape = attribute.shape.items or attribute.shape
    if shape.form is Form.DOCUMENT:
        return lambda value: msgspec.Raw(_document_text(decode(value)))
    return _named(decode, shape.not_finite) if shape.not_finite else decode


def _document_text(value: Any) -> bytes:
    """The JSON of a document, with exact numbers."""
    try:
        return encode_bytes(value)
    except UnicodeEncodeError:  # halves of surrogate pairs, which a `json` keeps
        return encode(value).encode()


def _named(decode: Decode, names: Sequence[str]) -> Decode:
    """What JSON has no number for is shown by its name, as PostgreSQL does."""
    named = {repr(float(name)): name for name in names}

    def shown(value: Any) -> Any:
        if value.__class__ is list:
            return [shown(item) for item in value]
        return named.get(repr(value), value) if isinstance(value, float) else value

    return lambda value: shown(decode(value))


def _is_decoded(shape: Shape) -> bool:
    """What PostgreSQL does not write in its wire form: it writes intervals as `P-1DT2H`, which is not ISO 8601."""
    items = shape.items
    if shape.is_decorated or shape.form is Form.INTERVAL:
        return True
    return items is not None and (items.form is Form.BYTES or _is_decoded(items))


def json_pieces(column: ColumnElement[Any], shape: Shape) -> list[Piece]:
    """The JSON of a column's value, as pieces that are concatenated."""
    if shape.form is Form.TIMESTAMP:
        return _enclosed(_timestamp(_moments(column, shape)), '"', '"', nullable=shape.nullable)
    if _is_quoted(shape):
        return _enclosed(column, '"', '"', nullable=shape.nullable)
    return _enclosed(_json_expression(column, shape), "", "", nullable=shape.nullable)


def _moments(column: ColumnElement[Any], shape: Shape, *, in_array: bool = False) -> ColumnElement[Any]:
    """The timestamps with their time zone. Our sessions are in UTC."""
    kind = DateTime(timezone=True)
    return cast(column, ARRAY(kind) if in_array else kind) if shape.is_naive else column


def _timestamp(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """RFC 3339 where the year has four digits, else PostgreSQL's text in UTC."""
    text = cast(func.timezone(_UTC, column), Text)
    is_wire = and_(column >= _YEAR_1, column < _YEAR_10000)
    beyond = func.regexp_replace(text, literal_text("([0-9])(| BC)$"), literal_text(r"\1+00\2"))
    return case((is_wire, func.replace(text, _SPACE, _T).concat(_Z)), else_=beyond)


def _is_quoted(shape: Shape) -> bool:
    return shape.is_text or shape.form in _QUOTED


def _json_expression(column: ColumnElement[Any], shape: Shape) -> ColumnElement[Any]:
    match shape.form:
        case Form.INTEGER | Form.BOOLEAN:
            return column if shape.form is Form.INTEGER else cast(column, Text)
        case Form.DOCUMENT:
            return _document(cast(column, Text), shape)
        case Form.BYTES:
            text = func.encode(column, literal_text("base64"))
            return func.to_json(func.replace(text, _LINE_FEED, literal_text("")))
        case Form.ENUM:
            return _enum(column, shape.choices)
        case Form.ARRAY if shape.items is not None:
            return _array(column, shape.items)
        case _:
            return func.to_json(cast(column, Text) if shape.is_padded else column)  # a text has no spaces at its end


def _document(text: ColumnElement[Any], shape: Shape) -> ColumnElement[Any]:
    """A document as it is stored. PostgreSQL keeps a `json` as it was sent, also what no `jsonb` can hold; the line
    feeds in it are between its parts, where they mean nothing."""
    return text if shape.is_jsonb else func.replace(text, _LINE_FEED, _SPACE)


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
        return _timestamps(_moments(column, items, in_array=True))
    if items.form is Form.ENUM:
        names = {name: value for name, value in items.choices if name != value}
        return func.to_json(_replaced(cast(column, ARRAY(Text)), names))
    if items.form is Form.DOCUMENT:
        return _document(cast(func.to_json(column), Text), items)
    if _is_quoted(items) or items.is_padded:
        return func.to_json(cast(column, ARRAY(Text)))
    return func.to_json(column)


def _timestamps(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """An array of timestamps, each as `_timestamp` shows it."""
    text: Any = cast(func.to_json(column), Text)
    are_wire = and_(all_(column) >= _YEAR_1, all_(column) < _YEAR_10000)
    beyond = func.regexp_replace(text, _BEYOND, literal_text(r"\1 \2+00\3"), literal_text("g"))
    found = case((are_wire.is_not(False), text), else_=beyond)
    return func.replace(found, literal_text('+00:00"'), literal_text('Z"'))


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
