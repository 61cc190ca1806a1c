"""What is known of an operation: the object that it is about, what it does to that in words, and what is lost by it."""

from typing import Any

import msgspec
from alembic.operations import MigrateOperation, ops

from gatepost.migrations.definitions import Kind, ObjectKey, TableName
from gatepost.migrations.losses import HasRows, loss_of, type_text
from gatepost.migrations.operations import Action, RunSQL

_OPERATIONS: dict[type[MigrateOperation], tuple[Kind, Action, str]] = {
    ops.CreateTableOp: ("table", "create", "create the table {table}"),
    ops.DropTableOp: ("table", "drop", "drop the table {table}"),
    ops.AddColumnOp: ("table", "alter", "add the column {table}.{column}"),
    ops.DropColumnOp: ("table", "alter", "drop the column {table}.{column}"),
    ops.AlterColumnOp: ("table", "alter", "change {table}.{column}: {alteration}"),
    ops.CreateIndexOp: ("index", "create", "create the index {name} on {table}"),
    ops.CreateCheckConstraintOp: ("constraint", "create", "add the check {name} to {table}"),
    ops.CreateUniqueConstraintOp: ("constraint", "create", "add the unique constraint {name} to {table}"),
    ops.CreateForeignKeyOp: ("constraint", "create", "add the foreign key {name} to {table}"),
    ops.DropConstraintOp: ("constraint", "drop", "drop the constraint {name} of {table}"),
}
"""The operations of Alembic that a comparison makes: an object of which kind each is about (a column's is its table),
what it does to that, and that as a command, for the command line and for the comments of revision files."""


class Difference(msgspec.Struct, frozen=True, eq=False):
    """One difference between a database and the models: the operation that removes it, and what that does.

    `loss` says what is lost by it, if anything is.
    """

    operation: MigrateOperation
    key: ObjectKey
    action: Action
    summary: str
    loss: str | None = None


def difference(operation: MigrateOperation, rows: HasRows) -> Difference:
    """The difference that the operation removes."""
    loss = loss_of(operation, rows)
    if isinstance(operation, RunSQL):
        return Difference(operation, operation.key, operation.action, operation.summary, loss)
    kind, action, words = _OPERATIONS[type(operation)]
    table = _table(operation)
    name = str(getattr(operation, f"{kind}_name", ""))
    column = operation.column.name if isinstance(operation, ops.AddColumnOp) else getattr(operation, "column_name", "")
    alteration = _alteration(operation) if isinstance(operation, ops.AlterColumnOp) else ""
    summary = words.format(table=table.words, name=name, column=column, alteration=alteration)
    key = table.key("table") if kind == "table" else ObjectKey(kind, *table, name)
    return Difference(operation, key, action, summary, loss)


def _table(operation: Any) -> TableName:
    schema, name = (
        (operation.kw.get("source_schema"), operation.source_table)
        if isinstance(operation, ops.CreateForeignKeyOp)
        else (operation.schema, operation.table_name)
    )
    # SQLAlchemy has its own strings.
    return TableName(schema and str(schema), str(name))


def _alteration(operation: ops.AlterColumnOp) -> str:
    parts: list[str] = []
    if operation.modify_type is not None:
        parts.append(f"type {type_text(operation.existing_type)} to {type_text(operation.modify_type)}")
    if operation.modify_nullable is not None:
        parts.append("may be null" if operation.modify_nullable else "must not be null")
    if operation.modify_server_default is not False:
        parts.append("no server default" if operation.modify_server_default is None else "another server default")
    return ", ".join(parts)
