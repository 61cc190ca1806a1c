"""`OwnSeries`: the application's own metrics, in the region of its process."""

from functools import partial
from typing import cast

from gatepost.metrics.families import OWN_PREFIX, Family, Kind
from gatepost.metrics.region import Region
from gatepost.own_metrics import OwnMetric, Write


class OwnSeries:
    """Keeps them as `own_metrics.py` asks for it."""

    def __init__(self, region: Region) -> None:
        self._region = region

    def series(self, metric: OwnMetric, values: tuple[str, ...]) -> Write:
        """What writes a series."""
        region, labels = self._region, metric.labels
        name = f"{OWN_PREFIX}{metric.name}"
        if metric.kind == "counter":
            name += "_total"
        elif metric.kind == "gauge":
            labels, values = (*labels, "pid"), (*values, str(region.pid))
        place = region.place(Family(name, cast("Kind", metric.kind), labels, metric.help), values)
        return partial(region.observe if metric.kind == "histogram" else region.set, place)
