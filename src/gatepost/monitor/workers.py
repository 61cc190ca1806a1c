"""How the workers are, from their metrics: whether they report, and whether they are ready."""

import time
from typing import NamedTuple

from gatepost.metrics.families import PULSE, READY
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.sums import sums

SILENT_SECONDS = 10.0
"""A worker that has not reported for so long hangs: it does so once a second."""


class Worker(NamedTuple):
    """A serving process. `silent_seconds` is how long ago it reported."""

    pid: int
    is_ready: bool
    silent_seconds: float

    @property
    def is_alive(self) -> bool:
        """Whether its event loop runs."""
        return self.silent_seconds < SILENT_SECONDS


def workers_in(memory: MetricsMemory) -> list[Worker]:
    """The serving processes that have started, by their number."""
    with memory.regions() as regions:
        found = sums(regions, {READY.name, PULSE.name}).numbers
    ready = {dict(labels)["pid"]: value for labels, value in found.get(READY.name, {}).items()}
    beats = {dict(labels)["pid"]: value for labels, value in found.get(PULSE.name, {}).items()}
    now = time.monotonic()
    return [
        Worker(int(pid), bool(ready.get(pid, 0)), max(0.0, round(now - beat, 3)))
        for pid, beat in sorted(beats.items(), key=lambda item: int(item[0]))
    ]
