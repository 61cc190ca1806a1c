"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from gatepost.metrics.buckets import BUCKETS, EDGES, EXPOSED
from gatepost.metrics.families import FAMILIES, OWN_PREFIX, Family
from gatepost.metrics.region import Labels, Region

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

TEMPLATES_MAX = 20_000
"""So many series have their lines made once."""

_ENDS = (0, *(EDGES.index(edge) + 1 for edge in EXPOSED), BUCKETS)
_SLICES = tuple((slice(8 * start, 8 * end), bytes(8 * (end - start))) for start, end in pairwise(_ENDS))
"""The bytes of the buckets between the edges that Prometheus gets, and the same where all of them are empty."""

_LE = (*(f"{edge:g}" for edge in EXPOSED), "+Inf")

_NOT_SUMMED = frozenset({"slowest", "top", "limit"})

Values = Sequence[float]
Summed = dict[str, dict[Labels, Values]]

Histogram = tuple["list[memoryview[int]]", float]
"""The counts of each process, and the sum over all."""

Drawn = tuple[float, int, str]
"""A histogram's sum and the count of its first bucket, with the lines of both. Whatever is observed changes one of the
two: what is too short to change a sum falls into that bucket."""


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
    """Makes the page that is scraped, over and over again. Lines of histograms that have not changed are made once."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, Labels], Drawn] = {}

    def page(self, regions: Sequence[Region], more: Summed | None = None, *, is_open_metrics: bool = False) -> bytes:
        """What the regions have. `more` is what no process has counted."""
        found, histograms = _gathered(regions, None)
        found.update(more or {})
        drawn: dict[tuple[str, Labels], Drawn] = {}
        parts: list[str] = []
        for family in (*FAMILIES, *own_families(regions)):
            if family.name in histograms:
                parts.append(_head(family, is_open_metrics=is_open_metrics))
                for labels, histogram in histograms[family.name].items():
                    key = family.name, labels
                    drawn[key] = lines = _histogram_lines(key, histogram, self._drawn.get(key))
                    parts.append(lines[2])
            elif family.name in found:
                parts.append(_head(family, is_open_metrics=is_open_metrics))
                for labels, cells in found[family.name].items():
                    parts.append(_template(family.name, labels) % _number(cells[0]))
        self._drawn = drawn
        if is_open_metrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()


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


def _histogram_lines(key: tuple[str, Labels], histogram: Histogram, known: Drawn | None) -> Drawn:
    views, seconds = histogram
    first = sum(view[0] for view in views)
    if known is not None and known[0] == seconds and known[1] == first:
        return known
    data = _added(views)
    counts = [0 if (part := data[each]) == empty else sum(memoryview(part).cast("Q")) for each, empty in _SLICES]
    total = list(accumulate(counts))
    return seconds, first, _histogram_template(*key) % (*total, total[-1], _number(seconds))


def _head(family: Family, *, is_open_metrics: bool) -> str:
    # In OpenMetrics a family of counters has the name without the ending of its samples.
    name = family.name.removesuffix("_total") if is_open_metrics else family.name
    return f"# HELP {name} {_escaped_help(family.help)}\n# TYPE {name} {family.kind}\n"


@lru_cache(TEMPLATES_MAX)
def _template(name: str, labels: Labels) -> str:
    """The line of a counter or gauge, to be filled in."""
    inner = _inner(labels)
    return f"{name}{{{inner}}} %s\n" if inner else f"{name} %s\n"


@lru_cache(TEMPLATES_MAX)
def _histogram_template(name: str, labels: Labels) -> str:
    """All lines of a histogram."""
    inner = _inner(labels)
    before = f"{name}_bucket{{{inner}," if inner else f"{name}_bucket{{"
    tail = f"{{{inner}}}" if inner else ""
    buckets = "".join(f'{before}le="{edge}"}} %d\n' for edge in _LE)
    return f"{buckets}{name}_count{tail} %d\n{name}_sum{tail} %s\n"


def _inner(labels: Labels) -> str:
    # Twice the percent sign, because these are templates.
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in labels).replace("%", "%%")


def _number(value: float) -> str:
    if not math.isfinite(value):  # a gauge of the application
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return _escaped_help(value).replace('"', r"\"")


def _escaped_help(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n")
