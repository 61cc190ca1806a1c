"""Load that does not wait for responses: requests leave when they are due, whatever has become of those before.

A closed loop asks for less as soon as responses take longer, so it cannot ask for too much. Latencies count from the
moment at which a request was due (no coordinated omission), and responses by the moment at which they arrive: what is
received after the load is over counts for nothing. There have to be enough connections for all requests that a server
holds, else less is asked for: `not_sent` says by how much. What the server closes while it is idle is opened again.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

import uvloop

from benchmarks.connection import Connection
from benchmarks.course import Course, Event

CONNECTING_AT_ONCE = 100

IDLE_SECONDS_MAX = 5.0
"""How long a connection may be idle to be used again: less than servers wait, which could close it at that moment."""


def run_open(
    port: int,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int,
    retries: bool = False,
    events: Sequence[Event] = (),
    is_over: Callable[[], bool] = lambda: False,
) -> Course:
    """Send `rate` requests a second for so long, or until `is_over`. With `retries`, each that is refused is sent again
    at once."""
    return uvloop.run(_Loop(port, requests, connections, retries).run(rate, seconds, events, is_over))


class _Loop:
    def __init__(self, port: int, requests: Sequence[bytes], connections: int, retries: bool) -> None:
        self._port = port
        self._requests = requests
        self._connections = connections
        self._retries = retries
        self._course = Course()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()
        self._is_over = False

    async def run(self, rate: float, seconds: float, events: Sequence[Event], is_over: Callable[[], bool]) -> Course:
        loop, course, idle = asyncio.get_running_loop(), self._course, self._idle
        while len(idle) < self._connections:
            count = min(CONNECTING_AT_ONCE, self._connections - len(idle))
            idle += await asyncio.gather(*(self._connect() for _ in range(count)))
        course.began = start = time.perf_counter()
        for moment, event in events:
            loop.call_later(moment, event)
        sent = 0
        while (due := start + sent / rate) < start + seconds:
            now = time.perf_counter()
            if due > now:
                await asyncio.sleep(min(due - now, 0.001))
                continue
            self._send(self._requests[sent % len(self._requests)], due)
            sent += 1
            if not sent % 32:
                await asyncio.sleep(0)
            if is_over():
                break
        course.lag_seconds = max(0.0, time.perf_counter() - start - sent / rate)
        course.pending = len(self._busy)
        self._is_over = True
        for task in self._opening:
            task.cancel()
        for connection in (*idle, *self._busy):
            connection.close()
        return course

    async def _connect(self) -> Connection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            lambda: Connection(self._responded, self._lost), "127.0.0.1", self._port
        )
        return connection

    def _send(self, request: bytes, due: float) -> None:
        while self._idle and not (self._idle[-1].is_open and due - self._idle[-1].idle_since < IDLE_SECONDS_MAX):
            self._idle.pop().close()
        if self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            connection.send(request, due)
        elif len(self._busy) + len(self._opening) < self._connections:
            task = asyncio.ensure_future(self._connect_and_send(request, due))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        else:
            self._course.not_sent += 1

    async def _connect_and_send(self, request: bytes, due: float) -> None:
        """In place of a connection that the server has closed because it was idle."""
        try:
            connection = await self._connect()
        except OSError:
            self._course.not_sent += 1
            return
        self._busy.add(connection)
        connection.send(request, due)

    def _responded(self, connection: Connection, status: int) -> None:
        if self._is_over:
            return
        now = time.perf_counter()
        self._course.note(status, connection.sent, now)
        if status == 503 and self._retries and connection.is_open:
            connection.send(self._requests[0], now)
            return
        self._busy.discard(connection)
        connection.sent = 0.0
        connection.idle_since = now
        if connection.is_open:
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        self._busy.discard(connection)
        self._course.cut += connection.sent > 0
