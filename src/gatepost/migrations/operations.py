"""Operations that Alembic does not know: statements of our own, reversible and readable in a revision file."""

import re
from typing import Any, Literal, NamedTuple

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import MigrateOperation, Operations

from gatepost.migrations.definitions import Kind

Action = Literal["create", "replace", "drop"]


class Subject(NamedTuple):
    """What an operation makes, changes or drops. `schema` is None for the default one, `table` '' for none."""

    kind: Kind
    schema: str | None
    table: str
    name: str


class RunSQL(MigrateOperation):
    """Statements that do something, and those that undo it.

    `summary` says what it does; `action` to which `subject`; `loss` what is lost by it, if anything is. What is
    `committed_at_once` can be used by later operations only when it is: a revision file commits it by itself. What
    `goes_with_table` is dropped only because its table is: never without it.
    """

    def __init__(
        self,
        summary: str,
        statements: list[str],
        undo: list[str],
        *,
        undo_summary: str,
        subject: Subject,
        action: Action,
        loss: str | None = None,
        committed_at_once: bool = False,
        goes_with_table: bool = False,
    ) -> None:
        self.summary = summary
        self.statements = statements
        self.undo = undo
        self.undo_summary = undo_summary
        self.subject = subject
        self.action: Action = action
        self.loss = loss
        self.committed_at_once = committed_at_once
        self.goes_with_table = goes_with_table

    def reverse(self) -> "RunSQL":
        """The operation that undoes this one."""
        return RunSQL(
            self.undo_summary,
            self.undo,
            self.statements,
            undo_summary=self.summary,
            subject=self.subject,
            action=_REVERSED[self.action],
        )

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Alembic's short form of a difference."""
        return ("run_sql", self.summary)


_REVERSED: dict[Action, Action] = {"create": "drop", "replace": "replace", "drop": "create"}


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
