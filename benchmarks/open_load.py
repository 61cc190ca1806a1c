"""Load that does not wait for answers: requests leave when they are due, whatever has become of those before.

A closed loop (`load.py`) asks for less as soon as answers take longer, so it cannot ask for too much. Latencies count
from the moment at which a request was due (no coordinated omission).
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import uvloop

CONNECTIONS = 1500
SETTLE_SECONDS = 1.5
"""How long answers are waited for after the last request."""


@dataclass
class Answers:
    """What came back of the requests of one stretch: statuses, and latencies in seconds by whether they were served."""

    seconds: float
    statuses: Counter[int] = field(default_factory=Counter[int])
    served: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    not_sent: int = 0
    lag_seconds: float = 0.0
    """By how much the last request left later than it was due: more than a little, and less was asked for than told."""

    @property
    def goodput(self) -> float:
        """Served requests per second."""
        return len(self.served) / self.seconds

    def percentile_ms(self, percent: float) -> float:
        """The latency that `percent` of the served requests stayed below, in milliseconds."""
        ordered = sorted(self.served)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000

    def __add__(self, other: "Answers") -> "Answers":
        """Both stretches as one."""
        return Answers(
            self.seconds + other.seconds,
            self.statuses + other.statuses,
            self.served + other.served,
            self.refused + other.refused,
            self.not_sent + other.not_sent,
            max(self.lag_seconds, other.lag_seconds),
        )


def run_open(port: int, requests: Sequence[bytes], *, rate: float, seconds: float, skip_seconds: float) -> Answers:
    """Send `rate` requests a second for so long; the answers to those of the first `skip_seconds` are left out."""
    return uvloop.run(_run(port, requests, rate, seconds, skip_seconds))


async def _run(port: int, requests: Sequence[bytes], rate: float, seconds: float, skip: float) -> Answers:
    loop = asyncio.get_running_loop()
    answers = Answers(seconds - skip)
    pool: list[_Client] = []
    start = 0.0

    def note(client: "_Client", status: int) -> None:
        pool.append(client)
        if skip <= client.due - start < seconds:
            latency = time.perf_counter() - client.due
            answers.statuses[status] += 1
            (answers.served if status < 400 else answers.refused).append(latency)

    for _ in range(CONNECTIONS):
        _, client = await loop.create_connection(lambda: _Client(note, pool), "127.0.0.1", port)
        pool.append(client)
    sent, start = 0, time.perf_counter()
    while (due := start + sent / rate) < start + seconds:
        now = time.perf_counter()
        if due > now:
            await asyncio.sleep(min(due - now, 0.001))
            continue
        if pool:
            pool.pop().send(requests[sent % len(requests)], due)
        elif due - start >= skip:
            answers.not_sent += 1
        sent += 1
        if not sent % 32:
            await asyncio.sleep(0)
    answers.lag_seconds = max(0.0, time.perf_counter() - start - seconds)
    await asyncio.sleep(SETTLE_SECONDS)
    for client in pool:
        client.transport.close()
    return answers


class _Client(asyncio.Protocol):
    """One connection, which has one request under way."""

    transport: asyncio.Transport

    def __init__(self, note: "Callable[[_Client, int], None]", pool: "list[_Client]") -> None:
        self._note = note
        self._pool = pool
        self._buffer = b""
        self.due = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self._buffer = b""
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        _, _, length = head.partition(b"content-length: ")
        if len(body) >= int(length.split(b"\r\n", 1)[0]):
            self._note(self, int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self._pool:
            self._pool.remove(self)
