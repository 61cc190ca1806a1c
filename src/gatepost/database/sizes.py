"""How large a database and its tables are. Outside the request path: `gatepost db sizes` asks."""

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

_DATABASE = "SELECT current_database(), pg_database_size(current_database())"
_TABLES = """
    WITH parts AS (
      SELECT root.oid, part.oid AS part
      FROM pg_class AS root JOIN pg_namespace AS namespace ON namespace.oid = root.relnamespace
      CROSS JOIN LATERAL (SELECT relid AS oid FROM pg_partition_tree(root.oid) UNION SELECT root.oid) AS part
      WHERE root.relkind IN ('r', 'p', 'm') AND NOT root.relispartition
        AND nspname !~ '^pg_' AND nspname <> 'information_schema'
    )
    SELECT oid::regclass::text AS table,
           sum(greatest(pg_stat_get_live_tuples(part), (SELECT reltuples FROM pg_class WHERE oid = part), 0))::int8
             AS rows,
           sum(coalesce(pg_stat_get_dead_tuples(part), 0))::int8 AS dead_rows,
           sum(pg_total_relation_size(part))::int8 AS bytes,
           sum(pg_relation_size(part))::int8 AS table_bytes,
           sum(pg_indexes_size(part))::int8 AS index_bytes,
           sum(pg_table_size(part) - pg_relation_size(part))::int8 AS toast_bytes
    FROM parts GROUP BY parts.oid
    ORDER BY bytes DESC, 1 LIMIT $1
"""


class TableSizes(msgspec.Struct, frozen=True):
    """A table with all its parts. Rows are those that PostgreSQL counts, dead ones those that a vacuum is to remove;
    `toast_bytes` are what stands beside the rows: long values, and the maps of free space."""

    table: str
    rows: int
    dead_rows: int
    bytes: int
    table_bytes: int
    index_bytes: int
    toast_bytes: int


class DatabaseSizes(msgspec.Struct, frozen=True):
    """A database and its largest tables, the largest first. Bytes on disk."""

    database: str
    bytes: int
    tables: list[TableSizes]


async def read_sizes(connection: "RawConnection", count: int) -> DatabaseSizes:
    """The sizes of the database and of its `count` largest tables."""
    row = await connection.fetchrow(_DATABASE)
    assert row is not None  # noqa: S101 - a SELECT without FROM
    tables = [TableSizes(*each) for each in await connection.fetch(_TABLES, count)]
    return DatabaseSizes(row[0], row[1], tables)
