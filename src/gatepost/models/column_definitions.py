"""Columns that SQLAlchemy accepts and PostgreSQL does not. Outside the request path: `entity.py` asks at build."""

from typing import Any

from sqlalchemy import Column

from gatepost.errors import ConfigurationError
from gatepost.models.base import VIEW

SYSTEM_COLUMNS = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""The columns that PostgreSQL adds to every table. A view has none of its own, and may have columns of these names."""


def check_column(column: Column[Any], location: str) -> None:
    """Raise `ConfigurationError` where no table can have this column."""
    if column.name in SYSTEM_COLUMNS and not (column.system or column.table.info.get(VIEW)):
        raise ConfigurationError(
            f"has the name of PostgreSQL's system column {column.name!r}, which every table already has.",
            location=location,
            hint=f'Give the column another name, mapped_column("{column.name}_"), or leave it out. It is PostgreSQL\'s '
            f'own column with mapped_column("{column.name}", system=True).',
        )
    if "\0" in column.name:
        hint = 'Correct the name: mapped_column("...").'
        raise ConfigurationError(f"has a NUL in its column's name {column.name!r}.", location=location, hint=hint)
    kind: Any = getattr(column.type, "item_type", column.type)
    length: object = getattr(kind, "length", None)
    if hasattr(kind, "enums") or length is None or (isinstance(length, int) and length >= 1):
        return
    hint = "Write a positive number, such as String(200), or Text for any length."
    raise ConfigurationError(f"is of a type with the length {length!r}.", location=location, hint=hint)
