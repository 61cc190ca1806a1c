"""Primary keys compared by their columns: Alembic compares none, and a key of the same name may be another one."""

from collections.abc import Mapping, Sequence
from typing import Any

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Connection, Table, text

from gatepost.migrations.canonical_sql import TableKey, declared_keys, read_keys
from gatepost.migrations.definitions import ObjectKey, TableName, table_name
from gatepost.migrations.operations import RunSQL
from gatepost.models.schema_names import quote

_IS_KEY = text("""
    SELECT EXISTS (
      SELECT FROM pg_index
      WHERE indrelid = to_regclass(:name) AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
        AND (SELECT array_agg(attname::text ORDER BY attname::text) = CAST(:columns AS text[]) AND bool_and(attnotnull)
             FROM pg_attribute
             WHERE attrelid = indrelid AND attnum = ANY ((indkey::int2[])[0:indnkeyatts - 1]))
    )
""")


def with_keys(
    connection: Connection,
    tables: Sequence["Table[Any]"],
    operations: Sequence[MigrateOperation],
    foreign: Sequence["Table[Any]"],
) -> list[MigrateOperation]:
    """The operations, and among them the changes of primary keys: each after the columns of its table that are added,
    before those that are dropped. On a `foreign` table any unique and NOT NULL columns are key enough for a model, in
    any order; elsewhere their order is that of the model, in which its rows are listed."""
    found = list(operations)
    created = {(item.schema, item.table_name) for item in operations if isinstance(item, ops.CreateTableOp)}
    for table in tables:
        name = table_name(table)
        change = None if name in created else _change(connection, table, is_foreign=table in foreign)
        if change is not None:
            columns = [
                number
                for number, item in enumerate(found)
                if isinstance(item, ops.AddColumnOp | ops.AlterColumnOp) and (item.schema, item.table_name) == name
            ]
            found.insert(columns[-1] + 1 if columns else 0, change)
    return found


def _change(connection: Connection, table: "Table[Any]", *, is_foreign: bool) -> RunSQL | None:
    name = table_name(table)
    wanted, before = _primary(declared_keys(table)), _primary(read_keys(connection, name.sql))
    if wanted is None or (before is not None and before[1] == wanted[1]):
        return None
    if is_foreign and connection.execute(_IS_KEY, {"name": name.sql, "columns": sorted(wanted[1])}).scalar():
        return None
    add, drop = _statements(name, *wanted)
    words = f"({', '.join(wanted[1])})"
    if before is None:
        key = ObjectKey("constraint", *name, wanted[0])
        summary, undo_summary = f"add the primary key {words} to {name.words}", f"drop the primary key of {name.words}"
        return RunSQL(key, "create", summary, [add], undo_summary, [drop])
    add_old, drop_old = _statements(name, *before)
    old_words = f"({', '.join(before[1])})"
    change = f"change the primary key of {name.words}"
    return RunSQL(
        ObjectKey("constraint", *name, before[0]),
        "replace",
        f"{change} from {old_words} to {words}",
        [drop_old, add],
        f"{change} back to {old_words}",
        [drop, add_old],
    )


def _primary(keys: Mapping[str, TableKey]) -> tuple[str, tuple[str, ...]] | None:
    return next(((name, key.columns) for name, key in keys.items() if key.is_primary), None)


def _statements(table: TableName, name: str, columns: Sequence[str]) -> tuple[str, str]:
    """What adds the key, and what drops it."""
    alter, listed = f"ALTER TABLE {table.sql}", ", ".join(quote(column) for column in columns)
    add = f"{alter} ADD CONSTRAINT {quote(name)} PRIMARY KEY ({listed})"
    return add, f"{alter} DROP CONSTRAINT IF EXISTS {quote(name)}"
