"""Closed loops: clients that send the next request as soon as they have a response; and impatient ones."""

import asyncio
import time
from collections.abc import Sequence
from itertools import cycle

import uvloop

from benchmarks.connection import Connection
from benchmarks.course import Course, Event

CONNECTING_AT_ONCE = 100


def run_closed(
    port: int,
    requests: Sequence[bytes],
    count: int,
    *,
    seconds: float,
    patience: float | None = None,
    events: Sequence[Event] = (),
) -> Course:
    """`count` clients for so long. With `patience`, a client that has no response after so many seconds closes its
    connection and comes back with another one."""
    return uvloop.run(_Loop(port, requests, patience).run(count, seconds, events))


class _Loop:
    def __init__(self, port: int, requests: Sequence[bytes], patience: float | None) -> None:
        self._port = port
        self._requests = cycle(requests)
        self._patience = patience
        self._course = Course()
        self._open: dict[Connection, None] = {}
        self._is_over = False
        self._returning: set[asyncio.Task[None]] = set()

    async def run(self, count: int, seconds: float, events: Sequence[Event]) -> Course:
        loop = asyncio.get_running_loop()
        for _ in range(0, count, CONNECTING_AT_ONCE):
            await asyncio.gather(*(self._connect() for _ in range(min(CONNECTING_AT_ONCE, count - len(self._open)))))
        course = self._course
        course.began = time.perf_counter()
        for moment, event in events:
            loop.call_later(moment, event)
        for connection in list(self._open):
            self._send(connection, course.began)
        if self._patience is not None:
            loop.call_later(self._patience / 30, self._sweep, self._patience)
        await asyncio.sleep(seconds)
        self._is_over = True
        course.pending = sum(connection.sent > 0 for connection in self._open)
        for connection in list(self._open):
            connection.close()
        for task in self._returning:
            task.cancel()
        return course

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._responded, self._lost), "127.0.0.1", self._port
        )
        self._open[connection] = None
        return connection

    def _send(self, connection: Connection, now: float) -> None:
        # Sent requests stand in the order of their moments: the sweep looks at the oldest only.
        self._open[connection] = self._open.pop(connection, None)
        connection.send(next(self._requests), now)

    def _responded(self, connection: Connection, status: int) -> None:
        if self._is_over:
            return
        now = time.perf_counter()
        self._course.note(status, connection.sent, now)
        connection.sent = 0.0
        if connection.is_open:
            self._send(connection, now)

    def _lost(self, connection: Connection) -> None:
        if self._open.pop(connection, connection) is None and not self._is_over:
            self._come_back()

    def _sweep(self, patience: float) -> None:
        if self._is_over:
            return
        late = time.perf_counter() - patience
        for connection in list(self._open):
            if connection.sent > late:
                break
            if connection.sent:
                self._course.given_up += 1
                del self._open[connection]
                connection.close()
                self._come_back()
        asyncio.get_running_loop().call_later(patience / 30, self._sweep, patience)

    def _come_back(self) -> None:
        task = asyncio.ensure_future(self._return())
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _return(self) -> None:
        connection = await self._connect()
        if not self._is_over:
            self._send(connection, time.perf_counter())
