"""The metrics of all processes of a server: a region for each, and one for those that are gone.

Beside the request path. The master makes it before it starts others, who inherit it or get its descriptor. A process
takes a free region; where one has ended, its counters are added to those of the departed and its region is free again:
no counter ever falls when one dies.

A process holds a lock on a byte of the file as long as its region is its own. The kernel releases it when the process
ends, however it ends: a number of a process may be another's by then, a lock never is. Nobody waits for a lock without
end, because its holder may have been stopped.
"""

import contextlib
import mmap
import os
import threading
import time
from collections.abc import Generator
from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, lockf
from typing import Any

from gatepost.metrics.clients import fold_clients
from gatepost.metrics.region import LIVE, REGION_BYTES, Region, Series
from gatepost.metrics.slowest import fold_slowest
from gatepost.shared_files import reduced, shared_file

LOCK_SECONDS = 1.0
"""How long readers wait for one another, or for who adds the counters of a process to those of the departed: that takes
milliseconds. Who takes longer was stopped."""

RETRY_SECONDS = 0.002

DEPARTED = 0
"""The byte that is locked by who reads the regions, or changes that of the departed; those behind it are the
regions'."""


class MetricsMemory:
    """The regions. The first one is that of the departed; `descriptor` is the file that is mapped."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        count = len(self._memory) // REGION_BYTES
        self._departed, *regions = (Region(self._memory, number * REGION_BYTES) for number in range(count))
        self._regions = dict(enumerate(regions, start=DEPARTED + 1))
        self._is_stuck = False
        self._begin_process()
        os.register_at_fork(after_in_child=self._begin_process)

    @classmethod
    def shared(cls, name: str, processes: int) -> "MetricsMemory":
        """Memory for so many processes and as many that take their place; `name` is what the system shows."""
        return cls(shared_file(name, (2 * processes + 3) * REGION_BYTES))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled for a process that is being spawned, it is its descriptor."""
        return reduced(MetricsMemory, self.descriptor)

    def take(self) -> Region | None:
        """A region for this process; None where none is free, because more processes live than were counted on."""
        with self._locked() as is_alone:
            if is_alone:
                self._fold_departed()
            for number, region in self._regions.items():
                if number not in self._own and self._lock(number):
                    if region.state != LIVE:
                        self._own.add(number)
                        region.take(os.getpid())
                        return region
                    self._unlock(number)
        return None

    @contextlib.contextmanager
    def regions(self) -> Generator[list[Region]]:
        """Those of living processes, and that of the departed. None of them ends within the block: what is read there
        is neither counted twice nor missed.

        Where another process was stopped while it had them, they are read all the same. One that goes on in the midst
        of that may make this one read too much or too little, once.
        """
        with self._locked() as is_alone:
            if is_alone:
                self._fold_departed()
            live = [region for region in self._regions.values() if region.state == LIVE]
            try:
                for region in live:
                    region.is_partly_folded = not is_alone
                yield [self._departed, *live]
            finally:
                for region in live:
                    region.is_partly_folded = False

    def _fold_departed(self) -> None:
        for number, region in self._regions.items():
            if region.state == LIVE and number not in self._own and self._lock(number):
                try:
                    self._fold(region)
                finally:
                    self._unlock(number)

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

    def _begin_process(self) -> None:
        # A thread of the parent may hold the one when a process is forked, and the regions are the parent's.
        self._threads = threading.Lock()
        self._own: set[int] = set()

    @contextlib.contextmanager
    def _locked(self) -> Generator[bool]:
        """Keep other readers out; False where one of another process was stopped."""
        # Locks of the file are the process's: they keep no two threads apart.
        with self._threads:
            is_alone = self._wait_for_lock()
            try:
                yield is_alone
            finally:
                if is_alone:
                    self._unlock(DEPARTED)

    def _wait_for_lock(self) -> bool:
        # Who has waited in vain does not wait again before the lock was free: each look would take so long.
        deadline = time.monotonic() + (0.0 if self._is_stuck else LOCK_SECONDS)
        while not self._lock(DEPARTED):
            if time.monotonic() >= deadline:
                self._is_stuck = True
                return False
            time.sleep(RETRY_SECONDS)
        self._is_stuck = False
        return True

    def _lock(self, number: int) -> bool:
        """Lock one byte, where no other process has it."""
        try:
            lockf(self.descriptor, LOCK_EX | LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # EAGAIN or EACCES: POSIX leaves it open
            return False
        return True

    def _unlock(self, number: int) -> None:
        lockf(self.descriptor, LOCK_UN, 1, number)
