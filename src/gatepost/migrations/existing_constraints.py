"""Unique constraints and foreign keys that a table already has under another name."""

from alembic.operations import MigrateOperation, ops
from sqlalchemy import Connection, text

from gatepost.models.schema_names import qualified

_UNIQUE = text("""
    SELECT array_agg(attname::text ORDER BY attname::text)
    FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indrelid = to_regclass(:name) AND indisunique AND indisvalid AND indpred IS NULL AND indexprs IS NULL
    GROUP BY indexrelid
""")
_FOREIGN_KEYS = text("""
    SELECT (SELECT array_agg(attname::text ORDER BY ordinality) FROM unnest(conkey) WITH ORDINALITY AS key (number)
            JOIN pg_attribute ON attrelid = conrelid AND attnum = number),
           (SELECT array_agg(attname::text ORDER BY ordinality) FROM unnest(confkey) WITH ORDINALITY AS key (number)
            JOIN pg_attribute ON attrelid = confrelid AND attnum = number),
           confrelid = to_regclass(:referred),
           confdeltype::text
    FROM pg_constraint WHERE conrelid = to_regclass(:name) AND contype = 'f'
""")
_ON_DELETE = {"CASCADE": "c", "SET NULL": "n", "SET DEFAULT": "d", "RESTRICT": "r"}


def is_satisfied(connection: Connection, operation: MigrateOperation) -> bool:
    """True where the constraint would say what another one says already."""
    match operation:
        case ops.CreateUniqueConstraintOp():
            name = qualified(operation.table_name, operation.schema)
            rows = connection.execute(_UNIQUE, {"name": name})
            return any(row[0] == sorted(map(str, operation.columns)) for row in rows)
        case ops.CreateForeignKeyOp():
            options = operation.kw
            names = {
                "name": qualified(operation.source_table, options.get("source_schema")),
                "referred": qualified(operation.referent_table, options.get("referent_schema")),
            }
            action = _ON_DELETE.get(str(options.get("ondelete") or "").upper(), "a")
            wanted = ([*map(str, operation.local_cols)], [*map(str, operation.remote_cols)], True, action)
            return any(tuple(row) == wanted for row in connection.execute(_FOREIGN_KEYS, names))
        case _:
            return False
