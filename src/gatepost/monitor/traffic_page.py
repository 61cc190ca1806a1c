"""`/traffic` of the admin listener: operations, statements and codes of any while of the last day, and one operation's
histogram.

From the ring of the history. Hours that are over are added up once, and kept: a day has thousands of steps.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

from gatepost.metrics import families
from gatepost.metrics.buckets import EDGES
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, text
from gatepost.monitor.request_sums import RequestSums, add_by_operation, sums_of_all
from gatepost.monitor.traffic_figures import operation_states, statement_states
from gatepost.records.step_decoding import OpenedStep, opened
from gatepost.records.step_encoding import encoded

RING_SECONDS = 86_400
HOUR_SECONDS = 3600
SETTLED_SECONDS = 60.0
"""An hour gets no more steps so long after its end."""

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


class Traffic:
    """What a while had: requests by operation, and counters by their name and their label."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.operations: defaultdict[str, RequestSums] = defaultdict(RequestSums)
        self.counters: dict[str, defaultdict[str, float]] = {name: defaultdict(float) for name in _COUNTERS}

    def add_step(self, step: OpenedStep) -> None:
        """Add a step of the history."""
        self.seconds += step.until - step.since
        add_by_operation(self.operations, step)
        for name, counts in self.counters.items():
            for (label, *_), value in step.counters(name):
                counts[label] += value

    def add(self, other: "Traffic") -> None:
        """Add all of another while."""
        self.seconds += other.seconds
        for operation, sums in other.operations.items():
            self.operations[operation].add(sums)
        for name, counts in other.counters.items():
            for label, value in counts.items():
                self.counters[name][label] += value


class TrafficPage:
    """Serves it: `?since=`, `?until=` and `?operation=`."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        self._history = history
        self._hours: dict[int, Traffic] = {}
        context.pages.add("GET", "/traffic", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            until = min(now, moment_asked(request.query, "until", "0s", now))
            since = max(moment_asked(request.query, "since", "1h", now), now - RING_SECONDS)
            operation = text(request.query, "operation")
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
            shown["of_operation"] = _of_operation(operation, found.operations.get(operation, RequestSums()))
        return json_page(200, shown)

    def _between(self, since: float, until: float, now: float) -> Traffic:
        found = Traffic()
        first, last = int(-(-since // HOUR_SECONDS)), int(min(until, now - SETTLED_SECONDS) // HOUR_SECONDS)
        if first >= last:
            self._add_steps(found, since, until)
        else:
            self._add_steps(found, since, first * HOUR_SECONDS)
            for hour in range(first, last):
                found.add(self._of_hour(hour, now))
            self._add_steps(found, last * HOUR_SECONDS, until)
        if until >= now - 1:
            found.add_step(opened(encoded(self._history.unfinished())))
        return found

    def _of_hour(self, hour: int, now: float) -> Traffic:
        """What an hour had that is over."""
        known = self._hours.get(hour)
        if known is None:
            known = Traffic()
            self._add_steps(known, hour * HOUR_SECONDS, (hour + 1) * HOUR_SECONDS)
            oldest = (now - RING_SECONDS) // HOUR_SECONDS
            kept = {each: traffic for each, traffic in self._hours.items() if each >= oldest}
            self._hours = {**kept, hour: known}
        return known

    def _add_steps(self, found: Traffic, since: float, until: float) -> None:
        for step in self._steps(since, until):
            found.add_step(step)

    def _steps(self, since: float, until: float) -> Iterator[OpenedStep]:
        for kept in self._history.ring.steps(since, until):
            if since <= (kept.since + kept.until) / 2 < until:
                try:
                    yield opened(kept.data)
                except ValueError:  # of a version that comes after this one
                    continue


def _of_operation(operation: str, sums: RequestSums) -> dict[str, Any]:
    """`histogram` are the upper edges in seconds (None: above all) with their counts, those that are not empty."""
    edges = (*EDGES, None)
    return {
        "operation": operation,
        "classes": dict(sorted(sums.classes.items())),
        "histogram": [(edges[bucket], count) for bucket, count in enumerate(sums.buckets) if count],
    }


def _largest_first(counts: "defaultdict[str, float]") -> dict[str, float]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
