"""`Sampler`: once a second, what a process has of everything, as gauges.

Beside the request path, on its event loop: how late it is called tells how late everything else was.
"""

import asyncio
import gc
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping

from gatepost.metrics import families
from gatepost.metrics.region import Region

PERIOD_SECONDS = 1.0
DESCRIPTORS_EVERY = 10
"""Descriptors are counted by listing them, which is dear where there are thousands."""

READINGS: Mapping[str, tuple[families.Family, tuple[str, ...] | None]] = {
    "requests_in_flight": (families.IN_FLIGHT, None),
    "requests_waiting": (families.WAITING, None),
    "pool_connections": (families.POOL_SIZE, None),
    "pool_connections_max": (families.POOL_LIMIT, None),
    "pool_connections_in_use": (families.POOL_IN_USE, None),
    "pool_waiting": (families.POOL_WAITING, None),
    "worker_ready": (families.READY, None),
    "database_reachable": (families.DATABASE_REACHABLE, None),
    "transactions_committed": (families.TRANSACTIONS, ("committed",)),
    "transactions_rolled_back": (families.TRANSACTIONS, ("rolled_back",)),
    "bucket_decisions_local": (families.BUCKET_DECISIONS, ("local",)),
    "bucket_decisions_valkey": (families.BUCKET_DECISIONS, ("valkey",)),
    "access_debug_lines": (families.LOG_LINES, ("access", "debug")),
    "access_lines": (families.LOG_LINES, ("access", "info")),
    "access_errors": (families.LOG_LINES, ("access", "error")),
    "lines_lost_stdout": (families.LOG_LINES_LOST, ("stdout",)),
    "lines_lost_files": (families.LOG_LINES_LOST, ("files",)),
}
"""What the application and its log tell of themselves, by the names that they use; None: a gauge, with the process."""


class Sampler:
    """Writes the gauges of this process into its region. `read` gives what the application tells of itself, `tend` are
    what else is to be done once a second."""

    def __init__(
        self, region: Region, read: Callable[[], Mapping[str, float]], tend: Iterable[Callable[[], None]] = ()
    ) -> None:
        self.region = region
        self._read = read
        self._tend = tuple(tend)
        self._pid = (str(os.getpid()),)
        self._number = 0
        self._due_at = 0.0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin, and go on as long as the loop runs."""
        self._due_at = loop.time()
        self._sample(loop)

    def finish(self) -> None:
        """Write what has happened since the last second. When the process ends."""
        self._write_readings()
        for tend in self._tend:
            tend()

    def _write_readings(self) -> None:
        region = self.region
        for name, value in self._read().items():
            family, labels = READINGS[name]
            region.set(region.place(family, self._pid if labels is None else labels), value)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        region = self.region
        now = loop.time()
        self._set(families.LOOP_LAG, now - self._due_at)
        self._write_readings()
        for tend in self._tend:
            tend()
        self._set(families.MEMORY, resident_bytes())
        region.set(region.place(families.CPU, ()), time.process_time())
        for generation, found in enumerate(gc.get_stats()):
            region.set(region.place(families.GARBAGE, (str(generation),)), found["collections"])
        if self._number % DESCRIPTORS_EVERY == 0:
            self._set(families.DESCRIPTORS, open_descriptors())
        self._number += 1
        self._set(families.LEFT_OUT, region.left_out)
        # Last: a process that has reported has written all of the above.
        self._set(families.BEAT, time.time())
        self._set(families.PULSE, time.monotonic())
        self._due_at = now + PERIOD_SECONDS
        loop.call_at(self._due_at, self._sample, loop)

    def _set(self, family: families.Family, value: float) -> None:
        self.region.set(self.region.place(family, self._pid), value)


def resident_bytes() -> int:
    """Resident memory of this process: now on Linux, the most that it ever had elsewhere."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def open_descriptors() -> int:
    """How many descriptors this process has open; 0 where the system does not tell."""
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return len(os.listdir(folder))
        except OSError:
            continue
    return 0
