"""`LongerSteps`: the steps of the history's ring, put together in steps of five minutes, in a ring of their own.

A day has 8,640 steps, and reading them all takes seconds; of these it has 288. Those that are missing are made by the
way, the newest first, also of a history that is there already. Where a clock was set back, steps of the ring overlap:
none is made or read until that is a day ago.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from gatepost.records.history import HistoryRing, KeptStep, StepSlots
from gatepost.records.step_decoding import OpenedStep, decoded, opened
from gatepost.records.step_fitting import fitted
from gatepost.records.steps import Step, merged

LONGER_SECONDS = 300
SLOT_BYTES = 16_384
PAUSE_SECONDS = 10.0
PAUSE_SHARE = 9
"""After one was made, the next is waited for so many times as long as that took: a tenth of a core at most."""


class LongerSteps:
    """Makes them, and has them for pages, in their threads. They are kept in `slots`; the number of a step is that of
    its interval since the epoch."""

    def __init__(self, history: HistoryRing, slots: StepSlots) -> None:
        self._history = history
        self._slots = slots
        self._looked_from = self._looked_to = 0
        """The intervals from the one to the other, which is not among them, have been looked at."""

    async def run(self) -> None:
        """Make what is missing, without end: in a daemon thread, which does not delay the end of the monitor."""
        loop = asyncio.get_running_loop()
        while True:
            made: asyncio.Future[float | None] = loop.create_future()
            threading.Thread(target=self._work, args=[loop, made], name="gatepost-longer-steps", daemon=True).start()
            seconds = await made
            await asyncio.sleep(PAUSE_SECONDS if seconds is None else min(PAUSE_SECONDS, PAUSE_SHARE * seconds))

    def find(self, begin: float) -> OpenedStep | None:
        """That of the interval that begins at this moment, a multiple of LONGER_SECONDS. Its length is the time that it
        has steps of."""
        if not self._history.is_ordered:
            return None
        kept = self._slots.read(round(begin / LONGER_SECONDS))
        try:
            return None if kept is None else opened(kept.data)
        except ValueError:  # of a version that comes after this one
            return None

    def make_next(self) -> bool:
        """Make one that is missing; False where none is."""
        history = self._history
        newest, oldest = history.read(history.last), history.read(history.first)
        if newest is None or oldest is None or not history.is_ordered:
            return False
        over, first = int(newest.since // LONGER_SECONDS), int(oldest.since // LONGER_SECONDS) + 1
        return any(self._slots.read(number) is None and self._make(number) for number in self._unlooked(over, first))

    def _unlooked(self, over: int, first: int) -> Iterator[int]:
        """The intervals up to the one that is not over: the new ones, then those before what was looked at."""
        if not self._looked_to:
            self._looked_from = self._looked_to = over
        for number in range(max(self._looked_to, first), over):
            self._looked_to = number + 1
            yield number
        for number in range(self._looked_from - 1, first - 1, -1):
            self._looked_from = number
            yield number

    def _make(self, number: int) -> bool:
        begin = float(number * LONGER_SECONDS)
        end = begin + LONGER_SECONDS
        steps: list[Step] = []
        for kept in self._history.steps(begin, end):
            if begin <= (kept.since + kept.until) / 2 < end:
                with suppress(ValueError):  # of a version that comes after this one
                    steps.append(decoded(kept.data))
        if not steps:
            return False
        covered = sum(step.until - step.since for step in steps)
        step = replace(merged(steps), since=begin, until=begin + covered)
        return self._slots.put(KeptStep(number, begin, end, fitted(step, self._slots.data_bytes_max)))

    def _work(self, loop: asyncio.AbstractEventLoop, made: "asyncio.Future[float | None]") -> None:
        """Make one, and say how long that took; None where none is missing."""
        began, has_made = time.monotonic(), False
        try:
            has_made = self.make_next()
        finally:
            with suppress(RuntimeError):  # the loop may have ended
                loop.call_soon_threadsafe(_tell, made, time.monotonic() - began if has_made else None)


def _tell(made: "asyncio.Future[float | None]", seconds: float | None) -> None:
    if not made.done():
        made.set_result(seconds)
