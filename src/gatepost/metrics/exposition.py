"""The regions as Prometheus reads them: its text format, or OpenMetrics 1.0 where that is asked for.

Off the request path. Series of several processes with the same labels are summed; gauges name their process.
https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from collections.abc import Iterable, Sequence
from typing import Any

from gatepost.metrics.families import FAMILIES, OWN_PREFIX, Family
from gatepost.metrics.region import Edition, Region
from gatepost.metrics.series_lines import (
    FamilyLines,
    HistogramLines,
    NumberLines,
    escaped_help,
    line_template,
    number_text,
)
from gatepost.metrics.sums import NOT_SUMMED, Numbers

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


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

    def page(self, regions: Sequence[Region], more: Numbers | None = None, *, is_open_metrics: bool = False) -> bytes:
        """What the regions have. `more` is what no process has counted."""
        more = more or {}
        if self._editions != (editions := [region.edition for region in regions]):
            self._families, self._editions = _laid_out(regions), editions
        values, counts = [region.values for region in regions], [region.counts for region in regions]
        parts: list[bytes] = []
        for family, lines in self._families:
            if (told := more.get(family.name)) is not None:
                texts: Sequence[bytes] = [
                    line_template(family.name, labels).encode() % number_text(value) for labels, value in told.items()
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
            if kind not in NOT_SUMMED and name in found:
                found[name].add(labels, index, place)
    return [(family, found[family.name]) for family in families]


def _head(family: Family, *, is_open_metrics: bool) -> str:
    # In OpenMetrics a family of counters has the name without the ending of its samples.
    name = family.name.removesuffix("_total") if is_open_metrics else family.name
    return f"# HELP {name} {escaped_help(family.help)}\n# TYPE {name} {family.kind}\n"
