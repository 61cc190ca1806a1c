"""What each operation costs, from the metrics of all processes: how often, how long, how much of it in the database."""

import time
from collections.abc import Mapping, Sequence

import msgspec

from gatepost.metrics.memory import MetricsMemory
from gatepost.metrics.slowest import SlowRequest, slowest_in
from gatepost.metrics.sums import sums
from gatepost.moments import shown_moment
from gatepost.monitor.request_sums import NAMES, RequestSums, sums_of_counts


class ShownRequest(msgspec.Struct, frozen=True):
    """A request that was among the slowest. `at` is when it was finished (RFC 3339)."""

    request_id: str
    at: str
    seconds: float
    database_seconds: float


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
    slowest: Sequence[ShownRequest]


def operations_in(memory: MetricsMemory) -> list[OperationFigures]:
    """Every operation that has been asked for, the most expensive first."""
    with memory.regions() as regions:
        found = sums_of_counts(sums(regions, NAMES))
        slowest = slowest_in((series for region in regions for series in region.series()), time.time())
    total = sum(each.seconds_total for each in found.values()) or 1.0
    figures = [_figures(operation, each, total, slowest.get(operation, ())) for operation, each in found.items()]
    return sorted(figures, key=lambda each: -each.seconds_total)


def without_requests(operation: str) -> OperationFigures:
    """One that nobody has asked for yet."""
    return _figures(operation, RequestSums(), 1.0, ())


def _figures(
    operation: str, found: RequestSums, total_seconds: float, slowest: Sequence[SlowRequest]
) -> OperationFigures:
    figures = found.figures()
    return OperationFigures(
        operation,
        figures.requests,
        figures.errors,
        figures.refusals,
        figures.seconds,
        figures.seconds_total,
        round(found.seconds_total / total_seconds, 6),
        figures.database_seconds,
        figures.pool_wait_seconds,
        figures.bytes,
        [ShownRequest(each.request_id, shown_moment(each.at), each.seconds, each.database_seconds) for each in slowest],
    )
