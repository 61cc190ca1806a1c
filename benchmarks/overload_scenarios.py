"""The loads of `overload.py`, one function each: what is asked of one server, and the figures that come of it."""

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]

from benchmarks.closed_load import run_closed
from benchmarks.course import Event
from benchmarks.open_load import run_open

PEAK_CLIENTS, PEAK_SECONDS = 64, 3.0
"""The peak is what a closed loop is served that keeps the server busy and is too small for a queue."""

EXPENSIVE_TIMES, CHEAP_TIMES, RETRIED_TIMES, UNLOADED_TIMES = 4, 2, 0.7, 0.1
UNLOADED_CLIENTS = 50

EXPENSIVE_CONNECTIONS, CHEAP_CONNECTIONS, RETRIED_CONNECTIONS = 4_000, 12_000, 10_000
"""More than the server holds at once: with fewer, a load that is held asks for less, which flatters."""

SETTLED_SECONDS = 5.0
"""How long after a pause the server has to be itself again."""


@dataclass(frozen=True)
class Bound:
    """What a figure has to be. `gives_way` where it may be missed for the sake of the others."""

    value: float
    is_most: bool = False
    gives_way: bool = False

    def holds(self, figure: float) -> bool:
        """Whether the figure is within the bound."""
        return figure <= self.value if self.is_most else figure >= self.value


@dataclass(frozen=True)
class Server:
    """A running server: its port, its master process, and whole requests for expensive and for cheap work."""

    port: int
    pid: int
    expensive: Sequence[bytes]
    cheap: Sequence[bytes]

    def peak(self, requests: Sequence[bytes]) -> float:
        """Responses per second of a load that neither waits long nor is refused."""
        course = run_closed(self.port, requests, PEAK_CLIENTS, seconds=PEAK_SECONDS)
        return course.served_per_second(0.5, PEAK_SECONDS)

    def pause(self, at: float, seconds: float) -> list[Event]:
        """Stop the workers for so long."""
        return [(at, lambda: self._signal(signal.SIGSTOP)), (at + seconds, lambda: self._signal(signal.SIGCONT))]

    def _signal(self, number: signal.Signals) -> None:
        for worker in psutil.Process(self.pid).children(recursive=True):
            os.kill(worker.pid, number)


Figures = dict[str, float]


def expensive_open_loop(server: Server) -> Figures:
    """(a) Four times what can be done of requests that compute for 2 ms each."""
    first = server.peak(server.expensive)
    quiet = run_open(
        server.port, server.expensive, rate=first * UNLOADED_TIMES, seconds=5, connections=UNLOADED_CLIENTS
    )
    loud = run_open(
        server.port, server.expensive, rate=first * EXPENSIVE_TIMES, seconds=7, connections=EXPENSIVE_CONNECTIONS
    )
    peak = (first + server.peak(server.expensive)) / 2
    unloaded, p99 = quiet.percentile_ms(99, 1, 5), loud.percentile_ms(99, 3, 7)
    return {
        "goodput": loud.served_per_second(3, 7) / peak,
        "p99, times the unloaded one": p99 / unloaded,
        "p99, ms": p99,
        "unloaded p99, ms": unloaded,
        "peak a second": peak,
        "not sent": loud.not_sent,
        "lag, s": loud.lag_seconds,
        "other responses": loud.failed,
    }


def cheap_open_loop(server: Server) -> Figures:
    """(b) Twice what can be done of pages of 50 small rows."""
    first = server.peak(server.cheap)
    loud = run_open(server.port, server.cheap, rate=first * CHEAP_TIMES, seconds=6, connections=CHEAP_CONNECTIONS)
    peak = (first + server.peak(server.cheap)) / 2
    return {
        "goodput": loud.served_per_second(2, 6) / peak,
        "peak a second": peak,
        "not sent": loud.not_sent,
        "lag, s": loud.lag_seconds,
        "other responses": loud.failed,
    }


