"""The openings of one pool: when another connection is opened, and what it shows when that fails.

Beside the request path: a request that finds no idle connection waits in the pool's queue, and what is opened here is
put back as one that came free. While the database is away one opening at a time probes, also where no request waits.
"""

import asyncio
from typing import Protocol

from gatepost.background import background, report
from gatepost.database.connection import Connect, PooledConnection, RawConnection
from gatepost.database.failures import DRIVER_FAILURES, is_unreadable
from gatepost.database.reachability import LIMITED_SECONDS, Reachability
from gatepost.database.schema_watch import SchemaWatch
from gatepost.database.wait_queue import WaitQueue
from gatepost.events import Events

PROBE_SECONDS = 0.02
"""When the first connection is tried after the database has fallen silent."""


class OpeningPool(Protocol):
    """What openings have to know of their pool."""

    open: set[PooledConnection]
    queue: WaitQueue
    schema: SchemaWatch
    is_closed: bool

    @property
    def size(self) -> int: ...

    @property
    def has_any(self) -> bool: ...

    @property
    def returning(self) -> int: ...

    def add(self, raw: RawConnection) -> None: ...


class Openings:
    """Opens connections with `connect`, as many as requests wait for and `reachability` allows. `tasks` are those under
    way."""

    def __init__(self, pool: OpeningPool, connect: Connect, reachability: Reachability, events: Events) -> None:
        self.connect = connect
        self.reachability = reachability
        self.tasks: set[asyncio.Task[RawConnection | Exception]] = set()
        self._pool = pool
        self._events = events
        self._failure: Exception | None = None
        self._probing: asyncio.TimerHandle | None = None

    def open_for_waiters(self) -> None:
        """Open as many as requests wait for."""
        while self.open_one(len(self._pool.queue.waiters)):
            pass

    def open_one(self, wanted: int) -> bool:
        """Begin to open a connection, if fewer are on their way than are wanted and one more is allowed."""
        opening = len(self.tasks)
        if opening + self._pool.returning >= wanted or self._failure is not None or self._pool.is_closed:
            return False
        if not self.reachability.may_open(self._pool.size, opening=opening, has_any=self._pool.has_any):
            return False
        task = background(self._try_to_connect(), "open a database connection", self._events)
        self.tasks.add(task)
        task.add_done_callback(self._opened)
        return True

    def probe_after(self, seconds: float) -> None:
        """Try to open a connection even if no request waits: while there is none, readiness sends none here."""
        if self._probing is not None:
            self._probing.cancel()
        if not self._pool.is_closed:
            self._probing = asyncio.get_running_loop().call_later(seconds, self._probe)

    def cancel(self) -> None:
        """Break off what is under way: there will be no reply, or it comes too late."""
        if self._probing is not None:
            self._probing.cancel()
        for task in self.tasks:
            task.cancel()

    async def _try_to_connect(self) -> "RawConnection | Exception":
        """What a request gets is examined before, where it is the first: the server may be another one than before."""
        try:
            raw = await self.connect()
            if not self._pool.has_any:
                await self._examine(raw)
            return raw
        except Exception as error:
            return error

    async def _examine(self, raw: RawConnection) -> None:
        try:
            await self._pool.schema.examine(raw)
        except BaseException:
            raw.terminate()
            raise

    def _opened(self, task: "asyncio.Task[RawConnection | Exception]") -> None:
        """One opening has ended. A failure is judged when the last of those under way at once has ended: only then is
        it known whether the database is away or gives some, and how many."""
        self.tasks.discard(task)
        # `_try_to_connect` returns errors instead of raising them, so that only this callback handles them.
        outcome = None if task.cancelled() or task.exception() is not None else task.result()
        if isinstance(outcome, Exception):
            self._failure = outcome
        elif outcome is not None:
            self._pool.add(outcome)
        # A timeout is enough to judge by: waiting requests need not wait for the other openings to time out as well.
        if self._failure is not None and (not self.tasks or self._is_out_of_reach(self._failure)):
            failure, self._failure = self._failure, None
            self._judge(failure)
        self.open_for_waiters()
        if self.reachability.is_doubtful and not self.tasks and not self._pool.open:
            self.probe_after(self.reachability.pause)

    def _is_out_of_reach(self, failure: Exception) -> bool:
        return isinstance(failure, TimeoutError) and not self._pool.has_any

    def _probe(self) -> None:
        self._probing = None
        wanted = max(1, len(self._pool.queue.waiters))
        if not self._pool.open and not self.open_one(wanted) and not self.tasks:
            self.probe_after(max(PROBE_SECONDS, self.reachability.pause))

    def _judge(self, failure: Exception) -> None:
        if self._pool.has_any:
            asyncio.get_running_loop().call_later(LIMITED_SECONDS, self.open_for_waiters)
            self.reachability.note_limit(failure, len(self._pool.open))
        elif isinstance(failure, DRIVER_FAILURES) and not is_unreadable(failure):
            self.reachability.note_loss(failure)
            self._pool.queue.wake_all()
        elif not self._pool.queue.fail(failure):
            report("open a database connection", failure, self._events)
