"""Literals: values that are part of a statement's text. Parameters would be sent with every execution."""

from typing import Any

from sqlalchemy import ColumnElement, Integer, Numeric, Text, literal_column


def literal_text(text: str) -> ColumnElement[str]:
    """A text as a SQL literal."""
    return literal_column("'" + text.replace("'", "''") + "'", Text)


def literal_number(digits: str) -> ColumnElement[Any]:
    """A number as a SQL literal."""
    return literal_column(digits, Numeric())


def literal_integer(number: int) -> ColumnElement[int]:
    """An integer as a SQL literal."""
    return literal_column(str(int(number)), Integer)
