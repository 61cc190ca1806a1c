"""What a database has, each object with a hash of its definition: what the record of `record.py` is compared with.

One query over the whole database, extensions and PostgreSQL's own schemas left out. It runs without a search path, so
that every name in a definition is qualified, and the hash does not depend on the role that connects.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Literal

import msgspec
from sqlalchemy import Connection, text

from gatepost.models.schema_names import full_name

Kind = Literal["schema", "extension", "type", "function", "table", "constraint", "index", "trigger"]

HASHED = ("constraint", "index", "function", "trigger")
"""Kinds that are Gatepost's only while their definition is the recorded one; the others go by name alone."""

_DEFINITIONS = text("""
    WITH schemas AS (
      SELECT oid, nspname FROM pg_namespace AS namespace
      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_namespace'::regclass
                        AND objid = namespace.oid AND deptype = 'e')
    ), tables AS (
      SELECT class.oid, nspname, relname FROM pg_class AS class JOIN schemas ON schemas.oid = relnamespace
      WHERE relkind IN ('r', 'p') AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = class.oid AND deptype = 'e')
    ), found AS (
      SELECT 'schema' AS kind, '' AS schema_name, '' AS table_name, nspname AS name, '' AS definition FROM schemas
      UNION ALL
      SELECT 'extension', '', '', extname, '' FROM pg_extension
      UNION ALL
      SELECT 'type', nspname, '', typname, ''
      FROM pg_type AS type JOIN schemas ON schemas.oid = typnamespace
      WHERE typtype = 'e' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = type.oid AND deptype = 'e')
      UNION ALL
      SELECT 'function', nspname, '', proname, pg_get_functiondef(routine.oid)
      FROM pg_proc AS routine JOIN schemas ON schemas.oid = pronamespace
      WHERE pronargs = 0 AND prokind IN ('f', 'p') AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
      UNION ALL
      SELECT 'table', nspname, '', relname, '' FROM tables
      UNION ALL
      SELECT 'constraint', nspname, relname, conname, pg_get_constraintdef(pg_constraint.oid)
      FROM tables JOIN pg_constraint ON conrelid = tables.oid AND contype IN ('c', 'f', 'p', 'u', 'x')
      UNION ALL
      SELECT 'index', nspname, tables.relname, class.relname, pg_get_indexdef(indexrelid)
      FROM tables JOIN pg_index ON indrelid = tables.oid JOIN pg_class AS class ON class.oid = indexrelid
      WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = class.oid AND contype IN ('p', 'u', 'x'))
      UNION ALL
      SELECT 'trigger', nspname, relname, tgname, pg_get_triggerdef(pg_trigger.oid) || ' ' || tgenabled::text
      FROM tables JOIN pg_trigger ON tgrelid = tables.oid AND NOT tgisinternal
    )
    SELECT kind, schema_name, table_name, name,
           CASE WHEN kind = ANY (:hashed) THEN encode(sha256(convert_to(definition, 'UTF8')), 'hex') ELSE '' END
    FROM found
""")


class ObjectKey(msgspec.Struct, frozen=True, order=True):
    """What names an object in a database: its kind, its real schema, the table that it is on, and its own name.

    `schema` is '' for extensions and schemas, `table` for what is not on a table.
    """

    kind: Kind
    schema: str
    table: str
    name: str

    def words(self, default_schema: str) -> str:
        """The object as a sentence names it: "the index ix_books_price on books"."""
        schema = None if self.schema in ("", default_schema) else self.schema
        if self.table:
            return f"the {self.kind} {self.name} on {full_name(self.table, schema)}"
        return f"the {self.kind} {full_name(self.name, schema)}"


Definitions = Mapping[ObjectKey, str]
"""Objects and the hashes of their definitions; '' where the name alone counts."""


def read_definitions(connection: Connection) -> dict[ObjectKey, str]:
    """Every object of the database that Gatepost could have made, with the hash of its definition."""
    with _without_search_path(connection):
        found = connection.execute(_DEFINITIONS, {"hashed": list(HASHED)}).all()
    return {ObjectKey(kind, schema, table, name): digest for kind, schema, table, name, digest in found}


@contextmanager
def _without_search_path(connection: Connection) -> Generator[None]:
    change = text("SELECT set_config('search_path', :path, true)")
    before = connection.exec_driver_sql("SELECT current_setting('search_path')").scalar()
    connection.execute(change, {"path": "pg_catalog"})
    yield
    connection.execute(change, {"path": before})
