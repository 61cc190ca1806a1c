"""Names for constraints that are declared without one, so that errors, migrations and comparisons can refer to them.

Outside the request path: `complete_schema` gives them once, when the app is built. Unique constraints and foreign keys
get the name that PostgreSQL would give; a CHECK gets one made from its text, because PostgreSQL would number it.
"""

import hashlib
from typing import Any

from sqlalchemy import CheckConstraint, Constraint, ForeignKeyConstraint, MetaData, Table, UniqueConstraint
from sqlalchemy.schema import conv

from gatepost.models.schema_names import NAME_BYTES_MAX


def name_constraints(metadata: MetaData) -> None:
    """Name every unnamed constraint of the tables. Idempotent."""
    for table in metadata.tables.values():
        for constraint in constraints_of(table):
            name = _implied_name(constraint, table)
            if name is not None and not isinstance(constraint.name, str):
                constraint.name = conv(name)


def constraints_of(table: "Table[Any]") -> list[Constraint]:
    """All constraints of a table and of its columns."""
    return [*table.constraints, *(constraint for column in table.columns for constraint in column.constraints)]


def _implied_name(constraint: Constraint, table: "Table[Any]") -> str | None:
    if isinstance(constraint, UniqueConstraint | ForeignKeyConstraint):
        label = "key" if isinstance(constraint, UniqueConstraint) else "fkey"
        return object_name(table.name, "_".join(column.name for column in constraint.columns), label)
    if isinstance(constraint, CheckConstraint):
        digest = hashlib.sha256(str(constraint.sqltext).encode()).hexdigest()[:8]
        return object_name(table.name, digest, "check")
    return None


def object_name(table: str, columns: str, label: str) -> str:
    """PostgreSQL's own name for an object (its function `makeObjectName`): the longer part is cut until all fits."""
    first, second = table.encode(), columns.encode()
    free = NAME_BYTES_MAX - len(label) - (2 if columns else 1)
    while len(first) + len(second) > free:
        if len(first) > len(second):
            first = first[:-1]
        else:
            second = second[:-1]
    parts = [part.decode(errors="ignore") for part in (first, second) if part]
    return "_".join([*parts, label])
