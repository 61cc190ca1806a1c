"""`/traffic` of the admin listener: operations, statements and codes of any while of the last day, and one operation's
histogram.

From the ring of the history. Hours, and shorter intervals at both ends, are added up once, and kept: a day has
thousands of steps.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from gatepost.metrics import families
from gatepost.metrics.buckets import EDGES
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.interval_sums import IntervalSums
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, text
from gatepost.monitor.request_sums import RequestSums, add_by_operation, sums_of_all
from gatepost.monitor.traffic_figures import operation_states, statement_states
from gatepost.records.step_decoding import OpenedStep

RING_SECONDS = 86_400
LENGTHS = (3600, 600, 60)
"""Of the intervals whose sums are kept, in seconds."""
KEPT_MAX = 60
"""Of those, which have up to some 300 KB each where there are 200 operations: a day is made of at most 52."""

_COUNTERS = tuple(
    family.name
    for family in (
        families.REFUSALS,
        families.STATEMENTS,
        families.STATEMENT_FAILURES,
        families.STATEMENT_SECONDS,
        families.STATEMENT_ROWS,
    )
)
_BY_CODE = (families.REQUEST_REFUSALS.name, families.FAILURES.name)


class Traffic:
    """What a while had: requests by operation, counters by their name and their label, and how many responses of an
    operation had which code."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.operations: defaultdict[str, RequestSums] = defaultdict(RequestSums)
        self.counters: dict[str, defaultdict[str, float]] = {name: defaultdict(float) for name in _COUNTERS}
        self.codes: defaultdict[tuple[str, str], float] = defaultdict(float)

    def add_step(self, step: OpenedStep) -> None:
        """Add a step of the history."""
        self.seconds += step.until - step.since
        add_by_operation(self.operations, step)
        for name, counts in self.counters.items():
            for (label, *_), value in step.counters(name):
                counts[label] += value
        for name in _BY_CODE:
            for (operation, code), value in step.counters(name):
                self.codes[operation, code] += value

    def add(self, other: "Traffic") -> None:
        """Add all of another while."""
        self.seconds += other.seconds
        for operation, sums in other.operations.items():
            self.operations[operation].add(sums)
        for name, counts in other.counters.items():
            for label, value in counts.items():
                self.counters[name][label] += value
        for key, value in other.codes.items():
            self.codes[key] += value


class TrafficPage:
    """Serves it: `?since=` and `?until=`; with `?operation=` the histogram and the codes of an operation as well, with
    `?code=` which operations responded with it."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        self._history = history
        self._kept = IntervalSums(history.ring, Traffic, KEPT_MAX, history.longer)
        context.pages.add("GET", "/traffic", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            until = min(now, moment_asked(request.query, "until", "0s", now))
            since = max(moment_asked(request.query, "since", "1h", now), now - RING_SECONDS)
            operation, code = text(request.query, "operation"), text(request.query, "code")
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        if since >= until:
            return json_page(422, {"detail": "since is not before until, or more than a day ago."})
        found = self._between(since, until, now)
        seconds = max(1.0, found.seconds)
        shown: dict[str, Any] = {
            "since": shown_moment(since),
            "until": shown_moment(until),
            "window_seconds": round(seconds, 1),
            **asdict(sums_of_all(found.operations).figures()),
            "operations": operation_states(found.operations, seconds),
            "codes": _largest_first(found.counters[families.REFUSALS.name]),
            "statements": statement_states(found.counters),
        }
        if operation is not None:
            sums = found.operations.get(operation, RequestSums())
            codes = {of: count for (name, of), count in found.codes.items() if name == operation}
            shown["of_operation"] = {**_of_operation(operation, sums), "codes": _largest_first(codes)}
        if code is not None:
            operations = {name: count for (name, of), count in found.codes.items() if of == code}
            shown["of_code"] = {"code": code, "operations": _largest_first(operations)}
        return json_page(200, shown)

    def _between(self, since: float, until: float, now: float) -> Traffic:
        found = self._kept.total(since, until, LENGTHS)
        if until >= now - 1:
            found.add_step(self._history.opened_unfinished())
        return found


def _of_operation(operation: str, sums: RequestSums) -> dict[str, Any]:
    """`histogram` are the upper edges in seconds (None: above all) with their counts, those that are not empty."""
    edges = (*EDGES, None)
    return {
        "operation": operation,
        "classes": dict(sorted(sums.classes.items())),
        "histogram": [(edges[bucket], count) for bucket, count in enumerate(sums.buckets) if count],
    }


def _largest_first(counts: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
