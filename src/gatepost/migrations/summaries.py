"""What an operation does, in words for the command line and for the comments of revision files."""

from alembic.operations import MigrateOperation
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateCheckConstraintOp,
    CreateForeignKeyOp,
    CreateIndexOp,
    CreateTableOp,
    CreateUniqueConstraintOp,
    DropColumnOp,
    DropConstraintOp,
    DropTableOp,
)

from gatepost.migrations.losses import table_label, type_text
from gatepost.migrations.operations import RunSQL
from gatepost.models.schema_names import full_name


def summary_of(operation: MigrateOperation) -> str:
    """One line, as a command: "add the column books.isbn"."""
    match operation:
        case RunSQL():
            words = operation.summary
        case CreateTableOp():
            words = f"create the table {table_label(operation)}"
        case DropTableOp():
            words = f"drop the table {table_label(operation)}"
        case AddColumnOp():
            words = f"add the column {table_label(operation)}.{operation.column.name}"
        case DropColumnOp():
            words = f"drop the column {table_label(operation)}.{operation.column_name}"
        case AlterColumnOp():
            words = f"change {table_label(operation)}.{operation.column_name}: {_alteration(operation)}"
        case _:
            words = _summary_of_constraint(operation)
    return words


def _summary_of_constraint(operation: MigrateOperation) -> str:
    match operation:
        case CreateIndexOp():
            words = f"create the index {operation.index_name} on {table_label(operation)}"
        case CreateCheckConstraintOp():
            words = f"add the check {operation.constraint_name or '(unnamed)'} to {table_label(operation)}"
        case CreateUniqueConstraintOp():
            words = f"add the unique constraint {operation.constraint_name or '(unnamed)'} to {table_label(operation)}"
        case CreateForeignKeyOp():
            table = full_name(operation.source_table, operation.kw.get("source_schema"))
            words = f"add the foreign key {operation.constraint_name or '(unnamed)'} to {table}"
        case DropConstraintOp():
            words = f"drop the constraint {operation.constraint_name} of {table_label(operation)}"
        case _:
            words = " ".join(str(part) for part in operation.to_diff_tuple())
    return words


def _alteration(operation: AlterColumnOp) -> str:
    parts: list[str] = []
    if operation.modify_type is not None:
        parts.append(f"type {type_text(operation.existing_type)} to {type_text(operation.modify_type)}")
    if operation.modify_nullable is not None:
        parts.append("may be null" if operation.modify_nullable else "must not be null")
    if operation.modify_server_default is not False:
        parts.append("no server default" if operation.modify_server_default is None else "another server default")
    return ", ".join(parts)
