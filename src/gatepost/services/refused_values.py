"""A value that the declaration admits and PostgreSQL refuses all the same: which field to name, in words of ours.

It takes a type that Gatepost does not know, a domain, or a trigger. PostgreSQL says what is wrong with the value and
not which column it was for: named are the fields of the body that may have such a value. Its own words are for the
log: they may quote what no client may see.
"""

from collections.abc import Callable, Collection
from typing import Any

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy import Numeric
from sqlalchemy.types import (
    ARRAY,
    JSON,
    Boolean,
    Date,
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    String,
    Time,
    TypeEngine,
)

from gatepost.errors import FieldError, Unprocessable
from gatepost.events import ValueRefused
from gatepost.models.catalog import ServedModel

_TEXTS = (String, JSON, ARRAY)
_NUMBERS = (Integer, Numeric)
_TIMES = (Date, DateTime, Time, Interval)

_Kinds = tuple[type[TypeEngine[Any]], ...]

MEANINGS: dict[str, tuple[str, str, _Kinds]] = {
    "22001": ("too_long", "The text is longer than the column keeps.", (String, ARRAY, LargeBinary)),
    "22003": ("too_large", "The number is out of the range of the column.", _NUMBERS),
    "22007": ("invalid_format", "The value is not a date or a time that the column can keep.", _TIMES),
    "22008": ("too_large", "The date or time is out of the range of the column.", _TIMES),
    "22P02": ("invalid_format", "The value does not have the form that the column wants.", ()),
    "22021": ("invalid_text", "The text holds a character that the database cannot store.", _TEXTS),
    "22P05": ("invalid_text", "The text holds a character that the database cannot store.", _TEXTS),
}
"""By SQLSTATE: the code of the field, the sentence, and the types that may raise it, all where none is named. A type
that Gatepost does not know may raise any of them."""

_KNOWN = (*_TEXTS, *_NUMBERS, *_TIMES, Boolean, LargeBinary)


def refused_value(
    error: pg.DataError, served: ServedModel, names: Collection[str], emit: Callable[[ValueRefused], None] | None
) -> Unprocessable | None:
    """The refusal that names the fields among `names` which may be to blame; None for an error that no value of a body
    has caused: then it is a mistake in the program, and answered as one."""
    meaning = MEANINGS.get(error.sqlstate or "")
    if meaning is None:
        return None
    code, detail, kinds = meaning
    attributes = served.entity.attributes
    fields = [name for name in names if not kinds or _may_raise(attributes[name].column.type, kinds)] or list(names)
    if emit is not None:
        emit(ValueRefused(table=served.entity.table.name, reason=_reason(error)))
    errors = [FieldError(f"/{name}", code, detail) for name in sorted(fields)]
    return Unprocessable("invalid_body", "A value does not fit its column.", errors=errors)


def _may_raise(kind: "TypeEngine[Any]", kinds: _Kinds) -> bool:
    return isinstance(kind, kinds) or not isinstance(kind, _KNOWN)


def _reason(error: asyncpg.PostgresError) -> str:
    return f"{error.sqlstate} {error.args[0] if error.args else ''}".rstrip()
