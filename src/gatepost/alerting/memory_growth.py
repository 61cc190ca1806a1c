"""`MemoryGrowth`: which processes have become larger and larger, which a busy hour alone does not explain."""

from collections import deque
from collections.abc import Iterable, Iterator

from gatepost.alerting.readings import WorkerReading

MINUTES = 60
GROWTH_FACTOR = 1.5
GROWTH_BYTES_MIN = 64 * 1024 * 1024
PART = 10


class MemoryGrowth:
    """Keeps the resident memory of each process for an hour, a value a minute. `step_seconds` is how long that is."""

    def __init__(self, step_seconds: float = 60.0) -> None:
        self._step_seconds = step_seconds
        self._kept: dict[str, deque[float]] = {}
        self._next_at = 0.0

    def look(self, workers: Iterable[WorkerReading], now: float) -> None:
        """Note how large they are."""
        if now < self._next_at:
            return
        self._next_at = now + self._step_seconds
        found = {worker.pid: worker.resident_bytes for worker in workers}
        self._kept = {pid: self._kept.get(pid, deque(maxlen=MINUTES)) for pid in found}
        for pid, size in found.items():
            self._kept[pid].append(size)

    def grown(self) -> Iterator[tuple[str, float, float]]:
        """Those that are half as large again as an hour ago, by process, with what they had then and have now. The
        least of ten minutes counts: what is needed for a moment is no growth."""
        for pid, sizes in self._kept.items():
            if len(sizes) < MINUTES:
                continue
            then, now = min(list(sizes)[:PART]), min(list(sizes)[-PART:])
            if now > then * GROWTH_FACTOR and now - then > GROWTH_BYTES_MIN:
                yield pid, then, now
