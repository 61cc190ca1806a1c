"""The wait queue of the pool: requests that found no idle connection, first come, first served.

One timer for the whole queue instead of one per waiter: under load every third request waits in it for a moment.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import TypeAlias

from gatepost.database.connection import PooledConnection
from gatepost.database.holders import Holder
from gatepost.errors import ServiceUnavailable

ConnectionFuture: TypeAlias = asyncio.Future[PooledConnection | None]

Waiter: TypeAlias = tuple[float, ConnectionFuture, Holder | None, float]
"""Deadline (monotonic seconds), the future that gets the connection, the holder that it is for, the time of arrival."""

SWEEP_SECONDS = 0.05
"""How late after its deadline a waiter may be refused."""


class WaitQueue:
    """Futures that get a connection, None (things have changed: try again), or `ServiceUnavailable` at their deadline.

    `waiters` is true while a request waits; the earliest deadline is in front. `on_sweep` is
    called every SWEEP_SECONDS meanwhile, before those past their deadline are refused.
    """

    def __init__(self, on_sweep: Callable[[], None]) -> None:
        self.waiters: deque[Waiter] = deque()
        self._on_sweep = on_sweep
        self._timer: asyncio.TimerHandle | None = None

    def wait(self, deadline: float, holder: Holder | None) -> ConnectionFuture:
        """A future that is done by `deadline` (monotonic seconds)."""
        loop = asyncio.get_running_loop()
        future: ConnectionFuture = loop.create_future()
        waiters = self.waiters
        waiter = (deadline, future, holder, time.monotonic())
        if not waiters or waiters[-1][0] <= deadline:
            waiters.append(waiter)
        else:
            waiters.insert(next(place for place, other in enumerate(waiters) if other[0] > deadline), waiter)
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return future

    def give(self, connection: PooledConnection | None) -> bool:
        """Give the first waiter a connection, or None; False if there is no waiter."""
        waiter = self._next()
        if waiter is None:
            return False
        waiter.set_result(connection)
        return True

    def fail(self, error: BaseException) -> bool:
        """Raise an error in the first waiter; False if there is none."""
        waiter = self._next()
        if waiter is None:
            return False
        waiter.set_exception(error)
        return True

    def fail_requests(self, make_error: Callable[[], BaseException]) -> None:
        """Raise an error in every waiter that has a holder: that waits for a request."""
        for _, future, holder, _ in self.waiters:
            if holder is not None and not future.done():
                future.set_exception(make_error())

    def wake_all(self) -> None:
        """Give every waiter None, so that it looks at the pool again."""
        while self.give(None):
            pass

    def holders(self, since: float) -> list[Holder | None]:
        """The holders of those that have been waiting since then."""
        return [holder for _, future, holder, joined in self.waiters if joined <= since and not future.done()]

    def give_first(self, connection: PooledConnection, may_take: Callable[[Holder | None], bool]) -> bool:
        """Give a connection to the first waiter that may have it, on behalf of its holder; False if there is no such
        waiter."""
        for place, (_, future, holder, _) in enumerate(self.waiters):
            if not future.done() and may_take(holder):
                del self.waiters[place]
                connection.holder = holder
                future.set_result(connection)
                return True
        return False

    def extend(self, seconds: float, is_meant: Callable[[Holder | None], bool]) -> None:
        """Let the waiters wait longer for whose holder this is true."""
        waiters = [
            (deadline + seconds if is_meant(holder) else deadline, future, holder, joined)
            for deadline, future, holder, joined in self.waiters
        ]
        self.waiters.clear()
        self.waiters.extend(sorted(waiters, key=itemgetter(0)))

    def _next(self) -> ConnectionFuture | None:
        waiters = self.waiters
        while waiters:
            future = waiters.popleft()[1]
            if not future.done():
                return future
        return None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        waiters = self.waiters
        try:
            self._on_sweep()
        finally:
            now = time.monotonic()
            while waiters and (waiters[0][0] <= now or waiters[0][1].done()):
                future = waiters.popleft()[1]
                if not future.done():
                    future.set_exception(
                        ServiceUnavailable("database_busy", "No database connection became free in time.")
                    )
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if waiters else None
