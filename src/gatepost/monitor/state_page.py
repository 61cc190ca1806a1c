"""`/state` of the admin listener: how the instance is, in a sentence, since when, and the figures of the last minute.

What the history has is of ten seconds ago; what has been counted since is added, so that it shows what happens now.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import asdict

from gatepost.metrics import families
from gatepost.metrics.families import Family
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.incident_records import SECONDS, IncidentRecords
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.problems import shown_share
from gatepost.monitor.query_values import whole_number
from gatepost.monitor.traffic_figures import operation_states, statement_states
from gatepost.monitor.windows import Window, last_window
from gatepost.monitor.workers import Worker
from gatepost.records.steps import Step

SECONDS_MIN = 10
SECONDS_MAX = 3600

_COUNTED: Mapping[str, Family] = {
    "retries": families.RETRIES,
    "connections_opened": families.CONNECTIONS_OPENED,
    "outages": families.OUTAGES,
    "away_seconds": families.OUTAGE_SECONDS,
    "shed": families.SHED,
    "unexpected_errors": families.UNKNOWN_ERRORS,
    "worker_deaths": families.WORKER_DEATHS,
    "reports_lost": families.REPORTS_LOST,
    "errors_left_out": families.ERRORS_LEFT_OUT,
}


class StatePage:
    """Serves it. `?seconds=` says of how long the figures are, SECONDS where it does not; what is
    wrong is judged by the last minute, always. `backups` says how they are at a moment (seconds since the epoch)."""

    def __init__(
        self,
        context: MonitorContext,
        records: HistoryRecords,
        incidents: IncidentRecords,
        backups: Callable[[float], str | None],
    ) -> None:
        self._monitored = context.monitored
        self._database = context.database
        self._records = records
        self._incidents = incidents
        self._backups = backups
        context.pages.add("GET", "/state", self._page)

    def _page(self, request: Request) -> Page:
        try:
            seconds = whole_number(request.query, "seconds", SECONDS, SECONDS_MIN, SECONDS_MAX)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        judged = self._incidents.look()
        window = judged.window if seconds == self._incidents.seconds else last_window(self._records, seconds)
        state = {
            "instance": self._monitored.instance,
            "release": self._monitored.release,
            "at": shown_moment(judged.now),
            "status": judged.problems.status,
            "sentence": f"{judged.sentence} {figures_of(judged.workers, window)}",
            "problems": judged.problems.sentences,
            "incident": self._incidents.shown(judged),
            "window_seconds": round(window.seconds, 1),
            **asdict(window.all),
            "workers": [worker._asdict() for worker in judged.workers],
            "gauges": window.gauges,
            "counted": {name: round(window.total(family), 3) for name, family in _COUNTED.items()},
            "codes": _by_label(window.step, families.REFUSALS.name),
            "limits": _by_label(window.step, families.LIMIT_REFUSALS.name),
            "operations": operation_states(window.by_operation, window.seconds),
            "statements": statement_states({name: _by_label(window.step, name) for name in window.step.counters}),
            "records": self._database.state,
            "backups": self._backups(judged.now),
        }
        return json_page(200, state)


def figures_of(workers: Sequence[Worker], window: Window) -> str:
    """The workers and requests in a sentence."""
    requests = window.all
    ready = sum(worker.is_ready and worker.is_alive for worker in workers)
    figures = f"Workers ready: {ready} of {len(workers)}; {requests.requests / window.seconds:.1f} requests a second"
    if requests.requests:
        failed = shown_share(requests.errors / requests.requests) if requests.errors else "none"
        figures += f", 95 % of them within {requests.seconds['p95'] * 1000:.4g} ms, {failed} failed"
    return f"{figures}."


def _by_label(step: Step, name: str) -> dict[str, float]:
    found = {labels[0][1]: round(value, 6) for labels, value in step.counters.get(name, {}).items() if labels}
    return dict(sorted(found.items(), key=lambda item: -item[1]))
