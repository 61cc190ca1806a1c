"""`/heat` of the admin listener: how many requests took how long, step by step, for a map of latency over time.

From the ring of the history, which has the last day. The buckets of the metrics are put together, so that a map of any
while has a few kilobytes.
"""

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, EDGES
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, text
from gatepost.records.step_decoding import OpenedStep, opened
from gatepost.records.step_encoding import encoded

STEPS = 120
RING_SECONDS = 86_400

SHOWN_EDGES: tuple[float, ...] = (
    *(0.00031, 0.0005, 0.00079, 0.00125, 0.002, 0.0031, 0.005, 0.0079, 0.0125, 0.02, 0.031, 0.05, 0.079, 0.125, 0.2),
    *(0.31, 0.5, 0.79, 1.25, 2.0, 3.1, 5.0, 7.9),
)
"""Upper edges in seconds, about five in each decade; the last count is of what took longer."""

_CELLS = tuple(
    next((cell for cell, edge in enumerate(SHOWN_EDGES) if bucket < len(EDGES) and EDGES[bucket] <= edge * 1.001), None)
    for bucket in range(BUCKETS)
)


class _Asked(NamedTuple):
    since: float
    until: float
    operation: str | None

    @property
    def step_seconds(self) -> int:
        return max(1, round((self.until - self.since) / STEPS / STEP_SECONDS)) * STEP_SECONDS


class HeatPage:
    """Serves it: `?since=`, `?until=` and `?operation=`, of all requests where it names none."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        self._history = history
        context.pages.add("GET", "/heat", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            asked = _asked(request.query, now)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        counts: defaultdict[float, list[int]] = defaultdict(lambda: [0] * (len(SHOWN_EDGES) + 1))
        for kept in self._history.ring.steps(asked.since, asked.until):
            _add(counts, opened(kept.data), asked)
        if asked.until >= now - STEP_SECONDS:
            _add(counts, opened(encoded(self._history.unfinished())), asked)
        return json_page(
            200,
            {
                "operation": asked.operation,
                "since": shown_moment(asked.since),
                "step_seconds": asked.step_seconds,
                "edges": SHOWN_EDGES,
                "steps": [{"at": shown_moment(at), "counts": found} for at, found in sorted(counts.items())],
            },
        )


def _add(counts: "defaultdict[float, list[int]]", step: OpenedStep, asked: _Asked) -> None:
    found = counts[step.middle // asked.step_seconds * asked.step_seconds]
    for (operation, _), buckets, _ in step.histograms(families.REQUEST_SECONDS.name):
        if asked.operation is None or operation == asked.operation:
            for bucket, count in buckets:
                cell = _CELLS[bucket]
                found[len(SHOWN_EDGES) if cell is None else cell] += count


def _asked(query: Mapping[str, str], now: float) -> _Asked:
    until = min(now, moment_asked(query, "until", "0s", now))
    since = max(moment_asked(query, "since", "1h", now), now - RING_SECONDS)
    if since >= until:
        raise ValueError("since is not before until.")
    return _Asked(since, until, text(query, "operation"))
