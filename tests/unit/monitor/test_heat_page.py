"""`/heat`: every request of a while is in one cell, at its time and its duration."""

import time
from typing import Any

import msgspec
import pytest
from tests.unit.monitor.kept_history import KeptHistory

from gatepost.metrics.buckets import BUCKETS, EDGES
from gatepost.metrics.sums import Histogram
from gatepost.monitor.heat_page import SHOWN_EDGES, HeatPage
from gatepost.monitor.page_table import PageTable, Request
from gatepost.records.steps import Step


class Context:
    """What the page needs of a monitor."""

    def __init__(self) -> None:
        from gatepost.events import Events

        self.pages = PageTable(Events())


def step(since: float, until: float, counts: dict[str, dict[int, int]]) -> Step:
    """A step with these buckets by operation."""
    found = {(("operation", name), ("class", "2xx")): Histogram(buckets, 1.0) for name, buckets in counts.items()}
    return Step(since, until, histograms={"gatepost_request_duration_seconds": found} if found else {})


def asked(steps: list[Step], query: dict[str, str]) -> Any:
    """The page."""
    context: Any = Context()
    history: Any = KeptHistory(steps, goes_on=True)
    HeatPage(context, history)
    page = context.pages.find(Request("GET", "/heat", "", b"", "uid 0", query))
    return page.status, msgspec.json.decode(page.body)


def test_each_request_is_in_one_cell() -> None:
    now = time.time()
    every = dict.fromkeys(range(BUCKETS), 1)
    status, shown = asked([step(now - 20, now - 10, {"books.list": every}), step(now - 10, now, {})], {"since": "10m"})
    assert (status, shown["edges"], shown["step_seconds"]) == (200, list(SHOWN_EDGES), 10)
    cells = [sum(column) for column in zip(*(each["counts"] for each in shown["steps"]), strict=True)]
    assert sum(cells) == BUCKETS
    assert 0 not in cells
    slow = sum(1 for edge in EDGES if edge > SHOWN_EDGES[-1] * 1.001) + 1
    assert cells[-1] == slow


def test_one_operation_and_one_while_are_shown_alone() -> None:
    now = time.time()
    steps = [
        step(now - 7200, now - 7190, {"books.list": {100: 5}}),
        step(now - 100, now - 90, {"books.list": {100: 7}, "orders.create": {120: 9}}),
        step(now - 10, now, {"books.list": {100: 1}}),
    ]
    total = {
        name: sum(sum(each["counts"]) for each in asked(steps, query)[1]["steps"])
        for name, query in {
            "an hour": {},
            "a day": {"since": "1d"},
            "one": {"operation": "orders.create"},
            "then": {"since": "3h", "until": "1h"},
            "none": {"operation": "planets.list"},
        }.items()
    }
    assert total == {"an hour": 17, "a day": 22, "one": 9, "then": 5, "none": 0}
    assert len(asked(steps, {"since": "1d"})[1]["steps"]) <= 121


@pytest.mark.parametrize("query", [{"since": "x"}, {"until": "x"}, {"since": "1m", "until": "2m"}, {"since": "0s"}])
def test_a_while_that_is_none_is_refused(query: dict[str, str]) -> None:
    assert asked([step(0, 1, {})], query)[0] == 422
