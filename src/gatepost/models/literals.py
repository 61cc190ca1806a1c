"""Literals: values that are part of a statement's text. Parameters would be sent with every execution."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, Text, literal_column
from sqlalchemy.types import TypeEngine

from gatepost.database.statements import DIALECT


def literal_text(text: str) -> ColumnElement[str]:
    """A text as a SQL literal."""
    return literal_column("'" + text.replace("'", "''") + "'", Text)


def literal_number(digits: str) -> ColumnElement[Any]:
    """A number as a SQL literal."""
    return literal_column(digits, Numeric())


def literal_integer(number: int) -> ColumnElement[int]:
    """An integer as a SQL literal."""
    return literal_column(str(int(number)), Integer)


def literal_of(value: object, kind: TypeEngine[Any]) -> ColumnElement[Any]:
    """A value of a column of this type as a SQL literal."""
    write: Any = kind.dialect_impl(DIALECT).literal_processor(DIALECT)
    return literal_column(write(value), kind)
