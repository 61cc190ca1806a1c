"""Primary keys compared by their columns: Alembic compares none, and a key of the same name may be another one."""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.operations import MigrateOperation
from alembic.operations.ops import AddColumnOp, AlterColumnOp, CreateTableOp
from sqlalchemy import Connection, Table, text

from gatepost.migrations.canonical_sql import declared_keys, read_keys
from gatepost.migrations.operations import RunSQL, Subject
from gatepost.models.schema_names import full_name, qualified, quote

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
    before those that are dropped. On a `foreign` table any unique and NOT NULL columns are key enough for a model."""
    found = list(operations)
    created = {(item.schema, item.table_name) for item in operations if isinstance(item, CreateTableOp)}
    for table in tables:
        table_key = table.schema, table.name
        if table_key in created:
            continue
        for change in _change(connection, table, is_foreign=table in foreign):
            columns = [
                number
                for number, item in enumerate(found)
                if isinstance(item, AddColumnOp | AlterColumnOp) and (item.schema, item.table_name) == table_key
            ]
            found.insert(columns[-1] + 1 if columns else 0, change)
    return found


def _change(connection: Connection, table: "Table[Any]", *, is_foreign: bool) -> Iterator[RunSQL]:
    qualified_name, words = qualified(table.name, table.schema), full_name(table.name, table.schema)
    wanted = next(((name, key.columns) for name, key in declared_keys(table).items() if key.is_primary), None)
    before = next(
        ((name, key.columns) for name, key in read_keys(connection, qualified_name).items() if key.is_primary), None
    )
    if wanted is None or (before is not None and sorted(before[1]) == sorted(wanted[1])):
        return
    columns = sorted(wanted[1])
    if is_foreign and connection.execute(_IS_KEY, {"name": qualified_name, "columns": columns}).scalar():
        return
    name, old = wanted[0], before[0] if before is not None else wanted[0]
    drop = f"ALTER TABLE {qualified_name} DROP CONSTRAINT IF EXISTS "
    add = f"ALTER TABLE {qualified_name} ADD CONSTRAINT {quote(name)} PRIMARY KEY ({_list(wanted[1])})"
    if before is None:
        yield RunSQL(
            f"add the primary key ({', '.join(wanted[1])}) to {words}",
            [add],
            [drop + quote(name)],
            undo_summary=f"drop the primary key of {words}",
            subject=Subject("constraint", table.schema, table.name, name),
            action="create",
        )
        return
    back = f"ALTER TABLE {qualified_name} ADD CONSTRAINT {quote(old)} PRIMARY KEY ({_list(before[1])})"
    yield RunSQL(
        f"change the primary key of {words} from ({', '.join(before[1])}) to ({', '.join(wanted[1])})",
        [drop + quote(old), add],
        [drop + quote(name), back],
        undo_summary=f"change the primary key of {words} back to ({', '.join(before[1])})",
        subject=Subject("constraint", table.schema, table.name, old),
        action="replace",
    )


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quote(column) for column in columns)
