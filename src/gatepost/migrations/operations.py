"""Operations that Alembic does not know: statements of our own, reversible and readable in a revision file."""

import re
from dataclasses import dataclass
from typing import Literal

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from gatepost.migrations.definitions import ObjectKey

Action = Literal["create", "alter", "replace", "drop"]


@dataclass(eq=False)
class RunSQL(MigrateOperation):
    """Statements that do something, and those that undo it.

    `summary` says what they do; `action` to which object; `loss` what is lost by it, if anything is. What is
    `committed_at_once` can be used by later operations only when it is: a revision file commits it by itself. What
    `goes_with_table` is dropped only because its table is: never without it.
    """

    key: ObjectKey
    action: Action
    summary: str
    statements: list[str]
    undo_summary: str
    undo: list[str]
    loss: str | None = None
    committed_at_once: bool = False
    goes_with_table: bool = False

    def reverse(self) -> "RunSQL":
        """The operation that undoes this one."""
        action = _REVERSED.get(self.action, self.action)
        return RunSQL(self.key, action, self.undo_summary, self.undo, self.summary, self.statements)


_REVERSED: dict[Action, Action] = {"create": "drop", "drop": "create"}


def creation(key: ObjectKey, label: str, create: list[str], drop: list[str]) -> RunSQL:
    """What creates an object; its reverse drops it, or keeps it where no statement does."""
    undo_summary = f"{'drop' if drop else 'keep'} the {label}"
    return RunSQL(key, "create", f"create the {label}", create, undo_summary, drop)


@Operations.implementation_for(RunSQL)
def run_sql(operations: Operations, operation: RunSQL) -> None:
    """Run the statements."""
    for statement in operation.statements:
        operations.execute(_without_parameters(statement))


@renderers.dispatch_for(RunSQL)
def render_sql(context: AutogenContext, operation: RunSQL) -> list[str]:
    """The operation as lines of a revision file."""
    calls = [f"op.execute({_literal(_without_parameters(statement))})" for statement in operation.statements]
    if operation.committed_at_once and calls:
        calls = ["with op.get_context().autocommit_block():", *(f"    {call}" for call in calls)]
    return [f"# {operation.summary}", *calls]


def _literal(text: str) -> str:
    if "\n" not in text or '"""' in text or text.endswith('"'):
        return repr(text)
    return 'r"""' + text + '"""' if "\\" in text else '"""' + text + '"""'


def _without_parameters(statement: str) -> str:
    """SQLAlchemy reads `:name` as a parameter; here it never is one."""
    return re.sub(r"(?<![:\w\\]):(?=\w)", r"\\:", statement)
