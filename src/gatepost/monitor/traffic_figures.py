"""Operations and statements of a while as operators are shown them: of the last minutes, or of any part of a day."""

from collections.abc import Mapping

import msgspec
from msgspec.structs import asdict

from gatepost.metrics import families
from gatepost.monitor.request_sums import RequestFigures, RequestSums

STATEMENTS_MAX = 50

Counts = Mapping[str, float]
"""How much a counter has risen, by its label."""


class OperationState(RequestFigures, frozen=True):
    """An operation of a while; `share_of_time` is that of all requests' wall time."""

    operation: str
    requests_per_second: float
    share_of_time: float


class StatementState(msgspec.Struct, frozen=True):
    """A statement of a while: how often it ran and failed, its wall time altogether, and its rows."""

    statement: str
    count: int
    failures: int
    seconds_total: float
    rows: int


def operation_states(by_operation: Mapping[str, RequestSums], window_seconds: float) -> list[OperationState]:
    """The operations of a while of this length, the most expensive first."""
    all_figures = {operation: sums.figures() for operation, sums in by_operation.items()}
    total = sum(figures.seconds_total for figures in all_figures.values()) or 1.0
    found = [
        OperationState(
            **asdict(figures),
            operation=operation,
            requests_per_second=round(figures.requests / window_seconds, 3),
            share_of_time=round(figures.seconds_total / total, 6),
        )
        for operation, figures in all_figures.items()
    ]
    return sorted(found, key=lambda each: (-each.seconds_total, each.operation))


def statement_states(counters: Mapping[str, Counts]) -> list[StatementState]:
    """The statements of a while from its counters, by their names; those with the most seconds first."""
    counts, failures, seconds, rows = (
        counters.get(family.name, {})
        for family in (
            families.STATEMENTS,
            families.STATEMENT_FAILURES,
            families.STATEMENT_SECONDS,
            families.STATEMENT_ROWS,
        )
    )
    found = [
        StatementState(
            name, int(count), int(failures.get(name, 0)), round(seconds.get(name, 0), 6), int(rows.get(name, 0))
        )
        for name, count in counts.items()
    ]
    return sorted(found, key=lambda each: (-each.seconds_total, each.statement))[:STATEMENTS_MAX]
