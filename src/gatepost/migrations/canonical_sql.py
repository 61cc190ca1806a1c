"""Checks, indexes and defaults as PostgreSQL itself writes them, so that two texts of one meaning are equal.

PostgreSQL turns `price >= 0` into `(price >= (0)::numeric)`. Instead of imitating that, what the models declare is put
on an empty temporary copy of the table and read back, inside a savepoint that is always rolled back.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec
from sqlalchemy import (
    CheckConstraint,
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    TextClause,
    UniqueConstraint,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import AddConstraint, CreateIndex, DefaultClause

from gatepost.models.constraint_names import object_name
from gatepost.models.schema_names import DIALECT, qualified, quote

SCRATCH = "gatepost_scratch"

_CHECKS = text("""
    SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE conrelid = to_regclass(:name) AND contype = 'c' ORDER BY conname
""")
_INDEXES = text("""
    SELECT class.relname, pg_get_indexdef(class.oid)
    FROM pg_index AS index JOIN pg_class AS class ON class.oid = index.indexrelid
    WHERE index.indrelid = to_regclass(:name)
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = class.oid AND contype IN ('p', 'u', 'x'))
    ORDER BY relname
""")
_DEFAULTS = text("""
    SELECT attname, pg_get_expr(adbin, adrelid)
    FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
    WHERE adrelid = to_regclass(:name) AND attgenerated = ''
""")
_KEYS = text("""
    SELECT conname, contype::text,
           ARRAY(SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
                 JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place),
           condeferrable
    FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype IN ('p', 'u')
""")


class TableKey(msgspec.Struct, frozen=True):
    """A primary key or unique constraint: its columns in their order, and whether its check can be put off."""

    is_primary: bool
    columns: tuple[str, ...]
    is_deferrable: bool = False


class CanonicalForms(msgspec.Struct, frozen=True):
    """The definitions of one table, by name (defaults by column)."""

    checks: Mapping[str, str]
    indexes: Mapping[str, str]
    defaults: Mapping[str, str]


def read_forms(connection: Connection, table: str) -> CanonicalForms:
    """What the database has on this table."""

    def read(query: TextClause) -> dict[str, str]:
        return {row[0]: row[1] for row in connection.execute(query, {"name": table})}

    return CanonicalForms(read(_CHECKS), read(_INDEXES), read(_DEFAULTS))


def read_keys(connection: Connection, table: str) -> dict[str, TableKey]:
    """The primary key and the unique constraints that the database has on this table, by name."""
    rows = connection.execute(_KEYS, {"name": table})
    return {name: TableKey(kind == "p", tuple(columns), deferrable) for name, kind, columns, deferrable in rows}


def declared_keys(table: "Table[Any]") -> dict[str, TableKey]:
    """The primary key and the unique constraints of a model, by the names that they have in a database."""
    found: dict[str, TableKey] = {}
    for item in table.constraints:
        if isinstance(item, PrimaryKeyConstraint | UniqueConstraint):
            is_primary = isinstance(item, PrimaryKeyConstraint)
            name = str(item.name) if item.name else object_name(table.name, "", "pkey") if is_primary else None
            columns = tuple(str(column.name) for column in item.columns)
            if name is not None and columns:
                found[name] = TableKey(is_primary, columns, bool(item.deferrable))
    return found


def declared_forms(connection: Connection, table: "Table[Any]") -> CanonicalForms:
    """What the models declare on a table that exists, in PostgreSQL's words. What cannot be said there (a column is
    missing still) is left out, and so differs."""
    savepoint = connection.begin_nested()
    try:
        name = qualified(table.name, table.schema)
        connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {SCRATCH} (LIKE {name})")
        copy = table.to_metadata(MetaData(), schema="pg_temp", name=SCRATCH)
        for index in table.indexes:  # not the copy's, which names anew what `index=True` made
            create = str(CreateIndex(index).compile(dialect=DIALECT))
            create = create.replace(f" ON {name} ", f" ON pg_temp.{SCRATCH} ", 1)
            _attempt(connection, create)
        for check in named_checks(copy).values():
            _attempt(connection, str(AddConstraint(check, isolate_from_table=False).compile(dialect=DIALECT)))
        for column in copy.columns:
            if default := default_text(column):
                alter = f"ALTER TABLE {SCRATCH} ALTER COLUMN {quote(column.name)} SET DEFAULT {default}"
                _attempt(connection, alter)
        return read_forms(connection, f"pg_temp.{SCRATCH}")
    finally:
        savepoint.rollback()


def named_checks(table: "Table[Any]") -> dict[str, CheckConstraint]:
    """The CHECK constraints of a table in the order of their names."""
    checks = {str(item.name): item for item in table.constraints if isinstance(item, CheckConstraint)}
    return dict(sorted(checks.items()))


def meaning(definition: str) -> str:
    """The definition of an index without its own name and its table's; that of a check as it is."""
    head, _, rest = definition.partition(" USING ")
    if not head.startswith("CREATE "):
        return definition
    return f"UNIQUE {rest}" if head.startswith("CREATE UNIQUE ") else rest


def default_text(column: Column[Any]) -> str | None:
    """A column's server default as SQL."""
    default = column.server_default
    if not isinstance(default, DefaultClause):
        return None
    if isinstance(default.arg, str):
        return "'" + default.arg.replace("'", "''") + "'"
    return str(default.arg.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True}))


def _attempt(connection: Connection, statement: str) -> None:
    with suppress(DBAPIError), connection.begin_nested():
        connection.exec_driver_sql(statement)
