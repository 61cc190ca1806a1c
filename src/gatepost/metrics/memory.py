"""The metrics of all processes of a server: a region for each, and one for those that are gone.

Beside the request path. The master makes it before it starts others, who inherit it or get its descriptor. A process
takes a free region; where one has ended, its counters are added to those of the departed and its region is free again:
no counter ever falls when one dies.
"""

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Generator
from fcntl import LOCK_EX, LOCK_UN, lockf
from typing import Any

from gatepost.metrics.clients import fold_clients
from gatepost.metrics.region import LIVE, REGION_BYTES, Region, Series
from gatepost.metrics.slowest import fold_slowest
from gatepost.shared_files import reduced, shared_file


class MetricsMemory:
    """The regions. The first one is that of the departed; `descriptor` is the file that is mapped."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        count = len(self._memory) // REGION_BYTES
        self._departed, *self._regions = (Region(self._memory, number * REGION_BYTES) for number in range(count))
        self._forget_lock()
        # A thread of the parent may hold it when a process is forked.
        os.register_at_fork(after_in_child=self._forget_lock)

    @classmethod
    def shared(cls, name: str, processes: int) -> "MetricsMemory":
        """Memory for so many processes and as many that take their place; `name` is what the system shows."""
        return cls(shared_file(name, (2 * processes + 3) * REGION_BYTES))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled for a process that is being spawned, it is its descriptor."""
        return reduced(MetricsMemory, self.descriptor)

    def take(self) -> Region | None:
        """A region for this process; None where none is free, because more processes live than were counted on."""
        with self._locked():
            self._fold_departed()
            for region in self._regions:
                if region.state != LIVE:
                    region.take(os.getpid())
                    return region
        return None

    @contextlib.contextmanager
    def regions(self) -> Generator[list[Region]]:
        """Those of living processes, and that of the departed. None of them ends or begins within the block: what is
        read there is neither counted twice nor missed."""
        with self._locked():
            self._fold_departed()
            yield [self._departed, *(region for region in self._regions if region.state == LIVE)]

    def _fold_departed(self) -> None:
        for region in self._regions:
            if region.state == LIVE and not _is_alive(region.pid):
                self._fold(region)

    def _fold(self, region: Region) -> None:
        # Who is killed in the middle of this leaves behind how far it came: nothing is added twice but what one series
        # counted, and only where it was killed within the microsecond between the two lines.
        self._departed.load()
        done = region.folded
        for number, series in enumerate(region.series()):
            if number >= done:
                self._fold_series(series)
            region.folded = number + 1
        region.free()

    def _fold_series(self, series: Series) -> None:
        if series.kind == "top":
            fold_clients(self._departed, series)
        elif series.kind == "slowest":
            fold_slowest(self._departed, series, time.time())
        elif series.kind in {"counter", "histogram"}:
            self._departed.fold(series)

    def _forget_lock(self) -> None:
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        # The lock of the file is the process's: it keeps no two threads apart.
        with self._lock:
            lockf(self.descriptor, LOCK_EX, 1)
            try:
                yield
            finally:
                lockf(self.descriptor, LOCK_UN, 1)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
