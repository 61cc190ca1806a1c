"""What each operation costs, and its slowest requests, over all processes."""

import random
import time
from collections.abc import Callable

import pytest

from gatepost.events import Events, RequestFinished
from gatepost.metrics.buckets import percentile
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.recorder import Recorder
from gatepost.metrics.slowest import WINDOW_SECONDS, slowest_in
from gatepost.moments import moment_of
from gatepost.monitor.operations import operations_in

Emit = Callable[[str, str, int, float], None]


@pytest.fixture
def memory() -> MetricsMemory:
    """Memory for two processes."""
    return MetricsMemory.shared("test-operations", 2)


@pytest.fixture
def recorders(memory: MetricsMemory) -> list[tuple[Recorder, Emit]]:
    """Two processes, and what emits a request in each: its id, operation, status and seconds."""

    def made() -> tuple[Recorder, Emit]:
        events, region = Events(), memory.take()
        assert region is not None
        recorder = Recorder(region)
        recorder.subscribe(events)

        def emit(request_id: str, operation: str, status: int, seconds: float) -> None:
            code = None if status < 400 else "refused"
            event = RequestFinished(
                request_id, "GET", "/", "/", operation, status, seconds, seconds / 2, 0.25, 1, 100, "", None, code
            )
            events.emit(event)

        return recorder, emit

    return [made(), made()]


def slowest(memory: MetricsMemory, now: float) -> list[str]:
    """The ids of the slowest requests of `books.list`."""
    with memory.regions() as regions:
        found = slowest_in((series for region in regions for series in region.series()), now)
    return [request.request_id for request in found["books.list"]]


def test_an_operation_has_its_counts_times_and_share(
    memory: MetricsMemory, recorders: list[tuple[Recorder, Emit]]
) -> None:
    (_, one), (_, other) = recorders
    one("a", "books.list", 200, 1.0)
    other("b", "books.list", 500, 2.0)
    other("c", "books.list", 404, 3.0)
    one("d", "books.get", 200, 2.0)
    first, second = operations_in(memory)
    assert (first.operation, first.count, first.errors, first.refusals) == ("books.list", 3, 1, 1)
    assert (first.seconds_total, first.share_of_time, first.database_seconds) == (6.0, 0.75, 3.0)
    assert (first.pool_wait_seconds, first.bytes) == (0.75, 300)
    assert first.seconds["p50"] == pytest.approx(2.0, rel=0.05)
    assert [request.request_id for request in first.slowest] == ["c", "b", "a"]
    assert (first.slowest[0].seconds, first.slowest[0].database_seconds) == (3.0, 1.5)
    assert abs(moment_of(first.slowest[0].at, 0) - time.time()) < 60
    assert (second.operation, second.share_of_time) == ("books.get", 0.25)


def test_percentiles_of_unlike_processes_are_those_of_all_requests(
    memory: MetricsMemory, recorders: list[tuple[Recorder, Emit]]
) -> None:
    generator = random.Random(3)
    times = [generator.lognormvariate(-5, 1) for _ in range(5000)] + [generator.uniform(0.5, 1) for _ in range(300)]
    for number, seconds in enumerate(times):
        recorders[number >= 5000][1]("r", "books.list", 200, seconds)
    [found] = operations_in(memory)
    ordered = sorted(times)
    for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert found.seconds[name] == pytest.approx(ordered[int(len(ordered) * share)], rel=0.05)
    assert percentile([0, 0], 50) == 0.0


def test_the_ten_slowest_of_the_last_hour_are_kept(
    memory: MetricsMemory, recorders: list[tuple[Recorder, Emit]], monkeypatch: pytest.MonkeyPatch
) -> None:
    noon = 1_800_000_000.0 // WINDOW_SECONDS * WINDOW_SECONDS
    now = [noon]
    monkeypatch.setattr("gatepost.metrics.slowest.time.time", lambda: now[0])
    monkeypatch.setattr("gatepost.metrics.recorder.time.time", lambda: now[0])
    for recorder, emit in recorders:
        recorder.tend()
        for number in range(500):
            emit(f"early{number}", "books.list", 200, 1 + number / 1000)
    expected = [f"early{number}" for number in range(499, 494, -1) for _ in range(2)]
    assert slowest(memory, noon) == expected
    now[0] = noon + WINDOW_SECONDS + 5
    recorder, emit = recorders[0]
    recorder.tend()
    for number in range(20):
        emit(f"late{number}", "books.list", 200, number / 1000)
    assert slowest(memory, now[0]) == expected  # they are faster, and these are of the last hour
    assert slowest(memory, noon + 3601) == [f"late{number}" for number in range(19, 9, -1)]
    for window in range(2, 5):  # places are used again
        now[0] = noon + window * WINDOW_SECONDS
        recorder.tend()
        emit(f"window{window}", "books.list", 200, 0.1)
    assert sorted(slowest(memory, now[0])) == ["window2", "window3", "window4"]
