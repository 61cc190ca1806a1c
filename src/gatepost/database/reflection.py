"""The tables that are there: their columns, keys and types, read from PostgreSQL's catalog by one query.

Outside the request path: once for the first connection of a process, and where something may have changed. Everybody
may read the catalog, and the query waits for no lock that a migration holds. What is wrong with a table is decided by
`models`; Alembic's own reflection is for migrations, which a serving process does not load.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gatepost.database.connection import RawConnection

TypeName = tuple[str | None, str]
"""The schema of an enum or a domain, None for one that the search_path leads to, and the name; of any other type
the name as SQL."""

TableName = tuple[str | None, str]
"""The schema, None for a table that the search_path leads to, and the name."""

_TABLES = """
    WITH RECURSIVE tables AS (
      SELECT wanted.schema, wanted.name, class.oid, class.relkind
      FROM unnest($1::text[], $2::text[]) AS wanted (schema, name)
      JOIN pg_class AS class ON class.relname = wanted.name::name
      JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace
      WHERE class.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND CASE WHEN wanted.schema IS NULL THEN pg_table_is_visible(class.oid) ELSE nspname = wanted.schema::name END
    ), columns AS (
      SELECT attrelid, attnum, attname AS name, atttypid::bigint AS type, atttypmod AS modifier,
             format_type(atttypid, atttypmod) AS type_text,
             attnotnull AND NOT EXISTS (
               SELECT FROM pg_constraint
               WHERE conrelid = attrelid AND contype = 'n' AND attnum = ANY (conkey) AND NOT convalidated
             ) AS is_not_null,
             atthasdef AND attgenerated = '' AS has_default, attidentity AS identity, attgenerated <> '' AS is_computed
      FROM tables JOIN pg_attribute ON attrelid = tables.oid
      WHERE attnum > 0 AND NOT attisdropped
    ), names AS (
      SELECT place, CASE WHEN schema IS NULL THEN to_regtype(name)::oid ELSE (
        SELECT type.oid FROM pg_type AS type JOIN pg_namespace AS namespace ON namespace.oid = typnamespace
        WHERE typname = wanted.name::name AND nspname = wanted.schema::name
      ) END AS oid
      FROM unnest($3::text[], $4::text[]) WITH ORDINALITY AS wanted (schema, name, place)
    ), types AS (
      SELECT type.* FROM pg_type AS type
      WHERE type.oid IN (SELECT type::oid FROM columns UNION SELECT oid FROM names)
      UNION
      SELECT type.* FROM types
      JOIN pg_type AS type ON type.oid IN (types.typbasetype, CASE WHEN types.typlen = -1 THEN types.typelem END)
    )
    SELECT json_build_object(
      'tables', (
        SELECT coalesce(json_agg(json_build_object(
          'schema', schema, 'name', name, 'kind', relkind,
          -- Only for views, because it waits for locks of its relation.
          'writable', CASE WHEN relkind = 'v' THEN pg_relation_is_updatable(oid, true) ELSE 0 END,
          'columns', ARRAY(SELECT to_json(columns) FROM columns WHERE attrelid = tables.oid ORDER BY attnum),
          'keys', ARRAY(
            SELECT to_json(ARRAY(
              SELECT attname FROM pg_attribute
              WHERE attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1])
            ))
            FROM pg_index
            WHERE indrelid = tables.oid AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
          ),
          'fills_rows', EXISTS (
            SELECT FROM pg_trigger
            WHERE tgrelid = tables.oid AND NOT tgisinternal AND tgenabled IN ('O', 'A') AND tgtype & 7 = 7
          )
        )), '[]') FROM tables
      ),
      'types', (
        SELECT coalesce(json_agg(json_build_object(
          'oid', oid::bigint, 'name', typname, 'kind', typtype, 'modifier', typtypmod,
          'base', typbasetype::bigint, 'element', CASE WHEN typlen = -1 THEN typelem::bigint ELSE 0 END,
          'is_not_null', typnotnull, 'has_default', typdefault IS NOT NULL,
          'labels', ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = types.oid ORDER BY enumsortorder)
        )), '[]') FROM types
      ),
      'names', (SELECT coalesce(json_agg(oid::bigint ORDER BY place), '[]') FROM names)
    )::text
