"""Rows as JSON: the selected columns of a statement, and the function that builds a row's text from a record.

A row is one text that PostgreSQL writes. Only values that Python has to decode (`TypeDecorator`s, intervals) are
spliced in between the texts before and after them.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Text, and_, case, cast, literal_column, or_

from gatepost.database.connection import Record
from gatepost.database.statements import DIALECT
from gatepost.models.entity import Attribute
from gatepost.models.json_output import Decode, Piece, concatenated, decoder_of, json_pieces
from gatepost.models.literals import literal_text
from gatepost.models.schema_names import quote
from gatepost.models.table_refs import TableRef
from gatepost.out_of_range import OUT_OF_RANGE_TYPES

Build = Callable[[Record], str]
"""Makes the JSON text of one row of a record."""


def _shown(value: object) -> str:
    """What msgspec does not write: dates, times and intervals beyond Python's types."""
    if isinstance(value, OUT_OF_RANGE_TYPES):
        return str(value)
    raise TypeError(f"Values of type {type(value).__name__} have no JSON form.")


_encode = msgspec.json.Encoder(enc_hook=_shown).encode


class PythonPiece(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A piece of a row that Python makes of a record; left out where `present` does not hold."""

    present: ColumnElement[bool] | None = None

    def add_to(self, columns: "Columns") -> Build:
        """Select what it is made of, and return the function that makes its text."""
        raise NotImplementedError


class Splice(PythonPiece, frozen=True, eq=False):
    """A value that Python has to decode and encode. NULL becomes `null` without a call of `decode`."""

    column: ColumnElement[Any]
    decode: Decode

    def add_to(self, columns: "Columns") -> Build:
        """Select the value."""
        index, decode = columns.add(self.column), self.decode

        def make(record: Record) -> str:
            value = record[index]
            return "null" if value is None else _encode(decode(value)).decode()

        return make


class ListPiece(PythonPiece, frozen=True, eq=False):
    """Several rows, whose texts `build` makes of the values of `selected`."""

    selected: Sequence[ColumnElement[Any]]
    build: Callable[[Sequence[Any]], str]

    def add_to(self, columns: "Columns") -> Build:
        """Select the arrays of values."""
        indexes, build = [columns.add(column) for column in self.selected], self.build
        return lambda record: build([record[index] for index in indexes])


Pieces = list[Piece | PythonPiece]


def _grouped(pieces: Pieces) -> Iterator[list[Piece] | PythonPiece]:
    """The pieces with the texts before, between and after those that Python makes together."""
    texts: list[Piece] = []
    for piece in pieces:
        if not isinstance(piece, PythonPiece):
            texts.append(piece)
            continue
        if texts:
            yield texts
            texts = []
        yield piece
    if texts:
        yield texts


class Columns:
    """The selected columns of one statement, laid out as they are added."""

    def __init__(self) -> None:
        self.selected: list[ColumnElement[Any]] = []

    def add(self, expression: ColumnElement[Any]) -> int:
        """Select an expression and return its index in the record."""
        self.selected.append(expression.label(f"c{len(self.selected)}"))
        return len(self.selected) - 1

    def add_row(self, pieces: Pieces) -> Build:
        """Select a row and return the function that builds its JSON from a record."""
        makers: list[Build] = []
        for part in _grouped(pieces):
            if isinstance(part, PythonPiece):
                makers.append(self._maker(part))
            else:
                makers.append(itemgetter(self.add(concatenated(part))))
        return makers[0] if len(makers) == 1 else lambda record: "".join([make(record) for make in makers])

    def _maker(self, piece: PythonPiece) -> Build:
        if piece.present is None:
            return piece.add_to(self)
        present, make = self.add(piece.present), piece.add_to(self)
        return lambda record: make(record) if record[present] else ""


def row_expression(pieces: Pieces) -> ColumnElement[str]:
    """The expression of a row without splices."""
    return concatenated([piece for piece in pieces if not isinstance(piece, PythonPiece)])


def is_spliced(pieces: Pieces) -> bool:
    """Whether Python makes a piece of the row."""
    return any(isinstance(piece, PythonPiece) for piece in pieces)


def version_column(source: TableRef) -> ColumnElement[Any]:
    """The row's version: its own column, or PostgreSQL's `xmin` of the table (never of an alias), or a hash of a view's
    row."""
    if source.entity.version is not None:
        return source.column_of(source.entity.version)
    if source.entity.is_view:
        return cast(literal_column(f"md5(({quote(source.entity.table.name)}.*)::text)"), Text)
    table = DIALECT.identifier_preparer.format_table(source.entity.table)
    return cast(literal_column(f"{table}.xmin"), Text)


def row_pieces(
    source: TableRef,
    names: Sequence[str],
    *,
    rules: Mapping[str, ColumnElement[bool]],
    nested: Sequence[tuple[str, Pieces]],
) -> Pieces:
    """The JSON object of a row: the fields in their order, then what is expanded, by the names that clients know.
    `rules` are the conditions under which fields are shown."""
    shown = [(name, source.entity.attributes[name]) for name in names]
    values = {name: (each.wire_name, value_pieces(source.column(name), each)) for name, each in shown}
    plain = [values[name] for name in names if name not in rules]
    ruled = [(values[name][0], rules[name], values[name][1]) for name in names if name in rules]
    return object_pieces([*plain, *nested], ruled)


def object_pieces(
    plain: Sequence[tuple[str, Pieces]], ruled: Sequence[tuple[str, ColumnElement[bool], Pieces]]
) -> Pieces:
    """A JSON object of these members.

    A member under a rule is inside a CASE together with its name, so that a row on which it is hidden leaves it out.
    Such members come last, because the comma before one depends on what is shown before it.
    """
    pieces: Pieces = ["{"]
    for index, (name, value) in enumerate(plain):
        pieces += [f"{',' if index else ''}{json.dumps(name)}:", *value]
    before: list[ColumnElement[bool]] = []
    for name, rule, value in ruled:
        comma: Piece = "," if plain else _comma_after(before)
        pieces += _where(rule, [comma, f"{json.dumps(name)}:", *value], otherwise="")
        before.append(rule)
    pieces.append("}")
    return pieces


def value_pieces(column: ColumnElement[Any], attribute: Attribute) -> Pieces:
    """A value of an attribute, which a column or an expression has."""
    decode = decoder_of(attribute)
    if decode is not None:
        return [Splice(column=column, decode=decode)]
    return [*json_pieces(column, attribute.shape)]


def _comma_after(before: Sequence[ColumnElement[bool]]) -> Piece:
    return case((or_(*before), literal_text(",")), else_=literal_text("")) if before else ""


def or_null(pieces: Pieces, present: ColumnElement[bool]) -> Pieces:
    """The pieces where `present` holds, else null."""
    return _where(present, pieces, otherwise="null")


def _where(present: ColumnElement[bool], pieces: Pieces, *, otherwise: str) -> Pieces:
    """The pieces where `present` holds. Between spliced values every text is made conditional."""
    result: Pieces = []
    for part in _grouped(pieces):
        if isinstance(part, PythonPiece):
            inner = present if part.present is None else and_(present, part.present)
            result.append(msgspec.structs.replace(part, present=inner))
        else:
            result.append(case((present, concatenated(part)), else_=literal_text("" if result else otherwise)))
    return result
