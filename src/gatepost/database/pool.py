"""The pool: a small stack of bare asyncpg connections, last in first out, bounded, with a wait timeout.

Ours instead of asyncpg's, because that one resets every connection at release with a round trip and invalidates
prepared statements that we and SQLAlchemy keep (`docs/decisions/0001-an-own-pool.md`). What is set on a connection
here therefore has to be `SET LOCAL`.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from typing import Any, TypeAlias

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

from gatepost.database.failures import SCHEMA_CHANGED, is_lost, is_schema_change, unavailable
from gatepost.database.statements import Statement
from gatepost.database.waiting_line import WaitingLine
from gatepost.errors import ServiceUnavailable
from gatepost.observations import ConnectionOpened, DatabaseLost, DatabaseRestored, Observations

RawConnection: TypeAlias = "asyncpg.Connection[Any]"
Connect: TypeAlias = Callable[[], Awaitable[RawConnection]]
Record = asyncpg.Record

PREPARED_MAX = 256
"""Statements kept prepared per connection; PostgreSQL holds a plan of some 10 KiB for each."""

BACKOFF_SECONDS = (0.05, 1.0)
"""First and longest pause between two tries to reach a database that is away."""


class PooledConnection:
    """A bare connection with what is kept on it: prepared statements, and the ORM's side of it once it was needed.

    `writer` is the task that has sent a COMMIT, or a write that commits by itself, as long as its answer is awaited.
    """

    __slots__ = ("orm", "prepared", "raw", "writer")

    def __init__(self, raw: RawConnection) -> None:
        self.raw = raw
        self.prepared: dict[Statement, PreparedStatement[Any]] = {}
        self.orm: Any = None
        self.writer: asyncio.Task[Any] | None = None

    def start(self, statement: Statement, arguments: Sequence[Any]) -> Awaitable[list[Record]]:
        """`fetch`, but a connection that is closed is refused before anything is awaited (`InterfaceError`)."""
        if self.raw.is_closed():
            raise asyncpg.InterfaceError("the connection is closed")
        return self.fetch(statement, arguments)

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        """Run a statement and return its rows. Prepares it at its first use on this connection."""
        prepared = self.prepared.get(statement)
        if prepared is None:
            prepared = await self.prepare(statement)
        try:
            return await prepared.fetch(*arguments)
        except SCHEMA_CHANGED as error:
            return await self.fetch_anew(statement, arguments, error)

    async def fetch_anew(self, statement: Statement, arguments: Sequence[Any], error: Exception) -> list[Record]:
        """Run a statement whose plan `error` says was outdated; raises `error` where it cannot simply be run again."""
        prepared = await self.prepare_anew(statement, error)
        return await prepared.fetch(*arguments)

    async def prepare_anew(self, statement: Statement, error: Exception) -> "PreparedStatement[Any]":
        """Prepare a statement again whose plan `error` says was outdated; raises `error` where that is no help.

        Planning failed, so nothing was done: outside a transaction the statement can run again.
        """
        if not is_schema_change(error) or self.raw.is_in_transaction():
            raise error
        await self.forget_schema()
        return await self.prepare(statement)

    async def forget_schema(self) -> None:
        """Forget what was prepared, and what asyncpg knows of types, before a migration changed them."""
        self.prepared.clear()
        await self.raw.reload_schema_state()

    async def prepare(self, statement: Statement) -> "PreparedStatement[Any]":
        """Prepare a statement; of what it does nothing is sent. A connection that is closed is refused at once."""
        if len(self.prepared) >= PREPARED_MAX:
            del self.prepared[next(iter(self.prepared))]
        prepared = await self.raw.prepare(statement.sql)
        self.prepared[statement] = prepared
        return prepared


class Pool:
    """Connections of one process.

    `idle` are those that nobody uses, the one used last at the end; `waiting` is whoever found none. Both are public
    for the one place that reads (`Database.read`), which takes and gives back without a call.
    """

    def __init__(
        self,
        connect: Connect,
        *,
        size: int,
        wait_seconds: float,
        observations: Observations,
    ) -> None:
        self._connect = connect
        self._size_max = size
        self._wait_seconds = wait_seconds
        self.idle: list[PooledConnection] = []
        self._open_ones: set[PooledConnection] = set()
        self._line = WaitingLine[PooledConnection]()
        self.waiting = self._line.waiters
        self._recovering: set[asyncio.Task[None]] = set()
        self._size = 0
        self.is_closed = False
        self._lost_at: float | None = None
        self._retry_at = 0.0
        self._pause = BACKOFF_SECONDS[0]
        self._probing = False
        self._opened = observations.emitter(ConnectionOpened)
        self._lost = observations.emitter(DatabaseLost)
        self._restored = observations.emitter(DatabaseRestored)

    @property
    def size(self) -> int:
        """How many connections are open or being opened."""
        return self._size

    @property
    def open(self) -> "Set[PooledConnection]":
        """The connections that are open, idle or lent."""
        return self._open_ones

    @property
    def is_available(self) -> bool:
        """False while the database is known to be away."""
        return self._lost_at is None

    def take(self) -> PooledConnection | None:
        """An idle connection, or None: then `acquire` has to open one or wait."""
        idle = self.idle
        while idle:
            connection = idle.pop()
            if not connection.raw.is_closed():
                return connection
            self._drop(connection)
        return None

    async def acquire(self) -> PooledConnection:
        """A connection of one's own until `release`. Raises `ServiceUnavailable` when none is to be had in time."""
        deadline: float | None = None
        while True:
            if self.is_closed:
                raise ServiceUnavailable("shutting_down", "This instance is about to stop; try again.")
            connection = self.take()
            if connection is not None:
                return connection
            if self._size < self._size_max:
                return await self._open()
            again = deadline is not None
            deadline = deadline or time.monotonic() + self._wait_seconds
            waiter = self._line.join(deadline, again=again)
            try:
                connection = await waiter
            except asyncio.CancelledError:
                self._pass_on(waiter)
                raise
            if connection is not None:
                return connection

    def release(self, connection: PooledConnection) -> None:
        """Give a connection back. One that is closed, or in a transaction that nobody ended, is looked after."""
        raw = connection.raw
        if raw.is_closed():
            self.discard(connection)
        elif raw.is_in_transaction():
            self.recover(connection)
        else:
            self.hand_over(connection)

    def recover(self, connection: PooledConnection) -> None:
        """Give back a connection whose use was broken off: it is rolled back in the background, or closed."""
        task = asyncio.get_running_loop().create_task(self._recover(connection))
        self._recovering.add(task)
        task.add_done_callback(self._recovering.discard)

    def forget_schema(self) -> None:
        """A migration has changed types: no connection may go on with what it prepared before."""
        for connection in self._open_ones:
            connection.prepared.clear()

    def drop_idle(self) -> None:
        """Close the idle connections without a word: nothing is sent on any of them any more."""
        while self.idle:
            connection = self.idle.pop()
            self._drop(connection)
            connection.raw.terminate()

    async def close(self) -> None:
        """Close all idle connections, and the others as they come back. Whoever waits for one is refused."""
        self.is_closed = True
        self._line.dismiss()
        while self._recovering:
            await asyncio.wait(self._recovering)
        while (connection := self.take()) is not None:
            self._drop(connection)
            try:
                await connection.raw.close(timeout=2)
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
                connection.raw.terminate()

    def hand_over(self, connection: PooledConnection) -> None:
        """Give back a connection that is known to be good."""
        if self.is_closed:
            self.discard(connection)
        elif not self._line.serve(connection):
            self.idle.append(connection)

    def close_idle(self, is_stale: Callable[[RawConnection], bool]) -> None:
        """Close the idle connections of which this is true."""
        for connection in [item for item in self.idle if is_stale(item.raw)]:
            self.idle.remove(connection)
            self.discard(connection)

    def discard(self, connection: PooledConnection) -> None:
        """Give back a connection that is of no more use."""
        self._drop(connection)
        if not connection.raw.is_closed():
            connection.raw.terminate()
        self._line.serve(None)

    def _drop(self, connection: PooledConnection) -> None:
        self._size -= 1
        self._open_ones.discard(connection)

    async def _recover(self, connection: PooledConnection) -> None:
        try:
            async with asyncio.timeout(2):
                await connection.raw.execute("ROLLBACK" if connection.raw.is_in_transaction() else "SELECT")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection.raw.terminate()
        connection.orm = None
        if connection.raw.is_closed():
            self.discard(connection)
        else:
            self.hand_over(connection)

    def _pass_on(self, waiter: "asyncio.Future[PooledConnection | None]") -> None:
        """What was given to a waiter that had just stopped waiting goes to the next one."""
        if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is None:
            self._line.serve(None)
        else:
            self.release(connection)

    async def _open(self) -> PooledConnection:
        """Open one more connection. While the database is away one caller at a time tries, after a pause."""
        is_probe = self._lost_at is not None
        if is_probe:
            if self._probing or time.monotonic() < self._retry_at:
                raise unavailable()
            self._probing = True
        self._size += 1
        try:
            raw = await self._connect()
        except BaseException as error:
            self._size -= 1
            if isinstance(error, OSError) or is_lost(error):  # a timeout is an OSError, too
                self._note_loss(error, is_probe=is_probe)
                self._line.dismiss()
                raise unavailable() from error
            self._line.serve(None)
            raise
        finally:
            if is_probe:
                self._probing = False
        self._note_success()
        connection = PooledConnection(raw)
        self._open_ones.add(connection)
        return connection

    def _note_loss(self, error: BaseException, *, is_probe: bool) -> None:
        """Say it once, and pause before the next try: longer each time, but not for each of those who tried at once."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
            self._pause = BACKOFF_SECONDS[0]
            if self._lost is not None:
                self._lost(DatabaseLost(reason=f"{type(error).__name__}: {error}"))
        elif is_probe:
            self._pause = min(self._pause * 2, BACKOFF_SECONDS[1])
        self._retry_at = now + self._pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def _note_success(self) -> None:
        if self._lost_at is not None and self._restored is not None:
            self._restored(DatabaseRestored(seconds=time.monotonic() - self._lost_at))
        self._lost_at = None
        if self._opened is not None:
            self._opened(ConnectionOpened(size=self._size))
