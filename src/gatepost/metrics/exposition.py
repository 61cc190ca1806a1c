"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
import sys
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from itertools import accumulate, pairwise

from gatepost.metrics.buckets import BUCKETS, EDGES, EXPOSED
from gatepost.metrics.families import FAMILIES, OWN_PREFIX, Family
from gatepost.metrics.region import Edition, Labels, Region

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ENDS = (0, *(EDGES.index(edge) + 1 for edge in EXPOSED), BUCKETS)
_SLICES = tuple((slice(8 * start, 8 * end), bytes(8 * (end - start))) for start, end in pairwise(_ENDS))
"""The bytes of the buckets between the edges that Prometheus gets, and the same where all of them are empty."""

_LE = (*(f"{edge:g}" for edge in EXPOSED), "+Inf")

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
        self._families: list[_FamilyLines] = []

    def page(self, regions: Sequence[Region], more: Summed | None = None, *, is_open_metrics: bool = False) -> bytes:
        """What the regions have. `more` is what no process has counted."""
        more = more or {}
        if self._editions != (editions := [region.edition for region in regions]):
            self._families, self._editions = _laid_out(regions), editions
        values, counts = [region.values for region in regions], [region.counts for region in regions]
        parts: list[bytes] = []
        for family, lines in self._families:
            if (told := more.get(family.name)) is not None:
                parts.append(_head(family, is_open_metrics=is_open_metrics).encode())
                parts.extend(
                    (_template(family.name, labels) % _number(cells[0])).encode() for labels, cells in told.items()
                )
            elif lines:
                parts.append(_head(family, is_open_metrics=is_open_metrics).encode())
                parts.extend([line.text(values, counts) for line in lines])
        if is_open_metrics:
            parts.append(b"# EOF\n")
        return b"".join(parts)


class _Lines:
    """What a series is written as, added up over processes, each with a place in its region."""

    __slots__ = ("_places", "_seen", "_template", "_text")

    def __init__(self, template: str) -> None:
        self._places: list[tuple[int, int]] = []
        self._template = template
        self._seen: object = None
        self._text = b""

    def add(self, region: int, place: int) -> None:
        """One more process has it."""
        self._places.append((region, place))

    def text(self, values: "Sequence[memoryview[float]]", counts: "Sequence[memoryview[int]]") -> bytes:
        """Written."""
        raise NotImplementedError


class _NumberLine(_Lines):
    """Of a counter or gauge."""

    __slots__ = ()

    def text(self, values: "Sequence[memoryview[float]]", counts: "Sequence[memoryview[int]]") -> bytes:
        """Written."""
        value = 0.0
        for region, place in self._places:
            value += values[region][place]
        if value != self._seen:
            self._seen, self._text = value, (self._template % _number(value)).encode()
        return self._text


class _HistogramLines(_Lines):
    """Of a histogram. An observation changes its sum, or the count of its first bucket where it is too short to change
    a sum."""

    __slots__ = ()

    def text(self, values: "Sequence[memoryview[float]]", counts: "Sequence[memoryview[int]]") -> bytes:
        """Written."""
        seconds, first = 0.0, 0
        for region, place in self._places:
            seconds += values[region][place + BUCKETS]
            first += counts[region][place]
        if self._seen != (seconds, first):
            data = _added([counts[region][place : place + BUCKETS] for region, place in self._places])
            inside = [
                0 if (part := data[each]) == empty else sum(memoryview(part).cast("Q")) for each, empty in _SLICES
            ]
            total = list(accumulate(inside))
            lines = self._template % (*total, total[-1], _number(seconds))
            self._seen, self._text = (seconds, first), lines.encode()
        return self._text


_FamilyLines = tuple[Family, "list[_Lines]"]


def _laid_out(regions: Sequence[Region]) -> list[_FamilyLines]:
    """The lines of each family."""
    found: dict[str, dict[Labels, _Lines]] = defaultdict(dict)
    for index, region in enumerate(regions):
        for name, kind, labels, place, _ in region.published():
            if kind not in _NOT_SUMMED:
                lines = found[name].get(labels)
                if lines is None:
                    lines = found[name][labels] = (
                        _HistogramLines(_histogram_template(name, labels))
                        if kind == "histogram"
                        else _NumberLine(_template(name, labels))
                    )
                lines.add(index, place)
    return [(family, list(found.get(family.name, {}).values())) for family in (*FAMILIES, *own_families(regions))]


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
    return f"# HELP {name} {_escaped_help(family.help)}\n# TYPE {name} {family.kind}\n"


def _template(name: str, labels: Labels) -> str:
    """The line of a counter or gauge, to be filled in."""
    inner = _inner(labels)
    return f"{name}{{{inner}}} %s\n" if inner else f"{name} %s\n"


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
