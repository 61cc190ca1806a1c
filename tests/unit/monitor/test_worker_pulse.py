"""A worker hangs when it has not reported for a while, and not because somebody has set the machine's clock."""

import time

import pytest

from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.sampler import Sampler
from gatepost.monitor.workers import SILENT_SECONDS, workers_in


class Loop:
    """An event loop that calls nothing by itself."""

    def time(self) -> float:
        return time.monotonic()

    def call_at(self, *arguments: object) -> None:
        """Later."""


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_makes_no_worker_hang_and_hides_none(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    memory = MetricsMemory.shared("test-pulse", 1)
    region = memory.take()
    assert region is not None
    Sampler(region, dict).start(Loop())  # type: ignore[arg-type]
    now, elapsed = time.time() + hours * 3600, time.monotonic()
    monkeypatch.setattr(time, "time", lambda: now)
    [worker] = workers_in(memory)
    assert worker.is_alive
    assert worker.silent_seconds < SILENT_SECONDS
    monkeypatch.setattr(time, "monotonic", lambda: elapsed + SILENT_SECONDS + 1)
    assert not workers_in(memory)[0].is_alive
