"""What a database has, each object with a hash of its definition: what the record of `record.py` is compared with.

One query over the whole database, extensions and PostgreSQL's own schemas left out. It runs without a search path, so
that every name in a definition is qualified, and the hash does not depend on the role that connects.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Table, text

from gatepost.models.schema_names import full_name, qualified

Kind = Literal[
    "schema", "extension", "type", "domain", "sequence", "function", "table", "constraint", "index", "trigger"
]

_SET_PATH = text("SELECT set_config('search_path', :path, true)")
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
      SELECT 'domain', nspname, '', typname, ''
      FROM pg_type AS type JOIN schemas ON schemas.oid = typnamespace
      WHERE typtype = 'd' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass AND objid = type.oid AND deptype = 'e')
      UNION ALL
      SELECT 'sequence', nspname, '', relname, ''
      FROM pg_class AS class JOIN schemas ON schemas.oid = relnamespace
      WHERE relkind = 'S' AND NOT EXISTS (
        SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = class.oid AND deptype IN ('a', 'i', 'e'))
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
    SELECT kind, nullif(schema_name, CAST(:default AS text)), table_name, name,
           CASE WHEN definition <> '' THEN encode(sha256(convert_to(definition, 'UTF8')), 'hex') ELSE '' END
    FROM found
""")


class TableName(NamedTuple):
    """Schema and name of a table, an index or a type; the schema is None for the default one."""

    schema: str | None
    name: str

    @property
    def sql(self) -> str:
        """The name as SQL."""
        return qualified(self.name, self.schema)

    @property
    def words(self) -> str:
        """The name for people."""
        return full_name(self.name, self.schema)

    def key(self, kind: Literal["table", "type"]) -> "ObjectKey":
        """The table or type that has the name."""
        return ObjectKey(kind, self.schema, "", self.name)


class ObjectKey(msgspec.Struct, frozen=True, order=True):
    """What names an object in a database: its kind, its schema, the table that it is on, and its own name.

    `schema` is None for the default one and '' for extensions and schemas, `table` is '' for what is not on a table.
    """

    kind: Kind
    schema: str | None
    table: str
    name: str

    @property
    def full_name(self) -> TableName:
        """Its name with the schema."""
        return TableName(self.schema or None, self.name)

    @property
    def table_name(self) -> TableName | None:
        """The table that the object is, or is on; None for what is on no table."""
        if self.kind == "table":
            return self.full_name
        return TableName(self.schema, self.table) if self.table else None

    @property
    def words(self) -> str:
        """The object as a sentence names it: "the index ix_books_price on books"."""
        if self.table:
            return f"the {self.kind} {self.name} on {full_name(self.table, self.schema)}"
        return f"the {self.kind} {self.full_name.words}"


Definitions = Mapping[ObjectKey, str]
"""Objects and the hashes of their definitions.

Constraints, indexes, functions and triggers are Gatepost's only while their definition is the recorded one; the others
go by name alone, and their hash is ''.
"""


def table_name(table: "Table[Any]") -> TableName:
    """The name of a table of the models."""
    return TableName(table.schema, table.name)


def read_definitions(connection: Connection) -> dict[ObjectKey, str]:
    """Every object of the database that Gatepost could have made, with the hash of its definition."""
    path = connection.exec_driver_sql("SELECT current_setting('search_path')").scalar()
    connection.execute(_SET_PATH, {"path": "pg_catalog"})
    rows = connection.execute(_DEFINITIONS, {"default": connection.dialect.default_schema_name}).all()
    connection.execute(_SET_PATH, {"path": path})
    return definitions_of(rows)


def definitions_of(rows: Iterable[Any]) -> dict[ObjectKey, str]:
    """Rows of kind, schema, table, name and hash."""
    return {ObjectKey(kind, schema, table, name): digest for kind, schema, table, name, digest in rows}
