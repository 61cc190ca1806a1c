"""The indexes and foreign keys that a database has, with what PostgreSQL has counted of their use.

Outside the request path: `gatepost db advise` reads them. Left out are PostgreSQL's own schemas, Gatepost's record and
what belongs to extensions. The indexes on the parts of a partitioned table are counted at the index on the whole.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

_TABLES = """
    SELECT class.oid, nspname, nullif(nspname, current_schema()) AS schema, relname,
           relkind = 'p' AS is_partitioned,
           greatest(reltuples, pg_stat_get_live_tuples(class.oid), 0)::int8 AS rows
    FROM pg_class AS class JOIN pg_namespace AS namespace ON namespace.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND relpersistence <> 't'
      AND nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'gatepost')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = class.oid
                      AND deptype = 'e')
"""
_INDEXES = f"""
    WITH tables AS ({_TABLES})
    SELECT tables.schema, tables.relname AS table_name, class.relname AS name, amname AS method,
           indisunique AS is_unique,
           indisprimary OR indisexclusion OR indisreplident OR EXISTS (
             SELECT FROM pg_constraint WHERE conindid = indexrelid) AS is_required,
           NOT indimmediate OR coalesce((to_jsonb(pg_index) ->> 'indnullsnotdistinct')::bool, false) AS is_unusual,
           indisvalid AS is_valid,
           EXISTS (SELECT FROM pg_stat_progress_create_index AS progress WHERE progress.index_relid = indexrelid)
             AS is_being_built,
           pg_get_expr(indpred, indrelid) AS predicate, pg_get_indexdef(indexrelid) AS definition,
           parts.bytes, parts.scans,
           ARRAY (SELECT attname::text FROM unnest((indkey::int2[])[indnkeyatts : indnatts - 1]) AS number
                  JOIN pg_attribute ON attrelid = indrelid AND attnum = number) AS included,
           keys.*
    FROM tables JOIN pg_index ON indrelid = tables.oid
    JOIN pg_class AS class ON class.oid = indexrelid AND NOT class.relispartition
    JOIN pg_am ON pg_am.oid = class.relam
    CROSS JOIN LATERAL (
      SELECT sum(pg_relation_size(part))::int8 AS bytes, sum(coalesce(pg_stat_get_numscans(part), 0))::int8 AS scans
      FROM (SELECT relid AS part FROM pg_partition_tree(indexrelid) UNION SELECT indexrelid) AS parts
    ) AS parts
    CROSS JOIN LATERAL (
      SELECT array_agg(attname::text ORDER BY number) AS columns,
             array_agg(pg_get_indexdef(indexrelid, number, true) ORDER BY number) AS keys,
             array_agg(opcname::text ORDER BY number) AS classes,
             array_agg(coalesce(opcdefault, false) ORDER BY number) AS are_default,
             array_agg(CASE WHEN indcollation[number - 1] <> coalesce(attcollation, 0) THEN collname::text END
                       ORDER BY number) AS collations,
             array_agg(indoption[number - 1]::int ORDER BY number) AS options
      FROM generate_series(1, indnkeyatts) AS number
      LEFT JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[number - 1] AND attnum > 0
      LEFT JOIN pg_opclass ON pg_opclass.oid = indclass[number - 1]
      LEFT JOIN pg_collation ON pg_collation.oid = indcollation[number - 1]
    ) AS keys
    ORDER BY nspname, tables.relname, class.relname
"""
_FOREIGN_KEYS = f"""
    WITH tables AS ({_TABLES})
    SELECT tables.schema, tables.relname AS table_name, conname AS name,
           CASE WHEN target.relnamespace = current_schema()::regnamespace THEN target.relname::text
                ELSE target.relnamespace::regnamespace || '.' || target.relname END AS target,
           ARRAY (SELECT attname::text FROM unnest(conkey) WITH ORDINALITY AS key (number, place)
                  JOIN pg_attribute ON attrelid = conrelid AND attnum = number ORDER BY place) AS columns
    FROM tables JOIN pg_constraint ON conrelid = tables.oid AND contype = 'f' AND conparentid = 0
    JOIN pg_class AS target ON target.oid = confrelid
    WHERE NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = tables.oid)
    ORDER BY nspname, tables.relname, conname
"""
_SINCE = """
    SELECT greatest(
      (SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()),
      (SELECT stats_reset FROM pg_stat_bgwriter),  -- with those of the archiver: a crash makes PostgreSQL begin anew
      (SELECT stats_reset FROM pg_stat_archiver)
    )
"""
_MADE = "SELECT (pg_stat_file(format('base/%s/PG_VERSION', oid))).modification FROM pg_database WHERE datname = $1"
_RECORDED = """
    SELECT nullif(schema_name, current_schema()) AS schema, name, recorded_at
    FROM gatepost.schema_objects WHERE kind = 'index'
