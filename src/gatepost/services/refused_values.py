"""Values that the declaration allows and PostgreSQL refuses: which field to report, and in which words.

This happens with types that Gatepost does not know, with domains and with triggers. PostgreSQL says what is wrong with
the value but not which column it was for, so the error lists the fields of the body whose type can raise it.
PostgreSQL's own message is for the log only: it may quote values that the client must not see. What is too long for an
index is found in `long_values.py`.
"""

import traceback
from collections.abc import Callable, Collection, Mapping
from typing import Any

import asyncpg
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

from gatepost.database.error_details import reason_of
from gatepost.errors import FieldError, Unprocessable
from gatepost.events import ValueRefused
from gatepost.models.served_model import ServedModel
from gatepost.services.long_values import is_too_long, too_long_value
from gatepost.view import View

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
    error: asyncpg.PostgresError,
    served: ServedModel,
    values: Mapping[str, Any],
    emit: Callable[[ValueRefused], None] | None,
) -> Unprocessable | None:
    """The refusal that reports the fields among `values` that can have caused the error; None for an error that no
    value of a body can cause, which is a bug in the program and becomes a 500."""
    problem = too_long_value(error, served, values) if is_too_long(error) else _misfit(error, served, values)
    if problem is not None and emit is not None:
        emit(ValueRefused(table=served.entity.table.name, reason=reason_of(error)))
    return problem


def _misfit(error: asyncpg.PostgresError, served: ServedModel, names: Collection[str]) -> Unprocessable | None:
    meaning = MEANINGS.get(error.sqlstate or "")
    if meaning is None:
        return None
    code, detail, kinds = meaning
    attributes = served.entity.attributes
    fields = [name for name in names if not kinds or _may_raise(attributes[name].column.type, kinds)] or list(names)
    errors = [FieldError(f"/{name}", code, detail) for name in sorted(fields)]
    return Unprocessable("invalid_body", "A value does not fit its column.", errors=errors)


_VALIDATING = ("sqlalchemy.orm.util", "sqlalchemy.ext.mutable")
"""Where SQLAlchemy calls functions of `@validates` and `Mutable.coerce`, from listeners to the attribute's events."""


def refused_by_validator(error: ValueError, served: ServedModel, view: View) -> Unprocessable | None:
    """The refusal of a value for which a function of `@validates` raised the error, at its attribute; None where the
    error comes from elsewhere, and is a bug in the program. A field that the actor does not know is not named."""
    name = _validated_name(error, served.entity.model)
    if name not in served.entity.attributes:
        return None
    if name in view.readable | view.creatable | view.updatable:
        found = FieldError(f"/{name}", "invalid_value", _own_words(error) or "The value is not valid.")
    else:
        found = FieldError("", "invalid_value", "The row is not valid.")
    return Unprocessable("invalid_body", "A value is not valid.", errors=[found])


def _own_words(error: BaseException) -> str | None:
    """The text of the error, unless it is SQLAlchemy's, which speaks of Python."""
    *_, last = traceback.walk_tb(error.__traceback__)
    return None if str(last[0].f_globals.get("__name__")).startswith("sqlalchemy.") else str(error)


def _validated_name(error: BaseException, model: type[Any]) -> str | None:
    """The attribute of the model whose innermost validator raised the error, by the frames of its traceback."""
    found: str | None = None
    trace = error.__traceback__
    while trace is not None:
        frame, trace = trace.tb_frame, trace.tb_next
        if frame.f_globals.get("__name__") in _VALIDATING and "key" in frame.f_locals:
            state = frame.f_locals.get("state") or frame.f_locals.get("target")
            if issubclass(getattr(state, "class_", object), model):
                found = frame.f_locals["key"]
    return found


def _may_raise(kind: "TypeEngine[Any]", kinds: _Kinds) -> bool:
    return isinstance(kind, kinds) or not isinstance(kind, _KNOWN)
