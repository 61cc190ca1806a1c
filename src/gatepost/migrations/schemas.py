"""Schemas other than the default one (`MetaData(schema=...)`, `__table_args__ = {"schema": ...}`).

Everywhere here the default schema, where a connection looks first, is called None: tables that name it and tables that
name none are the same.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, MetaData, text

from gatepost.migrations.definitions import ObjectKey
from gatepost.migrations.operations import RunSQL, creation
from gatepost.models.schema_names import quote

_SCHEMAS = text("""
    SELECT nspname FROM pg_namespace AS namespace
    WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', current_schema())
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = namespace.oid AND deptype = 'e')
    ORDER BY nspname
""")


def other_schemas(connection: Connection) -> list[str]:
    """The schemas of the database besides the default one, PostgreSQL's own and those of extensions."""
    return [row[0] for row in connection.execute(_SCHEMAS)]


def declared_schemas(plain: MetaData) -> list[str]:
    """The schemas of the tables and enums of `plain_metadata`."""
    named = {table.schema for table in plain.tables.values()}
    named |= {getattr(column.type, "schema", None) for table in plain.tables.values() for column in table.columns}
    return sorted(name for name in named if name is not None)


def compare_schemas(connection: Connection, declared: Iterable[str]) -> list[RunSQL]:
    """What creates the schemas that are missing. None is ever dropped: others may use it."""
    present = set(connection.execute(text("SELECT nspname FROM pg_namespace")).scalars())
    return [
        creation(
            ObjectKey("schema", "", "", name), f"schema {name}", [f"CREATE SCHEMA IF NOT EXISTS {quote(name)}"], []
        )
        for name in declared
        if name not in present
    ]
