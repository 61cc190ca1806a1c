"""One connection of the pool: asyncpg's, the statements prepared on it, and whom it is lent to."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter_ns
from typing import Any, Protocol, TypeAlias

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from gatepost.bounded_cache import BoundedCache
from gatepost.call import CURRENT_SPENT
from gatepost.database.failures import SCHEMA_CHANGED, is_schema_change
from gatepost.database.holders import Holder
from gatepost.database.met_statements import MetStatements
from gatepost.database.slow_statements import SessionStatement, SlowStatements
from gatepost.database.statements import Statement
from gatepost.events import CountStatement, Events, StatementFinished

RawConnection: TypeAlias = "asyncpg.Connection[Any]"
Connect: TypeAlias = Callable[[], Awaitable[RawConnection]]
Record = asyncpg.Record

Check: TypeAlias = "Callable[[Statement, RawConnection], Awaitable[None]]"

Measure: TypeAlias = "Callable[[Statement | SessionStatement, int, int | None], None]"
"""Takes a statement, the moment at which it was sent (of `perf_counter_ns`), and its rows, None where it failed."""

PREPARED_MAX = 256
"""Statements kept prepared per connection; PostgreSQL holds a plan of some 10 KiB for each."""


COUNTERS_MAX = 1000
"""So many names of statements are looked up by one dictionary. Those without a name have their text for one."""

NANOSECONDS = 1_000_000_000


class GivenUpWrites(Protocol):
    """The writes whose replies are waited for no longer; `unconfirmed_commits.py` are those."""

    def check(self) -> None:
        """Raise where no write is to be sent meanwhile."""
        ...

    def note_given_up(self, raw: RawConnection) -> None:
        """One was sent over this connection."""
        ...


class PooledConnection:
    """A bare connection with what is kept on it: prepared statements, and the ORM's side of it once it was needed.

    `needs_reset` is set where a service may have left something on it: the pool undoes that before it is lent again.
    `writer` is the task that has sent a COMMIT, or an autocommitted write, until its reply is read.
    `is_unconfirmed` is set where a commit was not confirmed by a standby: its outcome is unknown.
    `unconfirmed` refuses writes while earlier ones wait for a standby.
    `is_old` is set while it is lent, where another one has taken its place; `aging` is the timer of that.
    `holder` is on whose behalf it is lent, or was lent last. `check` raises the refusal of a statement,
    which it gets with the bare connection. `measure` takes what was sent over it; None where nobody measures.
    """

    __slots__ = (
        "_check",
        "aging",
        "holder",
        "is_old",
        "is_unconfirmed",
        "needs_reset",
        "orm",
        "prepared",
        "raw",
        "unconfirmed",
        "writer",
    )

    def __init__(self, raw: RawConnection, check: Check, unconfirmed: GivenUpWrites) -> None:
        self.raw = raw
        self._check = check
        self.unconfirmed = unconfirmed
        self.holder: Holder | None = None
        self.prepared = BoundedCache[Statement, "PreparedStatement[Any]"](PREPARED_MAX)
        self.orm: Any = None
        self.needs_reset = False
        self.is_old = False
        self.is_unconfirmed = False
        self.aging: asyncio.TimerHandle | None = None
        self.writer: asyncio.Task[Any] | None = None

    def note_unconfirmed(self) -> None:
        """A commit was not confirmed by the standby that it waited for."""
        # The pool looks at what has to be reset, so requests pay for no other flag.
        self.is_unconfirmed = self.needs_reset = True

    def give_up(self) -> None:
        """The reply to what was sent over it is waited for no longer."""
        if self.writer is not None and not self.raw.is_closed():
            self.unconfirmed.note_given_up(self.raw)
        self.raw.terminate()

    @property
    def measure(self) -> "Measure | None":
        """Takes what was sent over it."""
        return None

    def meet(self, name: str, sql: str) -> None:
        """Note a statement that a session has sent over it."""

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        """Run a statement and return its rows. Prepares it at its first use on this connection."""
        try:
            prepared = self.prepared.get(statement) or await self.prepare(statement)
            try:
                return await prepared.fetch(*arguments)
            except SCHEMA_CHANGED as error:
                return await self.fetch_anew(statement, arguments, error)
        except asyncpg.PostgresError as error:
            statement.name_origins(error)
            raise

    async def fetch_anew(self, statement: Statement, arguments: Sequence[Any], error: Exception) -> list[Record]:
        """Run a statement whose plan `error` says was outdated; raises `error` where it cannot simply be run again.

        Planning failed, so nothing was done: outside a transaction the statement can run again.
        """
        if not is_schema_change(error) or self.raw.is_in_transaction():
            raise error
        writer, self.writer = self.writer, None  # until the statement is sent again nothing is written
        await self.forget_schema()
        prepared = await self.prepare(statement)
        self.writer = writer
        return await prepared.fetch(*arguments)

    async def forget_schema(self) -> None:
        """Drop prepared statements and asyncpg's cached types, which a migration has outdated."""
        self.prepared.clear()
        await self.raw.reload_schema_state()

    async def prepare(self, statement: Statement) -> "PreparedStatement[Any]":
        """Prepare a statement; of what it does nothing is sent. A connection that is closed is refused at once, and so
        is a statement that `check` refuses."""
        await self._check(statement, self.raw)
        if statement.alters_session:  # never kept, so that each use comes here and is noted
            self.needs_reset = True
            return await self.raw.prepare(statement.sql)
        prepared = await self.raw.prepare(statement.sql)
        self.prepared[statement] = prepared
        return prepared


