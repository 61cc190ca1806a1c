"""What the database has and no model declares any more, and other changes that lose data: kept, or refused by name."""

from collections.abc import Sequence
from typing import NamedTuple

from alembic.operations import ops

from gatepost.migrations.definitions import TableName
from gatepost.migrations.differences import Difference
from gatepost.migrations.losses import type_text
from gatepost.models.schema_names import qualified, quote


class Leftover(NamedTuple):
    """A sentence, and whether the application works although the change is not made."""

    sentence: str
    is_kept: bool


def weigh_loss(item: Difference, differences: Sequence[Difference]) -> Leftover:
    """What is said of a change that loses data, one of these."""
    operation = item.operation
    if isinstance(operation, ops.DropColumnOp):
        return weigh_column(operation, TableName(operation.schema, operation.table_name))
    if isinstance(operation, ops.DropTableOp):
        name = item.key.full_name.words
        return Leftover(f"The table {name} is in no model: it is kept, with every row in it.", is_kept=True)
    if item.key.kind == "type":
        name = item.key.full_name.words
        return Leftover(f"The type {name} is kept as it is: a change {item.loss}.", is_kept=True)
    renaming = renaming_of(item, differences)
    hint = f" If the column has got another name: {renaming}" if renaming else ""
    return Leftover(f"{item.summary}: {item.loss}.{hint}", is_kept=False)


def weigh_column(operation: ops.DropColumnOp, table: TableName) -> Leftover:
    """What is said of a column that no model has any more: it is no reason not to serve, unless it stops every
    INSERT."""
    name, column = f"{table.words}.{operation.column_name}", operation.to_column()
    if column.nullable or column.server_default is not None or column.identity is not None:
        return Leftover(f"The column {name} is in no model: it is kept, with every value in it.", is_kept=True)
    sentence = f"The column {name}, NOT NULL and without a default, is in no model, and stops every INSERT."
    return Leftover(sentence, is_kept=False)


def renaming_of(item: Difference, differences: Sequence[Difference]) -> str | None:
    """The statement by which the column that the change adds takes the place of one that no model has any more; None
    where no column of the table, or more than one, could be meant."""
    added = item.operation
    if not isinstance(added, ops.AddColumnOp):
        return None
    gone = [
        other.operation.column_name
        for other in differences
        if isinstance(other.operation, ops.DropColumnOp)
        and (other.operation.schema, other.operation.table_name) == (added.schema, added.table_name)
        and type_text(other.operation.to_column().type) == type_text(added.column.type)
    ]
    if len(gone) != 1:
        return None
    table = qualified(added.table_name, added.schema)
    return f"ALTER TABLE {table} RENAME COLUMN {quote(gone[0])} TO {quote(str(added.column.name))};"