"""
"""A trigger of type 7 runs BEFORE INSERT, for each row. Null constraints that are NOT VALID hold for new rows only."""


class ReflectedColumn(msgspec.Struct, frozen=True):
    """One column. `type` and `modifier` are PostgreSQL's, `type_text` says them in its words; `identity` is "a" where
    the database always makes the value, "d" where it does by default."""

    name: str
    type: int
    modifier: int
    type_text: str
    is_not_null: bool
    has_default: bool
    identity: str
    is_computed: bool


class ReflectedTable(msgspec.Struct, frozen=True):
    """One table or view: `kind` is its `relkind`. `keys` are the columns of each unique index over all rows;
    `fills_rows` says that a trigger may change what is inserted."""

    schema: str | None
    name: str
    kind: str
    writable: int
    columns: tuple[ReflectedColumn, ...]
    keys: tuple[frozenset[str], ...]
    fills_rows: bool

    @property
    def is_view(self) -> bool:
        """Whether it is a view, of which PostgreSQL knows neither keys nor which columns are never null."""
        return self.kind in ("v", "m")

    def takes(self, action: str) -> bool:
        """Whether PostgreSQL can "create", "update" or "delete" the rows of a view, by itself or by triggers."""
        return bool(self.writable & _COMMANDS[action])


_COMMANDS = {"update": 1 << 2, "create": 1 << 3, "delete": 1 << 4}
"""Bits of `pg_relation_is_updatable`."""


class BaseType(msgspec.Struct, frozen=True):
    """The type of a column's values, domains and arrays taken off: of an array (`is_array`) that of its elements.

    `modifier` holds its length or precision, -1 for none. What domains said on the way: `is_not_null`, `has_default`.
    """

    oid: int
    name: str
    modifier: int
    labels: tuple[str, ...]
    is_array: bool = False
    is_not_null: bool = False
    has_default: bool = False


class _Type(msgspec.Struct, frozen=True):
    oid: int
    name: str
    kind: str
    modifier: int
    base: int
    element: int
    is_not_null: bool
    has_default: bool
    labels: tuple[str, ...]


class _Rows(msgspec.Struct, frozen=True):
    tables: tuple[ReflectedTable, ...]
    types: tuple[_Type, ...]
    names: tuple[int | None, ...]


class Reflection:
    """What was found of the tables and types that were asked for."""

    def __init__(self, rows: _Rows, names: Sequence[TypeName]) -> None:
        self.tables: Mapping[TableName, ReflectedTable] = {(item.schema, item.name): item for item in rows.tables}
        self._types = {item.oid: item for item in rows.types}
        self._names = dict(zip(names, rows.names, strict=True))

    def type_of(self, column: ReflectedColumn) -> BaseType:
        """The type of a column's values."""
        return self._base_of(column.type, column.modifier)

    def find_type(self, name: TypeName) -> BaseType | None:
        """The type of this name; None where there is none."""
        oid = self._names[name]
        return None if oid is None else self._base_of(oid, -1)

    def _base_of(self, oid: int, modifier: int) -> BaseType:
        found = self._types[oid]
        is_array = is_not_null = has_default = False
        while True:
            if found.kind == "d":
                if not is_array:
                    is_not_null, has_default = is_not_null or found.is_not_null, has_default or found.has_default
                modifier, oid = found.modifier, found.base
            elif found.element:
                is_array, oid = True, found.element
            else:
                return BaseType(found.oid, found.name, modifier, found.labels, is_array, is_not_null, has_default)
            found = self._types[oid]


async def reflect(connection: RawConnection, tables: Sequence[TableName], types: Sequence[TypeName]) -> Reflection:
    """Read what there is of these tables and types; what is missing is left out."""
    columns: list[list[Any]] = [[item[part] for item in items] for items in (tables, types) for part in (0, 1)]
    return Reflection(msgspec.json.decode(await connection.fetchval(_TABLES, *columns), type=_Rows), types)