def closed_loop_after_a_pause(server: Server, count: int) -> Figures:
    """(c) Clients that ask again at once, and a pause of the worker of 1 s."""
    end = 4 + SETTLED_SECONDS + 3
    course = run_closed(server.port, server.cheap, count, seconds=end, events=server.pause(3, 1))
    before, after = course.served_per_second(1, 3), course.served_per_second(4 + SETTLED_SECONDS, end)
    return {
        f"{count} clients, after / before": after / before,
        f"{count} clients, before": before,
        f"{count} clients, after": after,
        f"{count} clients, 503 after": course.refused_per_second(4 + SETTLED_SECONDS, end),
        f"{count} clients, other responses": course.failed,
    }


def closed_loop_from_the_start(server: Server) -> Figures:
    """(d) 1,500 clients that ask again at once."""
    peak = server.peak(server.cheap)
    course = run_closed(server.port, server.cheap, 1500, seconds=7)
    served = course.served_per_second(2, 7)
    return {
        "of the peak": served / peak,
        "peak a second": peak,
        "served a second": served,
        "503 a second": course.refused_per_second(2, 7),
        "other responses": course.failed,
    }


def impatient_clients(server: Server) -> Figures:
    """(e) 800 clients that give up after 300 ms and come back on a new connection, and a pause of 1 s."""
    peak = server.peak(server.cheap)
    course = run_closed(server.port, server.cheap, 800, seconds=12, patience=0.3, events=server.pause(3, 1))
    served = course.served_per_second(4 + SETTLED_SECONDS, 12)
    return {
        "in time, of the peak": served / peak,
        "peak a second": peak,
        "in time before the pause": course.served_per_second(1, 3),
        "in time a second": served,
        "given up": course.given_up,
        "other responses": course.failed,
    }


def retried_at_once(server: Server) -> Figures:
    """(f) First tries at 0.7 of the peak, each that is refused again at once, and a pause of 3 s."""
    peak = server.peak(server.cheap)
    course = run_open(
        server.port,
        server.cheap,
        rate=peak * RETRIED_TIMES,
        seconds=22,
        connections=RETRIED_CONNECTIONS,
        retries=True,
        events=server.pause(2, 3),
    )
    return {
        "503 a second, 15 s later": course.refused_per_second(20, 22),
        "p99 15 s later, ms": course.percentile_ms(99, 20, 22),
        "last 503, s after the pause": max(course.refused, default=5.0) - 5,
        "served a second, of the peak": course.served_per_second(20, 22) / peak,
        "peak a second": peak,
        "not sent": course.not_sent,
        "lag, s": course.lag_seconds,
        "other responses": course.failed,
    }


@dataclass(frozen=True)
class Scenario:
    """A load in words, what measures it, and the bounds of those of its figures that have one."""

    title: str
    measure: Callable[[Server], Figures]
    bounds: dict[str, Bound]


def _after_a_pause(count: int) -> Scenario:
    return Scenario(
        "clients that ask again at once, and a pause of the worker of 1 s",
        lambda server: closed_loop_after_a_pause(server, count),
        {f"{count} clients, after / before": Bound(0.9)},
    )


SCENARIOS: dict[str, list[Scenario]] = {
    "a": [
        Scenario(
            "four times what can be done of requests that compute for 2 ms",
            expensive_open_loop,
            {"goodput": Bound(0.85), "p99, times the unloaded one": Bound(3, is_most=True, gives_way=True)},
        )
    ],
    "b": [Scenario("twice what can be done of pages of 50 small rows", cheap_open_loop, {"goodput": Bound(0.65)})],
    "c": [_after_a_pause(count) for count in (64, 200, 400, 800, 1500)],
    "d": [Scenario("1,500 clients that ask again at once", closed_loop_from_the_start, {"of the peak": Bound(0.85)})],
    "e": [
        Scenario(
            "800 clients that give up after 300 ms and come back, and a pause of 1 s",
            impatient_clients,
            {"in time, of the peak": Bound(0.6)},
        )
    ],
    "f": [
        Scenario(
            "first tries at 0.7 of the peak, each that is refused again at once, and a pause of 3 s",
            retried_at_once,
            # Nobody has waited for 100 ms: the order in which requests are served has never changed.
            {"503 a second, 15 s later": Bound(0, is_most=True), "p99 15 s later, ms": Bound(100, is_most=True)},
        )
    ],
}
