"""Connections do not grow old: each is replaced by a new one, which goes where the address leads by then.

A server that lost its role without ending its connections (a failover by DNS, by a balancer or by a virtual address)
would otherwise keep those that are open. Beside the request path, by timers: a request pays for nothing but the closing
of the connection that it gives back. The new one is opened before the old one is given up, so that nothing is lost
where none can be opened.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Protocol

from gatepost.background import background
from gatepost.database.connection import Connect, PooledConnection, RawConnection
from gatepost.database.failures import DRIVER_FAILURES
from gatepost.events import Events

JITTER = 0.25
"""The part of its age that chance may take from a connection: those that were opened together do not end together."""

RETRY_SECONDS = 10.0
"""When a connection whose successor could not be opened is looked at again."""


class AgingPool(Protocol):
    """What is needed of the pool."""

    is_closed: bool

    def replace(self, connection: PooledConnection, raw: RawConnection) -> None: ...


class ConnectionAges:
    """The ages of one pool's connections. `tasks` are the openings and closings under way."""

    def __init__(
        self,
        pool: AgingPool,
        connect: Connect,
        close: Callable[[PooledConnection], Awaitable[None]],
        seconds_max: float,
        events: Events,
    ) -> None:
        self._pool = pool
        self._connect = connect
        self._close = close
        self._seconds_max = seconds_max
        self._events = events
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, connection: PooledConnection) -> None:
        """A connection was opened."""
        self._wait(connection, age_of(self._seconds_max))

    def end(self, connection: PooledConnection) -> None:
        """A connection is counted no more."""
        if connection.aging is not None:
            connection.aging.cancel()
            connection.aging = None

    def close(self, connection: PooledConnection) -> None:
        """Close one that was replaced, in an orderly way."""
        self._start(self._close(connection), "close an old database connection")

    def _wait(self, connection: PooledConnection, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        connection.aging = loop.call_later(seconds, self._renew, connection)

    def _renew(self, connection: PooledConnection) -> None:
        self._start(self._open_another(connection), "replace an old database connection")

    async def _open_another(self, connection: PooledConnection) -> None:
        try:
            raw = await self._connect()
        except DRIVER_FAILURES:
            if connection.aging is not None:
                self._wait(connection, RETRY_SECONDS)
            return
        if connection.aging is None or self._pool.is_closed:
            raw.terminate()  # it was lost meanwhile, and the pool opens what it needs
        else:
            self._pool.replace(connection, raw)

    def _start(self, work: Awaitable[None], name: str) -> None:
        task = background(_awaited(work), name, self._events)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


def age_of(seconds_max: float) -> float:
    """The age that a connection reaches."""
    return seconds_max * random.uniform(1 - JITTER, 1)  # noqa: S311 - to spread, not to hide


async def _awaited(work: Awaitable[None]) -> None:
    await work
