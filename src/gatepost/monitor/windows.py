"""`Window`: what the last while had, added up of the steps of the history and of what has been counted since."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatepost.metrics.families import Family
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.request_sums import RequestFigures, RequestSums, sums_by_operation, sums_of_all
from gatepost.records.steps import Step, merged


class Window(NamedTuple):
    """The last `seconds`: its `steps`, the oldest first, and all of them as one `step`, whose gauges are those of
    now."""

    steps: Sequence[Step]
    step: Step
    seconds: float
    by_operation: Mapping[str, RequestSums]
    all: RequestFigures

    @property
    def gauges(self) -> dict[str, float]:
        """What is so now, over all processes, by names without `gatepost_`."""
        found = self.step.gauges.items()
        return {name.removeprefix("gatepost_"): round(seen[()].total, 6) for name, seen in found if () in seen}

    def total(self, family: Family) -> float:
        """How much a counter has risen, over all labels."""
        return sum(self.step.counters.get(family.name, {}).values())


def window_of(steps: Sequence[Step]) -> Window:
    """That of these steps, the newest of which is the present one."""
    latest, together = steps[-1], merged(steps)
    by_operation = sums_by_operation([together])
    return Window(
        steps,
        Step(
            together.since,
            together.until,
            together.counters,
            together.histograms,
            latest.gauges,
            together.left_out,
        ),
        max(1.0, sum(each.until - each.since for each in steps)),
        by_operation,
        sums_of_all(by_operation).figures(),
    )


def last_window(records: HistoryRecords, seconds: float) -> Window:
    """That of the last `seconds`, up to now."""
    latest = records.unfinished()
    kept = records.steps(latest.until - seconds, latest.until)
    return window_of([*(step for step in kept if step.until <= latest.since + 1), latest])
