"""What an operation of the comparison is about: the object that it makes, changes or drops, and the table of it."""

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

from gatepost.migrations.comparison import TableName
from gatepost.migrations.definitions import ObjectKey
from gatepost.migrations.operations import RunSQL, Subject

CREATING = (CreateIndexOp, CreateCheckConstraintOp, CreateForeignKeyOp, CreateUniqueConstraintOp)


def subject_of(operation: MigrateOperation) -> Subject:
    """The object that the operation is about: a column's is its table."""
    match operation:
        case RunSQL():
            return operation.subject
        case CreateIndexOp():
            return Subject("index", operation.schema, operation.table_name, str(operation.index_name))
        case CreateForeignKeyOp():
            schema: str | None = operation.kw.get("source_schema")
            return Subject("constraint", schema, operation.source_table, str(operation.constraint_name))
        case CreateUniqueConstraintOp() | CreateCheckConstraintOp() | DropConstraintOp():
            return Subject("constraint", operation.schema, operation.table_name, str(operation.constraint_name))
        case CreateTableOp() | DropTableOp() | AddColumnOp() | DropColumnOp() | AlterColumnOp():
            return Subject("table", operation.schema, "", operation.table_name)
        case _:
            raise TypeError(f"The comparison makes no {type(operation).__name__}.")


def table_of(subject: Subject) -> TableName | None:
    """The table that the object is, or is on; None for what is on no table."""
    if subject.kind == "table":
        return subject.schema, subject.name
    return (subject.schema, subject.table) if subject.table else None


def creates(operation: MigrateOperation) -> bool:
    """True where the object is not there before."""
    return isinstance(operation, (CreateTableOp, *CREATING)) or (
        isinstance(operation, RunSQL) and operation.action == "create"
    )


def drops(operation: MigrateOperation) -> bool:
    """True where the object is not there afterwards."""
    return isinstance(operation, DropConstraintOp) or (isinstance(operation, RunSQL) and operation.action == "drop")


def key_of(subject: Subject, default_schema: str) -> ObjectKey:
    """The object under its real schema, as the record lists it."""
    schema = default_schema if subject.schema is None else subject.schema
    return ObjectKey(subject.kind, str(schema), str(subject.table), str(subject.name))  # SQLAlchemy has its own strings