class MeasuredConnection(PooledConnection):
    """A connection whose statements are measured: those of transactions. Those outside of one are `Pool.run`'s."""

    __slots__ = ("_measure", "_met")

    def __init__(
        self,
        raw: RawConnection,
        check: Check,
        unconfirmed: GivenUpWrites,
        measure: Measure,
        met: MetStatements,
    ) -> None:
        super().__init__(raw, check, unconfirmed)
        self._measure = measure
        self._met = met

    @property
    def measure(self) -> Measure:
        """Takes what was sent over it."""
        return self._measure

    def meet(self, name: str, sql: str) -> None:
        """Note a statement that a session has sent over it."""
        self._met.note(name, sql, may_hold_values=True)

    async def prepare(self, statement: Statement) -> "PreparedStatement[Any]":
        """As without anybody who measures."""
        prepared = await super().prepare(statement)
        self._met.note(statement.name, statement.sql)
        return prepared

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        """As without anybody who measures."""
        sent_at = perf_counter_ns()
        rows: int | None = None
        try:
            records = await super().fetch(statement, arguments)
            rows = len(records)
            return records
        finally:
            self._measure(statement, sent_at, rows)


def measuring(events: Events, slow_seconds: float) -> "Measure | None":
    """What adds a statement to the request that it belongs to, counts it, emits `StatementFinished`, and tells of those
    that take longer than `slow_seconds`; None where nobody counts or subscribed: then no clock is read."""
    emit, find_counter = events.emitter(StatementFinished), events.find_counter
    if emit is None and find_counter is None:
        return None
    slow_ns, note_slow = slow_seconds * NANOSECONDS, SlowStatements(events).note
    counters: dict[str, CountStatement] = {}
    find_spent, find_known = CURRENT_SPENT.get, counters.get

    def keep(find: Callable[[str], CountStatement], name: str) -> CountStatement:
        count = find(name)
        if len(counters) < COUNTERS_MAX:
            counters[name] = count
        return count

    def measure(statement: Statement | SessionStatement, sent_at: int, rows: int | None) -> None:
        took = perf_counter_ns() - sent_at
        if (spent := find_spent(None)) is not None:
            spent.database_ns += took
            if rows:
                spent.rows += rows
        name = statement.name
        if find_counter is not None:
            try:
                (find_known(name) or keep(find_counter, name))(took, rows)
            except Exception as error:
                events.fail(find_counter, None, error)
        if emit is not None:
            emit(StatementFinished(name, took / NANOSECONDS, rows))
        if took > slow_ns:
            note_slow(statement, took / NANOSECONDS)

    return measure
