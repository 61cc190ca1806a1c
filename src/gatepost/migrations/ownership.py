"""What of a database is Gatepost's: what the record lists and still has the recorded definition.

A table, type or schema is Gatepost's by its name, whatever has been done to it since; constraints, indexes, functions
and triggers only while they are unchanged. Where nothing is listed, nothing is Gatepost's.
"""

from collections.abc import Collection

from sqlalchemy import Connection, MetaData, text

from gatepost.accounts.models import DEFAULT_TABLE, KEPT
from gatepost.migrations.definitions import ObjectKey, TableName, read_definitions
from gatepost.migrations.record import owned_keys, read_record

_RELATIONS = text("""
    SELECT nullif(nspname, current_schema()), relname, relkind::text
    FROM pg_class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE nspname !~ '^pg_'
    UNION ALL
    SELECT nullif(nspname, current_schema()), typname, 'T'
    FROM pg_type JOIN pg_namespace AS namespace ON namespace.oid = typnamespace
    WHERE nspname !~ '^pg_' AND typrelid = 0 AND typelem = 0
""")
_KINDS = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "c": "type",
    "T": "type",
}
_READABLE = ("view", "materialized view", "foreign table")
_DEPENDENTS_OF_FUNCTION = text("""
    SELECT nullif(nspname, current_schema()), relname, tgname
    FROM pg_depend AS dependency
    LEFT JOIN pg_trigger AS trigger ON classid = 'pg_trigger'::regclass AND trigger.oid = objid
    LEFT JOIN pg_class AS class ON class.oid = tgrelid
    LEFT JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE refclassid = 'pg_proc'::regclass AND refobjid = to_regprocedure(:name) AND deptype IN ('n', 'a')
""")
_IS_TYPE_USED = text("""
    SELECT EXISTS (
      SELECT FROM pg_type AS type JOIN pg_depend ON refobjid IN (type.oid, typarray)
      WHERE type.oid = to_regtype(:name) AND refclassid = 'pg_type'::regclass AND deptype IN ('n', 'a')
    )
""")
_USE_OF_INDEX = text("""
    SELECT CASE
      WHEN indisreplident THEN 'the REPLICA IDENTITY'
      WHEN indisclustered THEN 'the CLUSTER order'
      WHEN EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conindid = indexrelid) THEN 'a foreign key'
    END
    FROM pg_index WHERE indexrelid = to_regclass(:name)
""")
_COLUMNS_OF_TYPE = text("""
    SELECT nullif(nspname, current_schema()), relname
    FROM pg_attribute JOIN pg_class AS class ON class.oid = attrelid
    JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    JOIN pg_type AS type ON type.oid = atttypid
    WHERE NOT attisdropped AND relkind NOT IN ('i', 'I') AND to_regtype(:name) IN (type.oid, type.typelem)
""")


class Ownership:
    """Read once for a plan: what is there, what is listed, and so what is whose."""

    def __init__(self, connection: Connection, metadata: MetaData) -> None:
        self._connection = connection
        self._present = read_definitions(connection)
        self._listed = read_record(connection)
        self._owned = owned_keys(self._present, self._listed)
        self._relations = {
            TableName(schema, name): _KINDS.get(kind, "object") for schema, name, kind in connection.execute(_RELATIONS)
        }
        self.declared = [self._name(table.schema, table.name) for table in metadata.sorted_tables]
        model = metadata.info.get(KEPT)
        self.users_table = None if model is None else self._name(model.__table__.schema, DEFAULT_TABLE)
        """The users' table of an App without `users=`."""

    def owns(self, key: ObjectKey) -> bool:
        """True for what may be dropped and replaced."""
        return key in self._owned

    def owns_table(self, table: TableName) -> bool:
        """True for a table that may be changed."""
        return self.owns(table.key("table"))

    def was_changed(self, key: ObjectKey) -> bool:
        """True for what Gatepost made and was changed by others since."""
        return key in self._listed and key in self._present and key not in self._owned

    def relation(self, name: TableName) -> str | None:
        """What in words has this name, None where the name is free."""
        return self._relations.get(name)

    @property
    def foreign(self) -> set[TableName]:
        """The declared tables that are there and are not Gatepost's."""
        return {name for name in self.declared if self.relation(name) == "table" and not self.owns_table(name)}

    @property
    def readable(self) -> set[TableName]:
        """The declared tables that are views and the like: served as they are, and never changed."""
        return {name for name in self.declared if self.relation(name) in _READABLE}

    def is_function_used(self, function: str, dropped: Collection[ObjectKey]) -> bool:
        """True where something depends on the function (a trigger, mostly) that is not dropped with it."""
        rows = self._connection.execute(_DEPENDENTS_OF_FUNCTION, {"name": f"{function}()"})
        return any(row[2] is None or ObjectKey("trigger", row[0], row[1], row[2]) not in dropped for row in rows)

    def use_of_index(self, name: TableName) -> str | None:
        """What the database does with the index, or the constraint of that name, beside looking up rows: none of it is
        part of the definition, and PostgreSQL drops the first two with the index without a word."""
        found: str | None = self._connection.execute(_USE_OF_INDEX, {"name": name.sql}).scalar()
        return found

    def is_type_used(self, name: TableName) -> bool:
        """True where something depends on the type: a column, a view, a function, a domain."""
        return bool(self._connection.execute(_IS_TYPE_USED, {"name": name.sql}).scalar())

    def tables_of_type(self, name: TableName) -> list[TableName]:
        """The tables, and views, with a column of this type or of an array of it."""
        return [TableName(*row) for row in self._connection.execute(_COLUMNS_OF_TYPE, {"name": name.sql})]

    def _name(self, schema: str | None, name: str) -> TableName:
        return TableName(None if schema == self._connection.dialect.default_schema_name else schema, name)
