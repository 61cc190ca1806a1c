"""Whether the tables are those of the models: looked at on the first connection, and whenever they may have changed.

While a table does not fit, statements that use it are refused with 503 `schema_changed` instead of sent: a wrong
response would be worse. That costs a request nothing. A statement is checked when a connection prepares it, and what is
prepared is forgotten as soon as a table is found to have changed. What fits is decided by `models`.

It is looked at by the first connection after there was none (`openings.py`), before a request gets it; when PostgreSQL
refuses a statement as if tables were others (`explain`); after a pause while something does not fit; and every minute,
because a column that changes its type may raise no error.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from asyncpg import exceptions as pg

from gatepost.background import background
from gatepost.backoff import Backoff
from gatepost.database.connection import PooledConnection, RawConnection
from gatepost.database.failures import DRIVER_FAILURES, schema_changed
from gatepost.database.reflection import Reflection, TableName, TypeName, reflect
from gatepost.database.statements import Statement
from gatepost.errors import Problem
from gatepost.events import Events, SchemaChanged, SchemaRestored

LOOK_SECONDS = 60.0
"""How often it is looked while everything fits."""

BACKOFF_SECONDS = (1.0, 30.0)
"""The first and the longest pause while something does not fit."""

SAME_MISTAKE_SECONDS = 1.0
"""How long a look counts that a failed statement caused in vain: one that is wrong in itself causes no more."""

SUSPICIOUS = (
    pg.SyntaxOrAccessError,
    pg.InvalidSchemaNameError,
    pg.InvalidCachedStatementError,
    pg.ObjectNotInPrerequisiteStateError,
)
"""What PostgreSQL replies to a statement for other tables: no such column, table, type or operator, or a view that it
cannot write."""

FAILURES: tuple[type[Exception], ...] = (Problem, *DRIVER_FAILURES)
"""What a look ends by where the database is away or busy."""

Lend = Callable[[], AbstractAsyncContextManager[PooledConnection]]


class Expected(Protocol):
    """The tables of the models (`models/column_mismatches.py`)."""

    @property
    def tables(self) -> Sequence[TableName]: ...

    @property
    def types(self) -> Sequence[TypeName]: ...

    def mismatches(self, found: Reflection) -> Mapping[str, Sequence[object]]:
        """What does not fit, in sentences, by the full name of the table."""
        ...


class SchemaWatch:
    """What of the tables of an app does not fit: `changed`, by their names. Nothing is looked at without `expected`.

    `looked_at` is when, by the monotonic clock. `lend` is for connections to look with; `forget` drops all prepared
    statements.
    """

    def __init__(self, expected: Expected | None, lend: Lend, forget: Callable[[], None], events: Events) -> None:
        self._expected = expected
        self._lend = lend
        self._forget = forget
        self._events = events
        self.changed: Mapping[str, Sequence[object]] = {}
        self._backoff = Backoff(*BACKOFF_SECONDS)
        self._looking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.looked_at = self._changed_at = self._look_again_at = float("-inf")
        self._is_started = self._is_repeating = False

    def check(self, tables: Iterable[str]) -> None:
        """Raise 503 `schema_changed` where one of these tables does not fit."""
        if self.changed and not self.changed.keys().isdisjoint(tables):
            raise schema_changed()

    async def look_again(self, tables: Iterable[str]) -> None:
        """Look where one of these tables does not fit: it may have been corrected."""
        if not self.changed.keys().isdisjoint(tables):
            await asyncio.shield(self.look())

    async def check_statement(self, statement: Statement, raw: RawConnection) -> None:
        """`check` of all tables of a statement that this connection is about to prepare. Where it would refuse, it
        looks again first, one request at a time: what did not fit may have been corrected."""
        if self.changed and not (self._is_repeating or self.changed.keys().isdisjoint(statement.uses)):
            self._is_repeating = True
            try:
                await self.examine(raw)
            finally:
                self._is_repeating = False
        self.check(statement.uses)

    async def examine(self, raw: RawConnection) -> None:
        """Look at the tables through this connection. Raises what the driver raises."""
        if self._expected is None:
            return
        self.looked_at = time.monotonic()
        self._note(self._expected.mismatches(await reflect(raw, self._expected.tables, self._expected.types)))

    async def explain(self, error: BaseException) -> Problem | None:
        """The refusal where PostgreSQL's error comes of tables that have changed; None where they have not."""
        if self._expected is None or not isinstance(error, SUSPICIOUS):
            return None
        if time.monotonic() >= self._look_again_at:
            await asyncio.shield(self.look())  # others may wait for the same one
            if not self.changed:
                self._look_again_at = time.monotonic() + SAME_MISTAKE_SECONDS
        return schema_changed() if self.changed else None

    def start(self) -> None:
        """From now on say what has changed, and look again and again."""
        self._is_started = True
        if self.changed:
            self._emit_changed()
        self._schedule()

    def stop(self) -> None:
        """Look no more."""
        self._is_started = False
        for pending in (self._timer, self._looking):
            if pending is not None:
                pending.cancel()

    def look(self) -> "asyncio.Task[None]":
        """The look at the catalog that is under way, begun where there is none."""
        if self._looking is None or self._looking.done():
            self._looking = background(self._try_to_look(), "look at the schema", self._events)
        return self._looking

    async def _try_to_look(self) -> None:
        try:
            async with self._lend() as connection:
                await self.examine(connection.raw)
        except FAILURES:
            self._schedule()

    def _note(self, found: Mapping[str, Sequence[object]]) -> None:
        before, self.changed = self.changed, found
        if found != before:
            self._backoff.reset()
            self._forget()
            if self._is_started and found:
                self._emit_changed()
            elif self._is_started:
                self._events.emit(SchemaRestored(seconds=round(time.monotonic() - self._changed_at, 3)))
        if found and not before:
            self._changed_at = time.monotonic()
        self._schedule()

    def _emit_changed(self) -> None:
        reasons = [str(each) for items in self.changed.values() for each in items]
        self._events.emit(SchemaChanged(tables=list(self.changed), reasons=reasons))

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._is_started:
            pause = self._backoff.next_pause() if self.changed else LOOK_SECONDS
            self._timer = asyncio.get_running_loop().call_later(pause, self.look)
