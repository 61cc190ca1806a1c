"""The waiting line of the pool: who found no idle connection, first come, first served, and for how long.

One timer for the whole line instead of one per waiter: under load every third request stands in it for a moment.
"""

import asyncio
import time
from collections import deque
from typing import Generic, TypeVar

from gatepost.errors import ServiceUnavailable

C = TypeVar("C")

SWEEP_SECONDS = 0.05
"""How late a waiter may be told that its time is over."""


class WaitingLine(Generic[C]):
    """Futures that get a connection, None (things have changed: try again), or `ServiceUnavailable` at their deadline.

    `waiters` is true while somebody stands in line; those whose time is over soonest stand in front.
    """

    def __init__(self) -> None:
        self.waiters: deque[tuple[float, asyncio.Future[C | None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def join(self, deadline: float) -> "asyncio.Future[C | None]":
        """Stand in line until `deadline` (monotonic seconds)."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[C | None] = loop.create_future()
        waiters = self.waiters
        if not waiters or waiters[-1][0] <= deadline:
            waiters.append((deadline, waiter))
        else:
            place = next(place for place, (other, _) in enumerate(waiters) if other > deadline)
            waiters.insert(place, (deadline, waiter))
        if self._timer is None:
            self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop)
        return waiter

    def serve(self, connection: C | None) -> bool:
        """Give the first one who still waits a connection, or None; False where nobody does."""
        waiter = self._next()
        if waiter is None:
            return False
        waiter.set_result(connection)
        return True

    def fail(self, error: BaseException) -> bool:
        """Raise an error in the first one who still waits; False where nobody does."""
        waiter = self._next()
        if waiter is None:
            return False
        waiter.set_exception(error)
        return True

    def dismiss(self) -> None:
        """Let everybody see that things have changed."""
        while self.serve(None):
            pass

    def _next(self) -> "asyncio.Future[C | None] | None":
        waiters = self.waiters
        while waiters:
            _, waiter = waiters.popleft()
            if not waiter.done():
                return waiter
        return None

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = time.monotonic()
        waiters = self.waiters
        while waiters and (waiters[0][0] <= now or waiters[0][1].done()):
            _, waiter = waiters.popleft()
            if not waiter.done():
                waiter.set_exception(ServiceUnavailable("database_busy", "No database connection became free in time."))
        self._timer = loop.call_later(SWEEP_SECONDS, self._sweep, loop) if waiters else None
