"""A history with steps that are made up, in a real ring."""

from collections import Counter
from collections.abc import Iterator, Sequence

from gatepost.monitor.longer_steps import LongerSteps
from gatepost.records.history import SLOT_BYTES, HistoryRing, KeptStep
from gatepost.records.step_decoding import OpenedStep, opened
from gatepost.records.step_encoding import encoded
from gatepost.records.steps import Step
from gatepost.shared_files import shared_file


class CountedRing(HistoryRing):
    """A ring that counts how often each step was handed out."""

    def __init__(self, slots: int) -> None:
        super().__init__(shared_file("history", slots * SLOT_BYTES), slots * SLOT_BYTES)
        self.handed: Counter[int] = Counter()

    def steps(self, since: float, until: float) -> Iterator[KeptStep]:
        """Those with a part within these times."""
        for step in super().steps(since, until):
            self.handed[step.number] += 1
            yield step


class KeptHistory:
    """Has these steps in its ring; the last one goes on where `goes_on`."""

    def __init__(self, steps: Sequence[Step], *, goes_on: bool = False) -> None:
        over = steps[:-1] if goes_on else steps
        self.longer: LongerSteps | None = None
        self.ring = CountedRing(max(8, 2 * len(over)))
        for step in over:
            self.add(step)
        self._unfinished = steps[-1] if goes_on else Step(steps[-1].until, steps[-1].until)

    def add(self, step: Step) -> None:
        """Write one more."""
        assert self.ring.write(KeptStep(self.ring.last + 1, step.since, step.until, encoded(step)))

    def opened_unfinished(self) -> OpenedStep:
        """What has been counted since."""
        return opened(encoded(self._unfinished))
