"""`/heat` of the admin listener: how many requests took how long, step by step, for a map of latency over time.

From the ring of the history, which has the last day. The buckets of the metrics are put together, and longer ranges
have longer steps, so that a map of any while has a few kilobytes. Those of more than two hours are multiples of the
ring's longer steps, of which alone the map is then read: six hours have 2,160 short ones, which take two seconds.
"""

import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from operator import add
from typing import NamedTuple

from gatepost.metrics import families
from gatepost.metrics.buckets import BUCKETS, EDGES
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import STEP_SECONDS, HistoryRecords
from gatepost.monitor.interval_sums import IntervalSums, kept_lengths
from gatepost.monitor.longer_steps import LONGER_SECONDS
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, text
from gatepost.records.step_decoding import OpenedStep

STEPS_MAX = 125
RING_SECONDS = 86_400
KEPT_MAX = 256
"""Intervals whose cells are kept, of all operations: 40 KB each where there are 200. A map of a day and one of an hour
have as many."""

_LENGTHS = (10, 30, 60, LONGER_SECONDS, 3 * LONGER_SECONDS)

SHOWN_EDGES: tuple[float, ...] = (
    *(0.00031, 0.0005, 0.00079, 0.00125, 0.002, 0.0031, 0.005, 0.0079, 0.0125, 0.02, 0.031, 0.05, 0.079, 0.125, 0.2),
    *(0.31, 0.5, 0.79, 1.25, 2.0, 3.1, 5.0, 7.9),
)
"""Upper edges in seconds, about five in each decade; the last count is of what took longer."""

_CELLS = tuple(
    next(
        (cell for cell, edge in enumerate(SHOWN_EDGES) if bucket < len(EDGES) and EDGES[bucket] <= edge * 1.001),
        len(SHOWN_EDGES),
    )
    for bucket in range(BUCKETS)
)
_NONE = (0,) * (len(SHOWN_EDGES) + 1)


class _Asked(NamedTuple):
    since: float
    until: float
    operation: str | None

    @property
    def step_seconds(self) -> int:
        seconds = self.until - self.since
        return next((each for each in _LENGTHS if seconds / each <= STEPS_MAX), _LENGTHS[-1])


class Cells:
    """How many requests were in which cell, by operation."""

    def __init__(self) -> None:
        self.all = _empty()
        self._by_operation: dict[str, array[int]] = {}

    def add_step(self, step: OpenedStep) -> None:
        """Add a step of the history."""
        for (operation, _), buckets, _ in step.histograms(families.REQUEST_SECONDS.name):
            counts, together = self._counts(operation), self.all
            for bucket, count in buckets:
                cell = _CELLS[bucket]
                counts[cell] += count
                together[cell] += count

    def add(self, other: "Cells") -> None:
        """Add those of another while."""
        self.all = array("I", map(add, self.all, other.all))
        for operation, more in other._by_operation.items():
            self._by_operation[operation] = array("I", map(add, self._counts(operation), more))

    def of(self, operation: str | None) -> "Iterable[int]":
        """The counts of the cells, of one operation or of all of them."""
        return self.all if operation is None else self._by_operation.get(operation, _NONE)

    def _counts(self, operation: str) -> "array[int]":
        counts = self._by_operation.get(operation)
        if counts is None:
            # Each step that is read has its own copy of the name.
            counts = self._by_operation[sys.intern(operation)] = _empty()
        return counts


class HeatPage:
    """Serves it: `?since=`, `?until=` and `?operation=`, of all requests where it names none."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        self._history = history
        self._cells = IntervalSums(history.ring, Cells, KEPT_MAX, history.longer)
        context.pages.add("GET", "/heat", self._page)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            asked = _asked(request.query, now)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        counts: defaultdict[float, list[int]] = defaultdict(lambda: [0] * (len(SHOWN_EDGES) + 1))
        length = asked.step_seconds
        for at, cells in self._cells.between(asked.since, asked.until, kept_lengths(length)):
            _add(counts[at // length * length], cells, asked.operation)
        if asked.until >= now - STEP_SECONDS:
            step, cells = self._history.opened_unfinished(), Cells()
            cells.add_step(step)
            _add(counts[step.middle // length * length], cells, asked.operation)
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


def _empty() -> "array[int]":
    return array("I", _NONE)


def _add(found: list[int], cells: Cells, operation: str | None) -> None:
    found[:] = map(add, found, cells.of(operation))


def _asked(query: Mapping[str, str], now: float) -> _Asked:
    until = min(now, moment_asked(query, "until", "0s", now))
    since = max(moment_asked(query, "since", "1h", now), now - RING_SECONDS)
    if since >= until:
        raise ValueError("since is not before until.")
    return _Asked(since, until, text(query, "operation"))
