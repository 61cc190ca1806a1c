"""`Step`: what the metrics of an instance have counted within a while, so that such whiles can be added.

Off the request path. Histograms are kept as they are, never as percentiles: those of several whiles, or of several
instances, are added bucket by bucket, and the percentile of the sum is that of all requests.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from gatepost.metrics.families import BEAT, LOOP_LAG, PULSE
from gatepost.metrics.region import Labels
from gatepost.metrics.sums import Histogram, Sums

V = TypeVar("V", "Histogram", "Gauge")

_EMPTY = Histogram({}, 0.0)


class Gauge(NamedTuple):
    """A value that was looked at so many times, over all processes: the sum of what was seen, and the most."""

    samples: int
    total: float
    most: float

    def plus(self, other: "Gauge") -> "Gauge":
        """Both together."""
        return Gauge(self.samples + other.samples, self.total + other.total, max(self.most, other.most))


@dataclass(frozen=True)
class Step:
    """From `since` to `until`, in seconds since the epoch: what each counter and histogram got more, and the gauges, by
    name and labels. `left_out` is how many series of it are in the sums called `other`."""

    since: float
    until: float
    counters: dict[str, dict[Labels, float]] = field(default_factory=dict[str, dict[Labels, float]])
    histograms: dict[str, dict[Labels, Histogram]] = field(default_factory=dict[str, dict[Labels, Histogram]])
    gauges: dict[str, dict[Labels, Gauge]] = field(default_factory=dict[str, dict[Labels, Gauge]])
    left_out: int = 0

    @property
    def middle(self) -> float:
        """The moment that says which longer while it is part of: its ends may be a little off."""
        return (self.since + self.until) / 2


def difference(before: Sums, after: Sums, since: float, until: float) -> Step:
    """What has been counted between two looks at the metrics, with the gauges of the second."""
    step = Step(since, until)
    for name, series in after.numbers.items():
        if name.endswith("_total"):
            step.counters[name] = _changed(series, before.numbers.get(name, {}))
        elif name not in {BEAT.name, PULSE.name}:
            step.gauges[name] = _gauges(series, adds=name != LOOP_LAG.name)
    for name, histograms in after.histograms.items():
        step.histograms[name] = _histograms(histograms, before.histograms.get(name, {}))
    for family in (step.counters, step.histograms, step.gauges):
        for name in [name for name, values in family.items() if not values]:
            del family[name]
    return step


def merged(steps: Iterable[Step]) -> Step:
    """Several steps as one, from the first beginning to the last end: one after the other, or of several instances."""
    counters: dict[str, dict[Labels, float]] = defaultdict(dict)
    histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)
    gauges: dict[str, dict[Labels, Gauge]] = defaultdict(dict)
    since, until, left_out = math.inf, -math.inf, 0
    for step in steps:
        since, until, left_out = min(since, step.since), max(until, step.until), max(left_out, step.left_out)
        for name, values in step.counters.items():
            known = counters[name]
            for labels, value in values.items():
                known[labels] = known.get(labels, 0) + value
        for name, found in step.histograms.items():
            add_all(histograms[name], found)
        for name, seen in step.gauges.items():
            add_all(gauges[name], seen)
    return Step(since, until, dict(counters), dict(histograms), dict(gauges), left_out)


def add_all(known: "dict[Labels, V]", more: "Mapping[Labels, V]") -> None:
    """Add histograms or gauges to those of the same labels."""
    for labels, value in more.items():
        before = known.get(labels)
        known[labels] = value if before is None else before.plus(value)


def _changed(series: Mapping[Labels, float], known: Mapping[Labels, float]) -> dict[Labels, float]:
    found = {labels: value - known.get(labels, 0) for labels, value in series.items()}
    return {labels: value for labels, value in found.items() if value > 0 and math.isfinite(value)}


def _histograms(series: Mapping[Labels, Histogram], known: Mapping[Labels, Histogram]) -> dict[Labels, Histogram]:
    found: dict[Labels, Histogram] = {}
    for labels, histogram in series.items():
        before = known.get(labels, _EMPTY)
        counts = {
            bucket: count - before.counts.get(bucket, 0)
            for bucket, count in histogram.counts.items()
            if count > before.counts.get(bucket, 0)
        }
        if counts:
            found[labels] = Histogram(counts, max(0.0, histogram.seconds - before.seconds))
    return found


def _gauges(series: Mapping[Labels, float], *, adds: bool) -> dict[Labels, Gauge]:
    """Those of all processes together: added, or the greatest of them."""
    found: dict[Labels, float] = {}
    for labels, value in series.items():
        others = tuple(pair for pair in labels if pair[0] != "pid")
        before = found.get(others)
        if math.isfinite(value):
            found[others] = value if before is None else before + value if adds else max(before, value)
    return {labels: Gauge(1, value, value) for labels, value in found.items()}
