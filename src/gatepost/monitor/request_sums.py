"""`RequestSums`: what metrics, or steps of the history, say of requests: how many, how many failed, how long."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, EDGES, percentile
from gatepost.metrics.sums import Sums
from gatepost.records.step_decoding import OpenedStep
from gatepost.records.steps import Step

_HISTOGRAM = families.REQUEST_SECONDS.name
_COUNTERS = (
    families.REQUEST_DATABASE_SECONDS.name,
    families.REQUEST_POOL_WAIT_SECONDS.name,
    families.RESPONSE_BYTES.name,
)
# All of them have these two labels, in this order.
_OPERATION, _CLASS = map(families.REQUEST_SECONDS.labels.index, ("operation", "class"))

NAMES = frozenset({_HISTOGRAM, *_COUNTERS})
"""The metrics that requests are added up from."""

PERCENTS = (50, 95, 99)


class RequestFigures(msgspec.Struct, frozen=True):
    """Requests of a while: `errors` are responses 5xx, `refusals` those 4xx; `seconds` maps p50, p95 and p99 to wall
    time, `seconds_total` is that of all together, as are those of the database and of waiting for a connection."""

    requests: int
    errors: int
    refusals: int
    seconds: Mapping[str, float]
    seconds_total: float
    database_seconds: float
    pool_wait_seconds: float
    bytes: int


class RequestSums:
    """The requests of an operation, or of all of them, added up."""

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self._classes: Counter[str] = Counter()
        self._totals = dict.fromkeys(_COUNTERS, 0.0)
        self.seconds_total = 0.0

    @property
    def buckets(self) -> Sequence[int]:
        """How many requests each bucket has."""
        return [self._buckets.get(bucket, 0) for bucket in range(BUCKETS)]

    @property
    def classes(self) -> Mapping[str, int]:
        """How many responses were of each class of the status, such as 2xx."""
        return self._classes

    def add_histogram(self, status: str, counts: Iterable[tuple[int, int]], seconds: float) -> None:
        """Add those of one class of the status."""
        buckets, observations = self._buckets, 0
        for bucket, count in counts:
            buckets[bucket] = buckets.get(bucket, 0) + count
            observations += count
        self._classes[status] += observations
        self.seconds_total += seconds

    def add_total(self, name: str, value: float) -> None:
        """Add to what is counted beside."""
        self._totals[name] += value

    def add_step(self, step: OpenedStep, only: str | None = None) -> None:
        """Add what a step has of all operations, or of this one."""
        for values, counts, seconds in step.histograms(_HISTOGRAM):
            if only is None or values[_OPERATION] == only:
                self.add_histogram(values[_CLASS], counts, seconds)
        for name in _COUNTERS:
            if only is None:
                self._totals[name] += step.total(name)
                continue
            for values, value in step.counters(name):
                if values[_OPERATION] == only:
                    self._totals[name] += value

    def add(self, other: "RequestSums") -> None:
        """Add all of another."""
        buckets = self._buckets
        for bucket, count in other._buckets.items():
            buckets[bucket] = buckets.get(bucket, 0) + count
        self._classes.update(other._classes)
        self.seconds_total += other.seconds_total
        for name, value in other._totals.items():
            self._totals[name] += value

    @property
    def durations(self) -> list[tuple[float, int]]:
        """How many took how long: upper edges in seconds with their counts, without those of none."""
        return [(EDGES[min(index, len(EDGES) - 1)], count) for index, count in enumerate(self.buckets) if count]

    def figures(self) -> RequestFigures:
        """What is shown."""
        buckets = self.buckets
        return RequestFigures(
            sum(buckets),
            self._classes["5xx"],
            self._classes["4xx"],
            {f"p{percent}": percentile(buckets, percent) for percent in PERCENTS},
            round(self.seconds_total, 6),
            round(self._totals[families.REQUEST_DATABASE_SECONDS.name], 6),
            round(self._totals[families.REQUEST_POOL_WAIT_SECONDS.name], 6),
            round(self._totals[families.RESPONSE_BYTES.name]),
        )


def sums_by_operation(steps: Iterable[Step]) -> dict[str, RequestSums]:
    """The requests of some steps by operation."""
    found: defaultdict[str, RequestSums] = defaultdict(RequestSums)
    for step in steps:
        for labels, histogram in step.histograms.get(_HISTOGRAM, {}).items():
            sums = found[labels[_OPERATION][1]]
            sums.add_histogram(labels[_CLASS][1], histogram.counts.items(), histogram.seconds)
        for name in _COUNTERS:
            for labels, value in step.counters.get(name, {}).items():
                found[labels[_OPERATION][1]].add_total(name, value)
    return found


def add_by_operation(found: "defaultdict[str, RequestSums]", step: OpenedStep) -> None:
    """Add what a step has to the sums of each operation."""
    for values, counts, seconds in step.histograms(_HISTOGRAM):
        found[values[_OPERATION]].add_histogram(values[_CLASS], counts, seconds)
    for name in _COUNTERS:
        for values, value in step.counters(name):
            found[values[_OPERATION]].add_total(name, value)


def sums_of_counts(found: Sums) -> dict[str, RequestSums]:
    """The requests of all processes since the server began, by operation."""
    by_operation: defaultdict[str, RequestSums] = defaultdict(RequestSums)
    for labels, histogram in found.histograms.get(_HISTOGRAM, {}).items():
        operation, name = labels[_OPERATION][1], labels[_CLASS][1]
        by_operation[operation].add_histogram(name, histogram.counts.items(), histogram.seconds)
    for name in _COUNTERS:
        for labels, value in found.numbers.get(name, {}).items():
            by_operation[labels[_OPERATION][1]].add_total(name, value)
    return by_operation


def sums_of_all(by_operation: Mapping[str, RequestSums]) -> RequestSums:
    """Those of all operations together."""
    together = RequestSums()
    for sums in by_operation.values():
        together.add(sums)
    return together
