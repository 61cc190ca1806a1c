"""Values that the declaration allows and PostgreSQL refuses: which field to report, and in which words.

This happens with types that Gatepost does not know, with domains and with triggers. PostgreSQL says what is wrong with
the value but not which column it was for, so the error lists the fields of the body whose type can raise it.
PostgreSQL's own message is for the log only: it may quote values that the client must not see.
"""

from collections.abc import Callable, Collection
from typing import Any

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
"""By SQLSTATE: the code of the field, the sentence, and the types that can raise it (empty for all types). A type that
Gatepost does not know can raise any of them."""

_KNOWN = (*_TEXTS, *_NUMBERS, *_TIMES, Boolean, LargeBinary)


def refused_value(
    error: pg.DataError, served: ServedModel, names: Collection[str], emit: Callable[[ValueRefused], None] | None
) -> Unprocessable | None:
    """The refusal that reports the fields among `names` that can have caused the error; None for an error that no value
    of a body can cause, which is a bug in the program and becomes a 500."""
    meaning = MEANINGS.get(error.sqlstate or "")
    if meaning is None:
        return None
    code, detail, kinds = meaning
    attributes = served.entity.attributes
    fields = [name for name in names if not kinds or _may_raise(attributes[name].column.type, kinds)] or list(names)
    if emit is not None:
        emit(
            ValueRefused(
                table=served.entity.table.name,
                reason=f"{error.sqlstate} {error.args[0] if error.args else ''}".rstrip(),
            )
        )
    errors = [FieldError(f"/{name}", code, detail) for name in sorted(fields)]
    return Unprocessable("invalid_body", "A value does not fit its column.", errors=errors)


def _may_raise(kind: "TypeEngine[Any]", kinds: _Kinds) -> bool:
    return isinstance(kind, kinds) or not isinstance(kind, _KNOWN)
