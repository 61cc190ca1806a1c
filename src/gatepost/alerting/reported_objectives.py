"""What a worker tells the monitor of the objectives of its application, at its start."""

from bisect import bisect_left

import msgspec

from gatepost.declaring.objectives import MeasuredObjective
from gatepost.metrics.buckets import EDGES
from gatepost.records.reports import Report


class JudgedObjective(msgspec.Struct, frozen=True):
    """An objective. `seconds_max` is a bound of the histograms; None where only failures count."""

    name: str
    share: float
    operations: tuple[str, ...]
    seconds_max: float | None

    @property
    def bad_share_max(self) -> float:
        """The share of requests that may be bad: what is spent of it is what burns."""
        return 1 - self.share


class ObjectivesReported(Report):
    """Those of the application that a worker serves: they stand in place of all before."""

    objectives: list[JudgedObjective]


def reported(objectives: "tuple[MeasuredObjective, ...]") -> ObjectivesReported:
    """The report. How fast is rounded up to the next bound of the histograms, at most 8.7 % above."""
    return ObjectivesReported([judged(each) for each in objectives])


def judged(objective: MeasuredObjective) -> JudgedObjective:
    """One of them."""
    seconds = objective.faster_than
    bound = None if seconds is None else EDGES[bisect_left(EDGES, seconds)]
    return JudgedObjective(objective.name, objective.share, objective.operations, bound)
