"""`OperationStatements`: keeps the SQL that operations have run, for their pages."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from gatepost.monitor.context import MonitorContext
from gatepost.records.statement_texts import StatementText, StatementTexts

SAVE_SECONDS = 2.0
SESSION = "session"
"""The name of the statements of sessions that are of no resource."""


class OperationStatements:
    """Knows them also after another monitor, from a file."""

    def __init__(self, context: MonitorContext) -> None:
        self._texts = StatementTexts(context.monitored.files.snapshot("statement_texts"))
        context.handle(StatementText, self._texts.add)

    async def run(self) -> None:
        """Save what is new, without end."""
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            if not self._texts.is_saved:
                self._texts.save()

    def forget(self, before: float) -> None:
        """Another release runs: forget what was met before that moment, in seconds since the epoch."""
        self._texts.forget(before)

    def of(self, operations: Collection[str]) -> Mapping[str, Mapping[str, Sequence[str]]]:
        """What each operation runs: its own statement, and those of its resource that are no operation's own, such as
        the check of a reference. By the names of the statements."""
        known = self._texts.by_name()
        return {operation: _of(operation, operations, known) for operation in operations}

    def of_sessions(self) -> Mapping[str, Sequence[str]]:
        """What endpoints that are not of a resource run through their services. They share the name, so that whose a
        statement is cannot be told."""
        return {name: texts for name, texts in self._texts.by_name().items() if name == SESSION}


def _of(operation: str, operations: Collection[str], known: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[str]]:
    resource = operation.rpartition(".")[0]
    return {
        name: texts
        for name, texts in known.items()
        if name == operation or (resource and name.rpartition(".")[0] == resource and name not in operations)
    }
