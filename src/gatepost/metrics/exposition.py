"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from gatepost.metrics.buckets import BUCKETS, EDGES, EXPOSED
from gatepost.metrics.families import FAMILIES, Family
from gatepost.metrics.region import Region

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ENDS = (0, *(EDGES.index(edge) + 1 for edge in EXPOSED), BUCKETS)
_SLICES = tuple(pairwise(_ENDS))
_LE = (*(f"{edge:g}" for edge in EXPOSED), "+Inf")

Labels = tuple[tuple[str, str], ...]
Summed = dict[str, dict[Labels, Sequence[float]]]


def sums(regions: Iterable[Region]) -> Summed:
    """By name and labels: the value of a counter or gauge, or the counts of a histogram's buckets and its sum."""
    found: Summed = defaultdict(dict)
    for region in regions:
        for series in region.series():
            labels = tuple(series.labels.items())
            if series.kind == "histogram":
                cells: Sequence[float] = (*series.counts[:BUCKETS].tolist(), series.cells[BUCKETS])
            else:
                cells = series.cells.tolist()
            known = found[series.name].get(labels)
            found[series.name][labels] = (
                cells if known is None else [one + other for one, other in zip(known, cells, strict=True)]
            )
    return found


def exposed(found: Summed, *, is_open_metrics: bool = False) -> bytes:
    """The page that is scraped."""
    lines: list[str] = []
    for family in FAMILIES:
        if family.name in found:
            lines += _lines(family, found[family.name], is_open_metrics=is_open_metrics)
    if is_open_metrics:
        lines.append("# EOF")
    return ("\n".join(lines) + "\n").encode()


def _lines(family: Family, series: Mapping[Labels, Sequence[float]], *, is_open_metrics: bool) -> Iterator[str]:
    # In OpenMetrics a family of counters has the name without the ending of its samples.
    name = family.name.removesuffix("_total") if is_open_metrics else family.name
    yield f"# HELP {name} {family.help}"
    yield f"# TYPE {name} {family.kind}"
    for labels, cells in sorted(series.items()):
        inner = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels)
        if family.kind != "histogram":
            yield f"{family.name}{{{inner}}} {_number(cells[0])}" if inner else f"{family.name} {_number(cells[0])}"
            continue
        before = f"{family.name}_bucket{{{inner}," if inner else f"{family.name}_bucket{{"
        count = 0.0
        for (start, end), edge in zip(_SLICES, _LE, strict=True):
            count += sum(cells[start:end])
            yield f'{before}le="{edge}"}} {_number(count)}'
        tail = f"{{{inner}}}" if inner else ""
        yield f"{family.name}_count{tail} {_number(count)}"
        yield f"{family.name}_sum{tail} {_number(cells[BUCKETS])}"


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
