"""Load that does not wait for responses: requests leave when they are due, whatever has become of those before.

A closed loop asks for less as soon as responses take longer, so it cannot ask for too much. Latencies count from the
moment at which a request was due (no coordinated omission), and responses by the moment at which they arrive: what is
received after the load is over counts for nothing. There have to be enough connections for all requests that a server
holds, else less is asked for: `not_sent` says by how much.
"""

import asyncio
import time
from collections.abc import Sequence

import uvloop

from benchmarks.connection import Connection
from benchmarks.course import Course, Event

CONNECTING_AT_ONCE = 100


def run_open(
    port: int,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    connections: int,
    retries: bool = False,
    events: Sequence[Event] = (),
) -> Course:
    """Send `rate` requests a second for so long. With `retries`, each that is refused is sent again at once."""
    return uvloop.run(_run(port, requests, rate, seconds, connections, retries, events))


async def _run(
    port: int,
    requests: Sequence[bytes],
    rate: float,
    seconds: float,
    connections: int,
    retries: bool,
    events: Sequence[Event],
) -> Course:
    loop = asyncio.get_running_loop()
    course = Course()
    idle: list[Connection] = []
    busy: set[Connection] = set()
    is_over = False

    def responded(connection: Connection, status: int) -> None:
        if is_over:
            return
        now = time.perf_counter()
        course.note(status, connection.sent, now)
        if status == 503 and retries and connection.is_open:
            connection.send(requests[0], now)
            return
        busy.discard(connection)
        connection.sent = 0.0
        if connection.is_open:
            idle.append(connection)

    async def connect() -> None:
        _, connection = await loop.create_connection(lambda: Connection(responded, busy.discard), "127.0.0.1", port)
        idle.append(connection)

    while len(idle) < connections:
        await asyncio.gather(*(connect() for _ in range(min(CONNECTING_AT_ONCE, connections - len(idle)))))
    course.began = start = time.perf_counter()
    for moment, event in events:
        loop.call_later(moment, event)
    sent = 0
    while (due := start + sent / rate) < start + seconds:
        now = time.perf_counter()
        if due > now:
            await asyncio.sleep(min(due - now, 0.001))
            continue
        while idle and not idle[-1].is_open:
            idle.pop()
        if idle:
            connection = idle.pop()
            busy.add(connection)
            connection.send(requests[sent % len(requests)], due)
        else:
            course.not_sent += 1
        sent += 1
        if not sent % 32:
            await asyncio.sleep(0)
    course.lag_seconds = max(0.0, time.perf_counter() - start - seconds)
    course.pending = len(busy)
    is_over = True
    for connection in (*idle, *busy):
        connection.close()
    return course
