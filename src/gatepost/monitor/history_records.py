"""`HistoryRecords`: every ten seconds, what the metrics have counted since, as a step of the history."""

import asyncio
import math
import threading
import time

from gatepost.metrics.sums import Sums, sums
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.longer_steps import SLOT_BYTES, LongerSteps
from gatepost.records.history import HistoryRing, KeptStep, StepSlots
from gatepost.records.last_look import load_look, look_at, save_look, without_metrics
from gatepost.records.record_files import SIZES
from gatepost.records.step_decoding import OpenedStep, decoded, opened
from gatepost.records.step_encoding import encoded
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Step, difference

STEP_SECONDS = 10
RECENT_STEPS = 7
"""So many are kept as they are: those of the last minute."""


class HistoryRecords:
    """Writes the steps into the ring, at the same moments at all instances. Reads it for pages, in their threads."""

    def __init__(self, context: MonitorContext) -> None:
        files = context.monitored.files
        self._memory = context.monitored.memory
        self.ring = HistoryRing(files.descriptor("history"), SIZES["history"])
        slots = StepSlots(files.descriptor("history_longer"), SIZES["history_longer"], SLOT_BYTES)
        self.longer = LongerSteps(self.ring, slots)
        if self.ring.unreadable > 1:
            files.note_unreadable("history", f"{self.ring.unreadable} steps have wrong checksums")
        self._file = files.snapshot("history_look")
        self._lock = threading.Lock()
        self._recent: dict[tuple[int, float], Step] = {}
        self._number, self._at, self._sums = self._begin()

    async def run(self) -> None:
        """Write one at the end of every STEP_SECONDS."""
        while True:
            await asyncio.sleep(_seconds_to_next(time.time()))
            self.record()

    def record(self) -> None:
        """Write what has been counted since the last step. Where the disk is full, it is part of the next one."""
        found, now = self._look()
        step = difference(self._sums, found, self._begin_of(now), now)
        kept = KeptStep(self._number + 1, step.since, now, fitted(step, self.ring.data_bytes_max))
        with self._lock:
            if not self.ring.write(kept):
                return
            # Who is killed between the two: the next monitor writes this step again, up to its own first look.
            save_look(self._file, look_at(found, kept.number, now))
            self._number, self._at, self._sums = kept.number, now, found

    def steps(self, since: float, until: float) -> list[Step]:
        """The steps within these times, the oldest first. For few: each takes some 100 KiB of memory."""
        return [self._decoded(kept) for kept in self.ring.steps(since, until)]

    def _decoded(self, kept: KeptStep) -> Step:
        """Those of the last minute are asked for every few seconds, and decoding one takes 8 ms."""
        recent, key = self._recent, (kept.number, kept.until)
        step = recent.get(key) or decoded(kept.data)
        oldest = self.ring.last - RECENT_STEPS
        if kept.number > oldest and key not in recent:
            self._recent = {key: step, **{each: known for each, known in recent.items() if each[0] > oldest}}
        return step

    def unfinished(self) -> Step:
        """What has been counted since the last step."""
        with self._lock:
            before = self._sums
            found, now = self._look()
            return difference(before, found, self._begin_of(now), now)

    def opened_unfinished(self) -> OpenedStep:
        """The same, as steps of the ring are read."""
        return opened(encoded(self.unfinished()))

    def _look(self) -> tuple[Sums, float]:
        with self._memory.regions() as regions:
            return sums(regions), round(time.time(), 3)

    def _begin_of(self, now: float) -> float:
        """When the step that ends now began; a clock that was set back does not make it end before."""
        return self._at if self._at <= now else now - STEP_SECONDS

    def _begin(self) -> tuple[int, float, Sums]:
        look = load_look(self._file)
        if look is None:  # no monitor of this server has looked before: nothing was counted when it began
            look = look_at(Sums(), self.ring.last, round(time.time(), 3))
            save_look(self._file, look)
        if (found := look.sums) is None:
            found, now = self._look()
            look = without_metrics(look.number, now)
        # A step that is newer than the look is going to be written again.
        self.ring.last = look.number
        return look.number, look.at, found


def _seconds_to_next(now: float) -> float:
    seconds = (math.floor(now / STEP_SECONDS) + 1) * STEP_SECONDS - now
    return seconds if seconds > 1 else seconds + STEP_SECONDS  # woken a little early
