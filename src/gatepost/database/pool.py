"""The pool: a small stack of bare asyncpg connections, last in first out, bounded, with a wait timeout.

Ours instead of asyncpg's, because that one resets every connection at release with a round trip and invalidates
prepared statements that we and SQLAlchemy keep (`docs/decisions/0001-a-pool-of-bare-connections.md`). Only a
connection on which a service may have left something is reset (`session_state.py`).
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from time import perf_counter_ns
from typing import Any, NoReturn

import asyncpg

from gatepost.call import CURRENT_SPENT
from gatepost.database.connection import (
    Connect,
    MeasuredConnection,
    PooledConnection,
    RawConnection,
    Record,
    measuring,
)
from gatepost.database.connection_ages import ConnectionAges
from gatepost.database.failures import (
    DRIVER_FAILURES,
    SCHEMA_CHANGED,
    is_lost,
    no_connection,
    unavailable,
)
from gatepost.database.fair_sharing import EXTENSION_SECONDS, SLOW_SECONDS, FairSharing
from gatepost.database.heartbeat_monitor import HEARTBEAT_TIMEOUT_SECONDS
from gatepost.database.holders import Holder
from gatepost.database.met_statements import MetStatements
from gatepost.database.openings import PROBE_SECONDS, Openings
from gatepost.database.outcomes import is_in_doubt, outcome_unknown
from gatepost.database.reachability import Reachability
from gatepost.database.recovery import Recoveries
from gatepost.database.schema_watch import Expected, SchemaWatch
from gatepost.database.statement_deadlines import StatementDeadlines
from gatepost.database.statements import Statement
from gatepost.database.unconfirmed_commits import UnconfirmedCommits
from gatepost.database.wait_queue import ConnectionFuture, WaitQueue
from gatepost.errors import ServiceUnavailable
from gatepost.events import Events
from gatepost.settings import DatabaseSettings

OPENING_SECONDS = 1.0
"""How long a request waits for a connection that is opened because of it, where it would wait for none longer."""

CLOSE_SECONDS = 2.0
"""How long a connection has to be closed in an orderly way."""


class Pool:
    """Connections of one process.

    Every connection is at each moment being opened, idle, lent, or being recovered, and `size` counts those; one that
    either side has closed is not counted. Whatever is raised while a connection is in use, it comes back by
    `release`, `recover`, `put_back` or `discard`.

    `open` are the connections, `idle` those that are not in use, the one used last at the end; `waiting` are the
    requests that found none; `is_strict` is true while what comes back has to be looked at. `explain` notes what the
    failure of a statement tells of the server, and returns the refusal that it means, None where it means none.
    `reachability` is whether the database is there, and how many connections there can be. `schema` refuses statements
    whose tables have changed. `address` is said in events.

    When the database has fallen silent, idle connections are closed, and lent ones are `given_up`: no longer counted,
    and closed when they come back, or when a statement that was sent by then would be overdue
    (`statement_deadlines.py`). While one resource has all that it may have and others wait, connections are shared out
    (`fair_sharing.py`). Old connections are replaced (`connection_ages.py`).
    """

    def __init__(  # noqa: PLR0913 - made in one place, of what Database has
        self,
        connect: Connect,
        settings: DatabaseSettings,
        explain: Callable[[PooledConnection, BaseException], Exception | None],
        events: Events,
        *,
        expected: Expected | None,
        address: str,
        unconfirmed: UnconfirmedCommits,
    ) -> None:
        self._measure = measure = measuring(events, settings.slow_seconds)
        met = MetStatements(events)
        self._wrap = PooledConnection if measure is None else partial(MeasuredConnection, measure=measure, met=met)
        self._explain = explain
        self._unconfirmed = unconfirmed
        self._wait_seconds = settings.pool_wait_seconds
        self._connect_seconds = settings.connect_seconds
        self.idle: list[PooledConnection] = []
        self.open: set[PooledConnection] = set()
        self.queue = WaitQueue(self._check_queue)
        self.waiting = self.queue.waiters
        self.schema = SchemaWatch(expected, self.lend, self.forget_schema, events)
        self.openings = Openings(self, connect, Reachability(settings.pool_size, events, address), events)
        self.reachability = self.openings.reachability
        self._ages = ConnectionAges(self, connect, self._close, settings.connection_seconds_max, events)
        self._recoveries = Recoveries(self.put_back, self.discard, events)
        self._sharing = FairSharing(self._lent, lambda: self.size, lambda: self.reachability.size_max)
        self.given_up: set[PooledConnection] = set()
        self._deadlines = StatementDeadlines(lambda: {*self._lent(), *self.given_up}, settings.statement_seconds)
        self.is_closed = False
        self.is_strict = False

    @property
    def size(self) -> int:
        """How many connections are open or being opened."""
        return len(self.open) + len(self.openings.tasks)

    @property
    def in_use(self) -> int:
        """How many connections are lent."""
        return len(self.open) - len(self.idle)

    async def run(self, statement: Statement, arguments: Sequence[Any], holder: Holder) -> list[Record]:
        """Run one statement outside of a transaction on a connection lent for it; raises what its failure means."""
        # The hot path: most requests are one statement, so each call and each frame here is paid by every one of them.
        # What `take`, `PooledConnection.fetch` and `release` do for a connection that needs nothing is therefore
        # written out, which makes 0.8 us of the CPU time of a statement 0.4 us.
        measure = self._measure
        sent_at = 0
        while True:
            connection = self.idle.pop() if self.idle else await self.acquire(holder)
            connection.holder = holder
            try:
                try:
                    prepared = connection.prepared.get(statement) or await connection.prepare(statement)
                    running = prepared.fetch(*arguments)
                except asyncpg.InterfaceError:
                    # The driver refuses a connection that was lost while idle at the call, before anything is sent,
                    # so another one may run the statement.
                    self.discard(connection)
                    continue
                # Awaiting hands the statement to the transport: from here on, what ends the wait before the reply is
                # read leaves the outcome of a write unknown. Nothing before this line has written.
                if statement.written is not None:
                    if self._unconfirmed.is_on:
                        running.close()
                        self._unconfirmed.check()
                    connection.writer = asyncio.current_task()
                if measure is not None:
                    sent_at = perf_counter_ns()
                try:
                    records = await running
                except SCHEMA_CHANGED as error:
                    records = await connection.fetch_anew(statement, arguments, error)
            except BaseException as error:
                if measure is not None and sent_at:
                    measure(statement, sent_at, None)
                statement.name_origins(error)
                self._fail(connection, error)
            connection.writer = None
            # Last in, first out: the connection used last has the warmest caches on both sides. Anything that
            # `release` would have to look at goes through it.
            if connection.needs_reset or self.waiting or self.is_strict:
                self.release(connection)
                if connection.is_unconfirmed:
                    raise outcome_unknown()
            else:
                self.idle.append(connection)
            if measure is not None:
                measure(statement, sent_at, len(records))
            return records

    async def run_checked(
        self, statement: Statement, arguments: Sequence[Any], holder: Holder, check: Callable[[], None]
    ) -> list[Record]:
        """`run`, unless `check` raises when the statement is about to be sent: hundreds may have waited for this
        connection."""
        await self._take_for_run(holder, check)
        return await self.run(statement, arguments, holder)

    async def _take_for_run(self, holder: Holder, check: Callable[[], None]) -> None:
        """Get the connection that `run` takes next; nothing else can in between."""
        connection = self.take() or await self.acquire(holder)
        try:
            check()
        except BaseException:
            self.release(connection)
            raise
        self.idle.append(connection)

    @asynccontextmanager
    async def lend(self, holder: Holder | None = None) -> AsyncGenerator[PooledConnection]:
        """A connection for statements outside of a transaction, for the block; raises what its failure means."""
        connection = self.take() or await self.acquire(holder)
        connection.holder = holder
        try:
            yield connection
        except BaseException as error:
            self._fail(connection, error)
        self.release(connection)

    def _fail(self, connection: PooledConnection, error: BaseException) -> NoReturn:
        """Give a connection back in the state that a failure left it in. Raises the refusal that the failure means, or
        the error itself."""
        was_writing, connection.writer = connection.writer is not None, None
        is_unknown = was_writing and is_in_doubt(error) and not isinstance(error, asyncio.CancelledError)
        try:
            problem = self._explain(connection, error)
        finally:
            if is_unknown or is_lost(error):
                self.discard(connection)
            elif isinstance(error, asyncpg.PostgresError | ServiceUnavailable):
                self.release(connection)
            else:
                self.recover(connection)
        if is_unknown:
            problem = outcome_unknown()
        if problem is None:
            raise error
        raise problem from error

    def take(self) -> PooledConnection | None:
        """An idle connection, or None: then `acquire` has to wait for one."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if not connection.raw.is_closed():
                connection.holder = None  # the caller sets it; until then the last borrower must not be charged
                return connection
            self._drop(connection)
        return None

    async def acquire(self, holder: Holder | None = None) -> PooledConnection:
        """Lend a connection until `release`: the first that is free or newly opened, and that `holder` may have.

        Raises `ServiceUnavailable` where none is free in time or the database is away, and what an opening raised where
        that is a mistake (an unreadable DSN).
        """
        began = perf_counter_ns()
        try:
            return await self._wait(holder)
        finally:
            if (spent := CURRENT_SPENT.get(None)) is not None:
                spent.pool_wait_ns += perf_counter_ns() - began

    async def _wait(self, holder: Holder | None) -> PooledConnection:
        deadline = 0.0
        # A loop, because a waiter may be woken with None: sharing has begun or ended, or the database was lost.
        while True:
            if self.is_closed:
                raise ServiceUnavailable("shutting_down", "This instance is about to stop; try again.")
            connection = self._take_shared(holder) if self._sharing.is_on else self.take()
            if connection is not None:
                return connection
            is_opening = self.openings.open_one(len(self.waiting) + 1)
            # Fail fast: while the database is known to be away, only the request whose opening probes it may wait, and
            # not even that one when the last opening ran into its timeout.
            if self.reachability.is_lost and (not is_opening or self.reachability.is_silent):
                raise (no_connection() if self.reachability.is_refused else unavailable()) from self.reachability.reason
            deadline = deadline or self._deadline(is_opening=is_opening)
            waiter = self.queue.wait(deadline, holder)
            try:
                connection = await waiter
            except BaseException:
                self._forward(waiter)
                raise
            if connection is not None:
                return connection

    def release(self, connection: PooledConnection) -> None:
        """Give a connection back. One that is closed is dropped; one still in a transaction is rolled back."""
        raw = connection.raw
        if raw.is_closed() or connection.is_unconfirmed:
            self.discard(connection)
        elif raw.is_in_transaction():
            self.recover(connection)
        elif connection.is_old:
            self._retire(connection)
        elif connection.needs_reset:
            self._recoveries.start(connection, is_broken_off=False)
        else:
            self.put_back(connection)

    def recover(self, connection: PooledConnection) -> None:
        """Give back a connection whose use was broken off: it is rolled back in the background, or closed."""
        connection.orm = None
        if connection.raw.is_closed():
            self.discard(connection)
        else:
            self._recoveries.start(connection, is_broken_off=True)

    def give_up(self) -> None:
        """The database has been silent for HEARTBEAT_TIMEOUT_SECONDS: connections may be dead.

        Nothing is sent any more on those that idle. Those that are lent get as long as their statements may take, and
        others are opened meanwhile: the first one tells whether the database accepts any.
        """
        self.given_up.update(self._lent())
        self.open -= self.given_up
        self._deadlines.terminate_later(self.given_up)
        self.is_strict = True
        self.openings.cancel()
        self.close_idle(lambda _raw: True)
        self.queue.extend(self._connect_seconds + 1, lambda _holder: True)
        self.reachability.note_silence(HEARTBEAT_TIMEOUT_SECONDS)
        self.openings.probe_after(PROBE_SECONDS)
        self.openings.open_for_waiters()

    def put_back(self, connection: PooledConnection) -> None:
        """Give back a connection that is known to be good."""
        if connection.raw.is_closed():
            self.discard(connection)
        elif connection.is_old:
            self._retire(connection)
        elif self.is_strict:
            self._take_back(connection)
        elif not self.queue.give(connection):
            self.idle.append(connection)

    def replace(self, connection: PooledConnection, raw: RawConnection) -> None:
        """Another connection takes the place of an old one, which is closed as soon as it is not in use."""
        is_lent = connection not in self.idle and connection not in self._sharing.spare
        # What is set here makes `run` give it back by `release`.
        connection.is_old = connection.needs_reset = True
        if not is_lent:
            self._retire(connection)
        self.add(raw)

    def _retire(self, connection: PooledConnection) -> None:
        self._drop(connection)
        self._ages.close(connection)

    def discard(self, connection: PooledConnection) -> None:
        """Give back a connection that is of no more use."""
        try:
            if not connection.raw.is_closed():
                connection.raw.terminate()
        finally:
            self._drop(connection)

    def forget_schema(self) -> None:
        """A migration has changed types: no connection may go on with what it prepared before."""
        for connection in self.open:
            connection.prepared.clear()
            connection.orm = None  # a session that is open on it keeps its side until it is closed

    def close_idle(self, is_stale: Callable[[RawConnection], bool]) -> None:
        """Close the idle connections for which this is true."""
        for connection in [item for item in (*self.idle, *self._sharing.spare) if is_stale(item.raw)]:
            self.discard(connection)

    async def close(self) -> None:
        """Close all idle connections, and the others as they come back. Requests that wait for one are refused."""
        self.is_closed = self.is_strict = True
        self._sharing.end(self.idle)
        self.queue.wake_all()
        self.openings.cancel()
        closing = list(iter(self.take, None))
        try:
            await asyncio.gather(*(self._close(connection) for connection in closing))
            while pending := {*self.openings.tasks, *self._recoveries.tasks, *self._ages.tasks}:
                await asyncio.wait(pending)
        finally:
            self._deadlines.stop()
            for connection in closing:
                self.discard(connection)

    async def _close(self, connection: PooledConnection) -> None:
        try:
            await connection.raw.close(timeout=CLOSE_SECONDS)
        except DRIVER_FAILURES:
            pass
        finally:
            self.discard(connection)

    def add(self, raw: RawConnection) -> None:
        """A connection was opened."""
        connection = self._wrap(raw, self.schema.check_statement, self._unconfirmed)
        self.open.add(connection)
        self._ages.begin(connection)
        self._deadlines.start()
        raw.add_termination_listener(lambda _raw: self._drop(connection))
        raw.on_unconfirmed = connection.note_unconfirmed  # type: ignore[attr-defined]
        self.reachability.note_success(len(self.open))
        self.put_back(connection)

    @property
    def has_any(self) -> bool:
        """Whether a connection is open."""
        return any(not connection.raw.is_closed() for connection in self.open)

    @property
    def returning(self) -> int:
        """How many connections come back sooner than a new one would open: those that are reset."""
        return len(self._recoveries.resetting & self.open)

    def _lent(self) -> set[PooledConnection]:
        return self.open.difference(self.idle, self._sharing.spare)

    def _note_strictness(self) -> None:
        self.is_strict = self.is_closed or self._sharing.is_on or bool(self.given_up)

    def _take_back(self, connection: PooledConnection) -> None:
        """Give back a good connection while `is_strict`: it may have to be closed, or shared out."""
        if self.is_closed or connection in self.given_up:
            self.discard(connection)
        elif self._sharing.is_on:
            self._sharing.spare.append(connection)
            self._share_out()
        elif not self.queue.give(connection):
            self.idle.append(connection)

    def note_timeout(self, connection: PooledConnection) -> None:
        """A statement ran into its limit: its resource may be waiting for a lock."""
        if self._sharing.note_timeout(connection.holder) and not self._sharing.is_on:
            self._begin_sharing()

    def _check_queue(self) -> None:
        """Called on each sweep while requests wait: share connections out if they do not come back quickly."""
        slow = self.queue.holders(time.monotonic() - min(SLOW_SECONDS, self._wait_seconds / 2))
        if slow and self._sharing.is_due(slow) and not self._sharing.is_on:
            self._begin_sharing()
            self.queue.extend(EXTENSION_SECONDS, self._sharing.eligibility().may_have_more)
        if self._sharing.is_on:
            self._share_out()

    def _begin_sharing(self) -> None:
        self._sharing.begin(self.idle)
        self._note_strictness()

    def _end_sharing(self) -> None:
        self._sharing.end(self.idle)
        self._note_strictness()
        while self.idle and self.queue.give(self.idle[-1]):
            self.idle.pop()

    def _take_shared(self, holder: Holder | None) -> PooledConnection | None:
        if self._sharing.is_over():
            self._end_sharing()
            return self.take()
        spare = self._sharing.spare
        while spare and self._sharing.eligibility().may_take(holder):
            connection = spare.pop()
            if not connection.raw.is_closed():
                connection.holder = holder
                return connection
            self._drop(connection)
        return None

    def _share_out(self) -> None:
        if self._sharing.is_over():
            self._end_sharing()
            return
        spare = self._sharing.spare
        while spare:
            if not self.queue.give_first(spare[-1], self._sharing.eligibility().may_take):
                return
            spare.pop()

    def _deadline(self, *, is_opening: bool) -> float:
        """Until when to wait: for an opening that decides whether the database is reachable, at least as long as that
        may take; for any other opening, as long as one usually takes."""
        seconds = self._wait_seconds
        if not self.open:
            seconds = max(seconds, self._connect_seconds + 1)
        elif is_opening:
            seconds = max(seconds, min(self._connect_seconds, OPENING_SECONDS))
        return time.monotonic() + seconds

    def _forward(self, waiter: ConnectionFuture) -> None:
        """Pass on a connection that was given to a request just as that request stopped waiting."""
        if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
            connection = waiter.result()
            if connection is not None:
                self.release(connection)

    def _drop(self, connection: PooledConnection) -> None:
        """Stop counting a connection; another one is opened in its place if a request waits."""
        self._ages.end(connection)
        for free in (self.idle, self._sharing.spare):
            if connection in free:
                free.remove(connection)
        if connection in self.open:
            self.open.remove(connection)
            self.openings.open_for_waiters()
        elif connection in self.given_up:
            self.given_up.remove(connection)
            self._note_strictness()
