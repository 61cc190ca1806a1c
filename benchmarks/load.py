"""The load generator: keep-alive connections that send requests made beforehand and read just enough of the responses.

An asyncio protocol on bare sockets: a client library would cost more than the servers it measures. It checks the status
of every response, and that its body begins and ends as JSON; one wrong response fails the whole run.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import uvloop

CONNECTIONS = 16
_HEAD_END = b"\r\n\r\n"


class BadResponse(Exception):
    """A server responded with another status than asked for, or with something that is not a response."""


@dataclass
class Load:
    """What one measurement saw: latencies in seconds, and its own length."""

    latencies: list[float] = field(default_factory=list[float])
    seconds: float = 0.0

    @property
    def requests_per_second(self) -> float:
        """Responses per second of the measurement."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that `percent` of the responses stayed below, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000


def run_load(
    port: int,
    requests: Sequence[bytes],
    status: int,
    *,
    seconds: float,
    count: int | None = None,
    connections: int = CONNECTIONS,
    contains: bytes = b"",
) -> Load:
    """Send `requests` in a circle for `seconds`, or until `count` have a response, over so many connections; `contains`
    must be in every response."""
    return uvloop.run(_run(port, requests, (status, contains), seconds, count, connections))


async def _run(
    port: int,
    requests: Sequence[bytes],
    expected: tuple[int, bytes],
    seconds: float,
    count: int | None,
    connections: int,
) -> Load:
    loop = asyncio.get_running_loop()
    load = Load()
    clients: list[_Client] = []
    each = None if count is None else count // connections
    for number in range(connections):
        # Each connection begins elsewhere in the circle, so that no two ask for the same row at once.
        client = _Client(requests[number::connections], expected, load.latencies, each)
        await loop.create_connection(partial(_itself, client), "127.0.0.1", port)
        clients.append(client)
    started = time.perf_counter()
    for client in clients:
        client.start(started + seconds)
    await asyncio.gather(*(client.ended for client in clients))
    load.seconds = time.perf_counter() - started
    for client in clients:
        client.close()
    return load


def _itself(client: "_Client") -> "_Client":
    return client


class _Client(asyncio.Protocol):
    """One connection: the next request goes out when the response to the last one is whole."""

    def __init__(
        self, requests: Sequence[bytes], expected: tuple[int, bytes], latencies: list[float], left: int | None
    ) -> None:
        self._requests = requests
        status, self._contained = expected
        self._expected = b"HTTP/1.1 %d " % status
        self._latencies = latencies
        self._left = left
        self._next = 0
        self._buffer = b""
        self._missing = -1
        self._deadline = 0.0
        self._sent = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def start(self, deadline: float) -> None:
        self._deadline = deadline
        self._send(time.perf_counter())

    def close(self) -> None:
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"The server closed the connection: {exc!r}.")

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._missing < 0 and not self._read_head():
            return
        if len(self._buffer) < self._missing:
            return
        if len(self._buffer) != self._missing or not self._buffer.endswith(b"}"):
            self._fail(f"A response ends with {self._buffer[-60:]!r}.")
            return
        if self._contained not in self._buffer:
            self._fail(f"A response has no {self._contained!r}: {self._buffer[:600]!r}.")
            return
        now = time.perf_counter()
        self._latencies.append(now - self._sent)
        self._buffer, self._missing = b"", -1
        if self._left is not None:
            self._left -= 1
        if now >= self._deadline or self._left == 0:
            if not self.ended.done():
                self.ended.set_result(None)
            return
        self._send(now)

    def _read_head(self) -> bool:
        """Find the length of head and body together; False while the head is not whole."""
        end = self._buffer.find(_HEAD_END)
        if end < 0:
            return False
        if not self._buffer.startswith(self._expected):
            self._fail(f"Not {self._expected!r} but {self._buffer[:600]!r}.")
            return False
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            self._fail(f"A response has no length: {head!r}.")
            return False
        self._missing = end + 4 + int(head[at + 15 :].split(b"\r\n", 1)[0])
        return True

    def _send(self, now: float) -> None:
        self._sent = now
        self._transport.write(self._requests[self._next])
        self._next = (self._next + 1) % len(self._requests)

    def _fail(self, complaint: str) -> None:
        if not self.ended.done():
            self.ended.set_exception(BadResponse(complaint))
