"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from typing import Any

from gatepost.metrics.buckets import BUCKETS
from gatepost.metrics.families import FAMILIES, OWN_PREFIX, Family
from gatepost.metrics.region import Edition, Labels, Region
from gatepost.metrics.series_lines import (
    FamilyLines,
    HistogramLines,
    NumberLines,
    escaped_help,
    line_template,
    number_text,
)

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_NOT_SUMMED = frozenset({"slowest", "top", "limit"})

Values = Sequence[float]
Summed = dict[str, dict[Labels, Values]]

Histogram = tuple["list[memoryview[int]]", float]
"""The counts of each process, and the sum over all."""


def sums(regions: Iterable[Region], names: Container[str] | None = None) -> Summed:
    """By name and labels: the value of a counter or gauge, or the counts of a histogram's buckets and its sum. With
    `names` only those."""
    found, histograms = _gathered(regions, names)
    for name, series in histograms.items():
        found[name] = {
            labels: [*memoryview(_added(views)).cast("Q").tolist(), seconds]
            for labels, (views, seconds) in series.items()
        }
    return found


def own_families(regions: Iterable[Region]) -> list[Family]:
    """What the application counts by itself."""
    found = {
        line.name: Family(line.name, line.kind, (), line.help)
        for region in regions
        for line in region.published()
        if line.name.startswith(OWN_PREFIX)
    }
    return [found[name] for name in sorted(found)]


class Exposition:
    """Makes the page that is scraped, over and over again. What the lines are is found once for as long as no series is
    added, and each is written again only when its value has changed."""

    def __init__(self) -> None:
        self._editions: list[Edition] | None = None
        self._families: list[tuple[Family, FamilyLines[Any]]] = []

    def page(self, regions: Sequence[Region], more: Summed | None = None, *, is_open_metrics: bool = False) -> bytes:
        """What the regions have. `more` is what no process has counted."""
        more = more or {}
        if self._editions != (editions := [region.edition for region in regions]):
            self._families, self._editions = _laid_out(regions), editions
        values, counts = [region.values for region in regions], [region.counts for region in regions]
        parts: list[bytes] = []
        for family, lines in self._families:
            if (told := more.get(family.name)) is not None:
                texts: Sequence[bytes] = [
                    line_template(family.name, labels).encode() % number_text(cells[0])
                    for labels, cells in told.items()
                ]
            else:
                texts = lines.texts(values, counts)
            if texts or told is not None:
                parts += (_head(family, is_open_metrics=is_open_metrics).encode(), *texts)
        if is_open_metrics:
            parts.append(b"# EOF\n")
        return b"".join(parts)


def _laid_out(regions: Sequence[Region]) -> list[tuple[Family, FamilyLines[Any]]]:
    """The lines of each family."""
    families = (*FAMILIES, *own_families(regions))
    found = {
        family.name: (HistogramLines if family.kind == "histogram" else NumberLines)(family.name) for family in families
    }
    for index, region in enumerate(regions):
        for name, kind, labels, place, _ in region.published():
            if kind not in _NOT_SUMMED and name in found:
                found[name].add(labels, index, place)
    return [(family, found[family.name]) for family in families]


def _gathered(
    regions: Iterable[Region], names: Container[str] | None
) -> tuple[Summed, dict[str, dict[Labels, Histogram]]]:
    """Counters and gauges, added up, and the histograms of all processes beside each other."""
    found: Summed = defaultdict(dict)
    histograms: dict[str, dict[Labels, Histogram]] = defaultdict(dict)
    for region in regions:
        values, counts = region.values, region.counts
        for name, kind, labels, place, _ in region.published():
            if kind in _NOT_SUMMED or (names is not None and name not in names):
                continue
            if kind == "histogram":
                views, seconds = histograms[name].get(labels) or ([], 0.0)
                views.append(counts[place : place + BUCKETS])
                histograms[name][labels] = views, seconds + values[place + BUCKETS]
            else:
                series = found[name]
                known = series.get(labels)
                series[labels] = [values[place]] if known is None else [known[0] + values[place]]
    return found, histograms


def _added(views: "Sequence[memoryview[int]]") -> bytes:
    """The counts of all processes, bucket by bucket."""
    if len(views) == 1:
        return views[0].tobytes()
    # As one number of many digits: no count comes near 2**64, so none is carried into that of the next bucket.
    return sum(int.from_bytes(view, sys.byteorder) for view in views).to_bytes(8 * BUCKETS, sys.byteorder)


def _head(family: Family, *, is_open_metrics: bool) -> str:
    # In OpenMetrics a family of counters has the name without the ending of its samples.
    name = family.name.removesuffix("_total") if is_open_metrics else family.name
    return f"# HELP {name} {escaped_help(family.help)}\n# TYPE {name} {family.kind}\n"
