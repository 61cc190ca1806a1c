"""What SQLAlchemy refuses while a module declares its models, as a mistake at the attribute, with what to write.

Outside the request path: the commands import a user's module by `server/loading.py`, and ask here why that failed. Then
the class does not exist, and its module neither: what is known of them is in the traceback.
"""

import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from traceback import extract_tb, walk_tb
from typing import Any, cast

from sqlalchemy.exc import (
    ArgumentError,
    InvalidRequestError,
    NoForeignKeysError,
    NoReferenceError,
)
from sqlalchemy.orm import Mapper

from gatepost.errors import ConfigurationError
from gatepost.models.foreign_key_targets import misspelt_key
from gatepost.sources import line_of_attribute, raised_at, shown_location
from gatepost.sqlalchemy_refusals import is_refusal, refused_by_sqlalchemy

HINTS = {
    r"could not assemble any primary key": "Write `id: Mapped[int] = mapped_column(primary_key=True)`, or inherit from "
    "gatepost.Model, which has a key.",
    r"is already defined for this MetaData": "Give each class a __tablename__ of its own, and import its module by one "
    "name only.",
    r"does not have a __table__ or __tablename__": 'Write `__tablename__ = "..."` in the class.',
    r"requires that constraint is explicitly named": 'Name the constraint: CheckConstraint("...", name="...").',
    r"no column named": "Correct the name, or declare the column in this class.",
    r"__table_args__ value must be": "Write a comma behind it: `__table_args__ = (UniqueConstraint(...),)`.",
    r"already present in table": "Give each attribute a column of its own.",
    r"Type annotation for .* can't be correctly interpreted": "Write `{name}: Mapped[...]`.",
    r"Python typing annotation is required": "Write `{name}: Mapped[...] = ...`.",
    r"Could not de-stringify": "It cannot read this as text: leave `from __future__ import annotations` out of the "
    'module, and put quotes around nothing but the names of classes that follow: `{name}: Mapped["Other"]`.',
    r"Could not resolve all types": "Correct the name in Mapped[...], or import it outside of `if TYPE_CHECKING:`.",
    r"indicated by '(<class ')?dict\b": "Write `{name}: Mapped[dict[str, Any]] = mapped_column(JSONB)`.",
    r"indicated by '(<class ')?list\b": "Write `{name}: Mapped[list[str]] = mapped_column(ARRAY(Text))`, or for "
    "rows of another model `{name}: Mapped[list[Other]] = relationship()`.",
    r"indicated by": "Say which type the column has: `{name}: Mapped[...] = mapped_column(TYPE)`; a reference to "
    "another model is `{name}: Mapped[Other] = relationship()`.",
    r"got '<class '(int|float|bool)'>'|SchemaItem": "Write a type of SQLAlchemy's, such as `mapped_column(Integer)`, "
    'and what PostgreSQL computes as text("...").',
}
"""What to write, by what SQLAlchemy's text contains. The first that fits counts."""

_COLUMN_TYPE = re.compile(r"is the SQLAlchemy type <class '([\w.]+)\.(\w+)'>")


def declaration_refusal(error: BaseException) -> ConfigurationError | None:
    """What SQLAlchemy refuses, with the line of the attribute where it is known; None for the user's own error."""
    if not is_refusal(error):
        return None
    if (misspelt := _misspelt_key(error)) is not None:
        owner, _, key = str(misspelt.location).partition(".")
        misspelt.source = _source(error, owner, key)
        return misspelt
    class_name, name = _failed(error)
    refusal = refused_by_sqlalchemy(error, ".".join(filter(None, (class_name, name))) or None)
    refusal.source = _source(error, class_name, name)
    refusal.hint = _hint(refusal.message, name or "...")
    return refusal


def _misspelt_key(error: BaseException) -> ConfigurationError | None:
    """The foreign key that makes SQLAlchemy find none between two tables."""
    if isinstance(error, NoForeignKeysError | NoReferenceError) or (
        isinstance(error, ArgumentError | InvalidRequestError) and "join condition" in str(error)
    ):
        for frame, _ in reversed(list(walk_tb(error.__traceback__))):
            mapper: Any = getattr(frame.f_locals.get("self"), "parent", None)
            if isinstance(mapper, Mapper):
                return misspelt_key(mapper)  # pyright: ignore[reportUnknownArgumentType]
    return None


def _failed(error: BaseException) -> tuple[str | None, str | None]:
    """The names of the class and of its attribute that SQLAlchemy was reading, from its innermost calls."""
    class_name: str | None = None
    name: str | None = None
    for frame, _ in reversed(list(walk_tb(error.__traceback__))):
        if str(frame.f_globals.get("__name__")).partition(".")[0] != "sqlalchemy":
            break
        known = frame.f_locals
        # While attributes are read one by one, `key` is theirs; elsewhere it may be anything.
        if name is None and ("originating_class" in known or "originating_module" in known):
            name = _text(known, "key") or _text(known, "name")
        owner = known.get("cls") or known.get("cls_") or getattr(known.get("self"), "cls", None)
        if class_name is None and isinstance(owner, type) and not owner.__module__.startswith("sqlalchemy."):
            class_name = owner.__name__
    return class_name, name


def _text(known: Mapping[str, Any], key: str) -> str | None:
    found = known.get(key)
    return found if isinstance(found, str) else None


def _source(error: BaseException, class_name: str | None, name: str | None) -> str | None:
    shown = raised_at(error)
    if class_name is None or name is None:
        return shown
    for frame in reversed(extract_tb(error.__traceback__)):
        if shown_location(frame.filename, frame.lineno) == shown:
            line = line_of_attribute(frame.filename, class_name, name)
            return shown if line is None else shown_location(frame.filename, line)
    return shown


def _hint(message: str, name: str) -> str | None:
    if found := _COLUMN_TYPE.search(message):
        return f"Write `{name}: Mapped[{_python_type(*found.groups())}] = mapped_column({found[2]})`."
    return next((hint.replace("{name}", name) for text, hint in HINTS.items() if re.search(text, message)), None)


def _python_type(module: str, name: str) -> str:
    """What the values of a column type are in Python; `...` where it does not say."""
    with suppress(Exception):  # a type that needs arguments, or that has no such type
        kind = getattr(sys.modules[module], name)()
        return cast("type[Any]", getattr(kind, "impl_instance", kind).python_type).__name__
    return "..."
