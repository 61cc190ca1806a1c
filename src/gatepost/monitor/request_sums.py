"""`RequestSums`: what steps of the history say of requests: how many, how many failed, how long they took."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, percentile
from gatepost.records.steps import Step

NAMES = frozenset(
    {
        families.REQUEST_SECONDS.name,
        families.REQUEST_DATABASE_SECONDS.name,
        families.REQUEST_POOL_WAIT_SECONDS.name,
        families.RESPONSE_BYTES.name,
    }
)
"""The series that are read."""

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
        self._buckets: Counter[int] = Counter()
        self._classes: Counter[str] = Counter()
        self._totals: defaultdict[str, float] = defaultdict(float)
        self.seconds_total = 0.0

    def add_histogram(self, status: str, counts: Mapping[int, int], seconds: float) -> None:
        """Add those of one class of the status."""
        self._buckets.update(counts)
        self._classes[status] += sum(counts.values())
        self.seconds_total += seconds

    def add_total(self, name: str, value: float) -> None:
        """Add to what is counted beside."""
        self._totals[name] += value

    def add(self, other: "RequestSums") -> None:
        """Add all of another."""
        self._buckets.update(other._buckets)
        self._classes.update(other._classes)
        self.seconds_total += other.seconds_total
        for name, value in other._totals.items():
            self._totals[name] += value

    def figures(self) -> RequestFigures:
        """What is shown."""
        buckets = [self._buckets.get(bucket, 0) for bucket in range(BUCKETS)]
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


def sums_by_operation(steps: Iterable[Step], only: str | None = None) -> dict[str, RequestSums]:
    """The requests of some steps by operation; with `only`, of this one alone."""
    found: defaultdict[str, RequestSums] = defaultdict(RequestSums)
    for step in steps:
        for labels, histogram in step.histograms.get(families.REQUEST_SECONDS.name, {}).items():
            values = dict(labels)
            if only is None or values["operation"] == only:
                found[values["operation"]].add_histogram(values["class"], histogram.counts, histogram.seconds)
        for name in NAMES:
            for labels, value in step.counters.get(name, {}).items():
                operation = dict(labels)["operation"]
                if only is None or operation == only:
                    found[operation].add_total(name, value)
    return found


def sums_of_all(by_operation: Mapping[str, RequestSums]) -> RequestSums:
    """Those of all operations together."""
    together = RequestSums()
    for sums in by_operation.values():
        together.add(sums)
    return together
