"""`/state` of the admin listener: how the instance is, in a sentence, with the figures of the last minute behind it.

What the history has is of ten seconds ago; what has been counted since is added, so that it shows what happens now.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
from msgspec.structs import asdict

from gatepost.metrics import families
from gatepost.metrics.families import Family
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.request_sums import RequestFigures, RequestSums, sums_by_operation, sums_of_all
from gatepost.monitor.workers import Worker, workers_in
from gatepost.records.moments import shown_time
from gatepost.records.steps import Step, merged

SECONDS = 60
SECONDS_MAX = 3600
STATEMENTS_MAX = 50

ERRORS_MIN = 5
"""Fewer failed requests say nothing about the instance."""
ERROR_SHARE_MAX = 0.01

Status = Literal["ok", "degraded", "down"]

_COUNTED: Mapping[str, Family] = {
    "retries": families.RETRIES,
    "connections_opened": families.CONNECTIONS_OPENED,
    "outages": families.OUTAGES,
    "away_seconds": families.OUTAGE_SECONDS,
    "shed": families.SHED,
    "unexpected_errors": families.UNKNOWN_ERRORS,
    "worker_deaths": families.WORKER_DEATHS,
}


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


class Window(NamedTuple):
    """What the last `seconds` had."""

    step: Step
    seconds: float
    by_operation: Mapping[str, RequestSums]
    all: RequestFigures


class StatePage:
    """Serves it. `?seconds=` says of how long, SECONDS where it does not."""

    def __init__(self, context: MonitorContext, records: HistoryRecords) -> None:
        self._monitored = context.monitored
        self._database = context.database
        self._records = records
        context.pages.add("GET", "/state", self._page)

    def _page(self, request: Request) -> Page:
        given = request.query.get("seconds", str(SECONDS))
        if not given.isdecimal() or not 10 <= int(given[:6]) <= SECONDS_MAX:
            return json_page(422, {"detail": f"seconds={given} is not a number from 10 to {SECONDS_MAX}."})
        window = self._window(int(given))
        workers = workers_in(self._monitored.memory)
        gauges = {name: round(seen[()].total, 6) for name, seen in _gauges(window.step).items() if () in seen}
        counted = {name: round(_total(window.step, family), 3) for name, family in _COUNTED.items()}
        problems, status = problems_of(workers, window.all, gauges, counted)
        state = {
            "instance": self._monitored.instance,
            "release": self._monitored.release,
            "at": shown_time(time.time()),
            "status": status,
            "sentence": sentence_of(workers, window, problems),
            "problems": problems,
            "window_seconds": round(window.seconds, 1),
            **asdict(window.all),
            "workers": [worker._asdict() for worker in workers],
            "gauges": gauges,
            "counted": counted,
            "codes": _by_label(window.step, families.REFUSALS),
            "limits": _by_label(window.step, families.LIMIT_REFUSALS),
            "operations": _operations(window),
            "statements": _statements(window.step),
            "records": self._database.state,
        }
        return json_page(200, state)

    def _window(self, seconds: int) -> Window:
        latest = self._records.unfinished()
        kept = [
            step for step in self._records.steps(latest.until - seconds, latest.until) if step.until <= latest.since + 1
        ]
        step = merged([*kept, latest])
        by_operation = sums_by_operation([step])
        gauges = latest.gauges  # as they are now
        covered = max(1.0, sum(each.until - each.since for each in (*kept, latest)))
        return Window(
            Step(step.since, step.until, step.counters, step.histograms, gauges, step.left_out),
            covered,
            by_operation,
            sums_of_all(by_operation).figures(),
        )


def problems_of(
    workers: Sequence[Worker],
    requests: RequestFigures,
    gauges: Mapping[str, float],
    counted: Mapping[str, float],
) -> tuple[list[str], Status]:
    """What is wrong, a sentence for each, the worst first; and what that amounts to."""
    found: list[str] = []
    ready = [worker for worker in workers if worker.is_ready and worker.is_alive]
    if not workers:
        found.append("No worker has started.")
    elif not ready:
        found.append("No worker is ready.")
    status: Status = "down" if found else "ok"
    if workers and gauges.get("database_reachable", len(workers)) < max(1, len(ready)):
        found.insert(0, "The database cannot be reached.")
    found += [
        f"Worker {worker.pid} has not reported for {worker.silent_seconds:.0f} s."
        for worker in workers
        if not worker.is_alive
    ]
    if ready and len(ready) < len(workers):
        found.append(f"{len(workers) - len(ready)} of {len(workers)} workers are not ready.")
    if requests.errors >= ERRORS_MIN and requests.errors / requests.requests >= ERROR_SHARE_MAX:
        found.append(f"{_share(requests.errors, requests.requests)} of the requests fail (5xx).")
    if counted["unexpected_errors"]:
        found.append(f"Unexpected errors: {counted['unexpected_errors']:.0f}; see `gatepost errors list`.")
    if counted["worker_deaths"]:
        found.append(f"Workers that died: {counted['worker_deaths']:.0f}; see `gatepost logs --level error`.")
    if counted["shed"]:
        found.append(f"{counted['shed']:.0f} requests were refused because of overload.")
    if waiting := gauges.get("pool_waiting", 0):
        found.append(f"{waiting:.0f} requests wait for a connection to the database.")
    return found, status if status == "down" or not found else "degraded"


def sentence_of(workers: Sequence[Worker], window: Window, problems: Sequence[str]) -> str:
    """The state in a sentence or two."""
    requests = window.all
    ready = sum(worker.is_ready and worker.is_alive for worker in workers)
    figures = f"Workers ready: {ready} of {len(workers)}; {requests.requests / window.seconds:.1f} requests a second"
    if requests.requests:
        failed = _share(requests.errors, requests.requests) if requests.errors else "none"
        figures += f", 95 % of them within {requests.seconds['p95'] * 1000:.4g} ms, {failed} failed"
    return f"{problems[0] if problems else 'All is well.'} {figures}."


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2g} %"


def _operations(window: Window) -> list[OperationState]:
    total = window.all.seconds_total or 1.0
    found: list[OperationState] = []
    for operation, sums in window.by_operation.items():
        figures = sums.figures()
        rate, share = round(figures.requests / window.seconds, 3), round(figures.seconds_total / total, 6)
        found.append(
            OperationState(**asdict(figures), operation=operation, requests_per_second=rate, share_of_time=share)
        )
    return sorted(found, key=lambda each: (-each.seconds_total, each.operation))


def _statements(step: Step) -> list[StatementState]:
    counts, failures, seconds, rows = (
        _by_label(step, family)
        for family in (
            families.STATEMENTS,
            families.STATEMENT_FAILURES,
            families.STATEMENT_SECONDS,
            families.STATEMENT_ROWS,
        )
    )
    found = [
        StatementState(name, int(count), int(failures.get(name, 0)), seconds.get(name, 0), int(rows.get(name, 0)))
        for name, count in counts.items()
    ]
    return sorted(found, key=lambda each: (-each.seconds_total, each.statement))[:STATEMENTS_MAX]


def _gauges(step: Step) -> dict[str, Any]:
    return {name.removeprefix("gatepost_"): seen for name, seen in step.gauges.items()}


def _by_label(step: Step, family: Family) -> dict[str, float]:
    found = {labels[0][1]: round(value, 6) for labels, value in step.counters.get(family.name, {}).items()}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _total(step: Step, family: Family) -> float:
    return sum(step.counters.get(family.name, {}).values())
