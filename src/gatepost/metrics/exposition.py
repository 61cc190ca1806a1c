"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

import math
from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
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
_SLICES = tuple(slice(start, end) for start, end in pairwise(_ENDS))
_LE = (*(f"{edge:g}" for edge in EXPOSED), "+Inf")

_NOT_SUMMED = frozenset({"slowest", "top", "limit"})

Values = Sequence[float]
Summed = dict[str, dict[Labels, Values]]
Shorten = Callable[[Sequence[int]], list[float]]


def sums(regions: Iterable[Region], names: Container[str] | None = None, shorten: Shorten = list) -> Summed:
    """By name and labels: the value of a counter or gauge, or the counts of a histogram's buckets and its sum.

    With `names` only those; `shorten` makes fewer counts of those of a histogram, before they are added."""
    found: Summed = defaultdict(dict)
    for region in regions:
        values, counts = region.values, region.counts
        for name, kind, labels, place, _ in region.published():
            if kind in _NOT_SUMMED or (names is not None and name not in names):
                continue
            if kind == "histogram":
                cells = shorten(counts[place : place + BUCKETS].tolist())
                cells.append(values[place + BUCKETS])
            else:
                cells = [values[place]]
            series = found[name]
            known = series.get(labels)
            series[labels] = cells if known is None else [one + other for one, other in zip(known, cells, strict=True)]
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


def exposed(regions: Sequence[Region], more: Summed | None = None, *, is_open_metrics: bool = False) -> bytes:
    """The page that is scraped. `more` is what no process has counted."""
    found = {**sums(regions, shorten=_exposed_counts), **(more or {})}
    parts: list[str] = []
    for family in (*FAMILIES, *own_families(regions)):
        if family.name in found:
            parts += _parts(family, found[family.name], is_open_metrics=is_open_metrics)
    if is_open_metrics:
        parts.append("# EOF\n")
    return "".join(parts).encode()


def _exposed_counts(counts: Sequence[int]) -> list[float]:
    """Those between the edges that Prometheus gets."""
    return [sum(counts[each]) for each in _SLICES]


def _parts(family: Family, series: Mapping[Labels, Values], *, is_open_metrics: bool) -> Iterator[str]:
    # In OpenMetrics a family of counters has the name without the ending of its samples.
    name = family.name.removesuffix("_total") if is_open_metrics else family.name
    yield f"# HELP {name} {_escaped_help(family.help)}\n# TYPE {name} {family.kind}\n"
    template = _histogram_template if family.kind == "histogram" else _template
    for labels, cells in series.items():
        if family.kind == "histogram":
            *counts, total = cells
            yield template(family.name, labels) % (*accumulate(counts), sum(counts), _number(total))
        else:
            yield template(family.name, labels) % _number(cells[0])


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
