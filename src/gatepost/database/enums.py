"""Enums: a label that the model does not know is read as its text, so that one row does not take a list from everybody.

Labels are added by migrations that run before the program knows them, and by other programs.
"""

from typing import Any, cast

from sqlalchemy import Enum
from sqlalchemy.dialects.postgresql.asyncpg import AsyncPgEnum


class _UnknownLabels:
    def _object_value_for_elem(self, elem: str) -> Any:
        try:
            return cast("Any", super())._object_value_for_elem(elem)
        except LookupError:
            return elem


class TextEnum(_UnknownLabels, Enum):
    """An enum whose labels are stored as text."""


class NativeEnum(_UnknownLabels, AsyncPgEnum):
    """An enum that is a type of the database."""

    @classmethod
    def adapt_native_to_emulated(cls, impl: Any, **options: Any) -> Any:
        """The same for an enum that is not a type in the database."""
        return impl.adapt_to_emulated(TextEnum, **options)
