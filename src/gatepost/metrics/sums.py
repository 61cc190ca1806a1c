"""`Sums`: what the processes of a server have counted together, at one look.

Off the request path. Of a histogram only buckets with values are kept: an operation has values in few of them.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gatepost.metrics.buckets import BUCKETS, bucket_slices
from gatepost.metrics.region import Labels, Region

NOT_SUMMED = frozenset({"slowest", "top", "limit"})
"""The kinds of series that are tables."""

_PARTS = bucket_slices((*range(0, BUCKETS, 14), BUCKETS))
"""Small ones: most have no value."""


class Histogram(NamedTuple):
    """How many values fell into which bucket (`buckets.py`), and their sum in seconds."""

    counts: Mapping[int, int]
    seconds: float

    def plus(self, other: "Histogram") -> "Histogram":
        """Both together."""
        counts = dict(self.counts)
        for bucket, count in other.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
        return Histogram(counts, self.seconds + other.seconds)

    @property
    def buckets(self) -> list[int]:
        """The counts of all buckets."""
        return [self.counts.get(bucket, 0) for bucket in range(BUCKETS)]

    @property
    def observations(self) -> int:
        """How many values."""
        return sum(self.counts.values())


Numbers = dict[str, dict[Labels, float]]
Histograms = dict[str, dict[Labels, Histogram]]


@dataclass(frozen=True)
class Sums:
    """Counters and gauges, and histograms, by name and labels."""

    numbers: Numbers = field(default_factory=lambda: defaultdict(dict))
    histograms: Histograms = field(default_factory=lambda: defaultdict(dict))


def sums(regions: Iterable[Region], names: Container[str] | None = None) -> Sums:
    """Those of all series, or of those with these names."""
    found = Sums()
    for region in regions:
        values, counts = region.values, region.counts
        for name, kind, labels, place, _ in region.published():
            if kind in NOT_SUMMED or (names is not None and name not in names):
                continue
            if kind == "histogram":
                known = found.histograms[name].get(labels)
                added = {} if known is None else dict(known.counts)
                _add(added, counts[place : place + BUCKETS])
                seconds = values[place + BUCKETS] + (0.0 if known is None else known.seconds)
                found.histograms[name][labels] = Histogram(added, seconds)
            else:
                series = found.numbers[name]
                series[labels] = series.get(labels, 0.0) + values[place]
    return found


def _add(counts: dict[int, int], cells: "memoryview[int]") -> None:
    """Add the buckets of a process."""
    data = cells.tobytes()
    for start, place, empty, unpack in _PARTS:
        if (part := data[place]) != empty:
            for bucket, count in enumerate(unpack(part), start):
                if count:
                    counts[bucket] = counts.get(bucket, 0) + count