"""
_HAS_REPLICAS = "SELECT EXISTS (SELECT FROM pg_stat_replication) OR pg_is_in_recovery()"

_DESCENDING, _NULLS_FIRST = 1, 2

TableKey = tuple[str | None, str]
"""Schema, None for the default one, and name."""


class CatalogKey(NamedTuple):
    """One column of an index: its name, None for an expression, and how it is indexed. `collation` is None for the
    column's own, `operator_class` None for that of the type."""

    column: str | None
    sql: str
    operator_class: str | None = None
    collation: str | None = None
    is_descending: bool = False
    is_nulls_first: bool = False


class CatalogIndex(NamedTuple):
    """An index as a database has it. `schema` is None for the default one.

    `is_required` is one that a constraint, a foreign key or replication needs; `is_unusual` a unique one that is
    deferrable, or takes NULLs for equal.
    """

    schema: str | None
    table: str
    name: str
    method: str
    keys: tuple[CatalogKey, ...]
    included: frozenset[str]
    predicate: str | None
    definition: str
    is_unique: bool
    is_required: bool
    is_unusual: bool
    is_valid: bool
    is_being_built: bool
    bytes: int
    scans: int

    @property
    def table_key(self) -> TableKey:
        """Schema and name of its table."""
        return self.schema, self.table


class CatalogForeignKey(NamedTuple):
    """A foreign key as a database has it: its table, its name, its columns, and the table that it refers to."""

    schema: str | None
    table: str
    name: str
    columns: tuple[str, ...]
    target: str

    @property
    def table_key(self) -> TableKey:
        """Schema and name of its table."""
        return self.schema, self.table

    def is_found_by(self, index: CatalogIndex) -> bool:
        """Whether PostgreSQL finds the rows that refer to a key by an index of their table."""
        keys = index.keys[: len(self.columns)]
        is_whole = index.predicate in {None, *(f"({column} IS NOT NULL)" for column in self.columns)}
        is_plain = all(key.operator_class is None and key.collation is None for key in keys)
        columns = {key.column for key in keys}
        return index.method in ("btree", "hash") and columns == set(self.columns) and is_whole and is_plain


class CatalogTable(NamedTuple):
    """A table as a database has it; `rows` are as many as PostgreSQL estimates."""

    rows: int
    is_partitioned: bool


class IndexCatalog(NamedTuple):
    """What a database has. `since` is when PostgreSQL began to count, None where it does not say; `made` when an index
    was made at the latest, by schema and name, as far as Gatepost recorded it. With `has_replicas` others have counts
    of their own."""

    indexes: Sequence[CatalogIndex]
    foreign_keys: Sequence[CatalogForeignKey]
    tables: Mapping[TableKey, CatalogTable]
    since: datetime | None
    made: Mapping[TableKey, datetime]
    has_replicas: bool

    @property
    def usable(self) -> list[CatalogIndex]:
        """The indexes that are complete."""
        return [each for each in self.indexes if each.is_valid]


async def read_index_catalog(connection: "RawConnection") -> IndexCatalog:
    """Read it all. Needs no rights beyond those of a server."""
    indexes = [_index(row) for row in await connection.fetch(_INDEXES)]
    keys = [
        CatalogForeignKey(row["schema"], row["table_name"], row["name"], tuple(row["columns"]), row["target"])
        for row in await connection.fetch(_FOREIGN_KEYS)
    ]
    tables = {
        (row["schema"], row["relname"]): CatalogTable(row["rows"], row["is_partitioned"])
        for row in await connection.fetch(_TABLES)
    }
    database = await connection.fetchval("SELECT current_database()")
    moments = [await connection.fetchval(_SINCE), await _find(connection, _MADE, database)]
    since = max((each for each in moments if each is not None), default=None)
    return IndexCatalog(
        indexes, keys, tables, since, await _recorded(connection), await connection.fetchval(_HAS_REPLICAS)
    )


async def _find(connection: "RawConnection", sql: str, *arguments: object) -> datetime | None:
    try:
        found: datetime | None = await connection.fetchval(sql, *arguments)
    except asyncpg.PostgresError:  # a right that few roles have
        return None
    return found


async def _recorded(connection: "RawConnection") -> dict[TableKey, datetime]:
    try:
        rows = await connection.fetch(_RECORDED)
    except asyncpg.PostgresError:  # Gatepost made nothing here, or the role may not know
        return {}
    return {(row["schema"], row["name"]): row["recorded_at"] for row in rows}


def _index(row: "asyncpg.Record") -> CatalogIndex:
    keys = zip(
        row["columns"], row["keys"], row["classes"], row["are_default"], row["collations"], row["options"], strict=True
    )
    return CatalogIndex(
        schema=row["schema"],
        table=row["table_name"],
        name=row["name"],
        method=row["method"],
        keys=tuple(
            CatalogKey(
                column, sql, None if is_default else operator_class, collation,
                bool(options & _DESCENDING), bool(options & _NULLS_FIRST),
            )
            for column, sql, operator_class, is_default, collation, options in keys
        ),
        included=frozenset(row["included"]),
        predicate=row["predicate"],
        definition=row["definition"],
        is_unique=row["is_unique"],
        is_required=row["is_required"],
        is_unusual=row["is_unusual"],
        is_valid=row["is_valid"],
        is_being_built=row["is_being_built"],
        bytes=row["bytes"],
        scans=row["scans"],
    )  # fmt: skip
