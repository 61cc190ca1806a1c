"""What each operation costs, from the metrics of all processes: how often, how long, how much of it in the database."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, percentile
from gatepost.metrics.exposition import Summed, sums
from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.slowest import SlowRequest, slowest_in

_NAMES = frozenset(
    {
        families.REQUEST_SECONDS.name,
        families.REQUEST_DATABASE_SECONDS.name,
        families.REQUEST_POOL_WAIT_SECONDS.name,
        families.RESPONSE_BYTES.name,
    }
)

Classes = Mapping[str, Sequence[float]]
"""What is counted by class of the status."""

PERCENTS = (50, 95, 99)


class OperationFigures(msgspec.Struct, frozen=True):
    """An operation since the server began, over all processes. `errors` are its responses 5xx, `refusals` those 4xx;
    `seconds` maps p50, p95 and p99 to wall time; `share_of_time` is that of all requests' wall time; `slowest` are
    those of the last hour."""

    operation: str
    count: int
    errors: int
    refusals: int
    seconds: Mapping[str, float]
    seconds_total: float
    share_of_time: float
    database_seconds: float
    pool_wait_seconds: float
    bytes: int
    slowest: Sequence[SlowRequest]


def operations_in(memory: MetricsMemory) -> list[OperationFigures]:
    """Every operation that has been asked for, the most expensive first."""
    with memory.regions() as regions:
        found = sums(regions, _NAMES)
        slowest = slowest_in((series for region in regions for series in region.series()), time.time())
    by_name = {name: _by_operation(found, name) for name in _NAMES}
    histograms = by_name[families.REQUEST_SECONDS.name]
    total = sum(cells[BUCKETS] for classes in histograms.values() for cells in classes.values()) or 1.0
    figures = [
        _figures(operation, classes, by_name, total, slowest.get(operation, ()))
        for operation, classes in histograms.items()
    ]
    return sorted(figures, key=lambda each: -each.seconds_total)


def _figures(
    operation: str,
    classes: Classes,
    by_name: Mapping[str, Mapping[str, Classes]],
    total: float,
    slowest: Sequence[SlowRequest],
) -> OperationFigures:
    counts = {name: int(sum(cells[:BUCKETS])) for name, cells in classes.items()}
    together = [sum(column) for column in zip(*classes.values(), strict=True)]
    buckets, seconds = together[:BUCKETS], together[BUCKETS]

    def added(family: families.Family) -> float:
        return sum(cells[0] for cells in by_name[family.name].get(operation, {}).values())

    return OperationFigures(
        operation,
        sum(counts.values()),
        counts.get("5xx", 0),
        counts.get("4xx", 0),
        {f"p{percent}": percentile(buckets, percent) for percent in PERCENTS},
        round(seconds, 6),
        round(seconds / total, 6),
        round(added(families.REQUEST_DATABASE_SECONDS), 6),
        round(added(families.REQUEST_POOL_WAIT_SECONDS), 6),
        int(added(families.RESPONSE_BYTES)),
        slowest,
    )


def _by_operation(found: Summed, name: str) -> dict[str, dict[str, Sequence[float]]]:
    """The series of one name by operation and class."""
    ordered: dict[str, dict[str, Sequence[float]]] = {}
    for labels, cells in found.get(name, {}).items():
        values = dict(labels)
        ordered.setdefault(values["operation"], {})[values["class"]] = cells
    return ordered
