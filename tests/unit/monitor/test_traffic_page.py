"""`/traffic`: whichever way a while is added up, each request of it counts once."""

import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.unit.monitor.kept_history import KeptHistory

from gatepost.events import Events
from gatepost.metrics import families
from gatepost.metrics.buckets import EDGES
from gatepost.metrics.sums import Histogram
from gatepost.monitor.page_table import PageTable, Request
from gatepost.monitor.traffic_page import TrafficPage
from gatepost.records.steps import Step

STEP_SECONDS = 600
HOURS = 5


def step_of(number: int, until: float) -> Step:
    """One with a request of each of two operations, one failed statement and one refusal."""
    operation, status = ("operation", "books.list"), ("class", "2xx")
    other = ("operation", "orders.create"), ("class", "5xx")
    return Step(
        until - STEP_SECONDS,
        until,
        histograms={
            families.REQUEST_SECONDS.name: {
                (operation, status): Histogram({40: 1}, 0.002),
                other: Histogram({120: 1}, 0.5),
            }
        },
        counters={
            families.REFUSALS.name: {(("code", "out_of_stock"),): 1.0},
            families.REQUEST_REFUSALS.name: {(operation, ("code", "not_found")): 3.0},
            families.FAILURES.name: {(("operation", "orders.create"), ("code", "internal_error")): 1.0},
            families.STATEMENTS.name: {(("statement", "books.list"),): 2.0},
            families.STATEMENT_SECONDS.name: {(("statement", "books.list"),): 0.001},
        },
    )


@pytest.fixture
def history() -> KeptHistory:
    now = time.time()
    count = HOURS * 3600 // STEP_SECONDS
    return KeptHistory([step_of(number, now - (count - 1 - number) * STEP_SECONDS) for number in range(count)])


@pytest.fixture
def pages(history: KeptHistory) -> PageTable:
    table = PageTable(Events())
    context: Any = SimpleNamespace(pages=table)
    page_history: Any = history
    TrafficPage(context, page_history)
    return table


def asked(pages: PageTable, **query: str) -> Any:
    """What the page says."""
    page = pages.find(Request("GET", "/traffic", "", b"", "uid 0", query))
    return page.status, msgspec.json.decode(page.body)


@pytest.mark.parametrize("minutes", [20, 60, 100, 180, 299])
def test_each_step_of_a_while_counts_once(pages: PageTable, minutes: int) -> None:
    status, shown = asked(pages, since=f"{minutes}m")
    steps = shown["requests"] // 2
    assert status == 200
    assert abs(steps - minutes * 60 / STEP_SECONDS) <= 1
    assert shown["errors"] == steps
    assert shown["codes"] == {"out_of_stock": steps}
    assert [each["count"] for each in shown["statements"]] == [2 * steps]
    assert [each["operation"] for each in shown["operations"]] == ["orders.create", "books.list"]
    assert asked(pages, since=f"{minutes}m")[1]["requests"] == shown["requests"]


def test_hours_that_are_over_are_read_once(pages: PageTable, history: KeptHistory) -> None:
    asked(pages, since="5h")
    first = Counter(history.ring.handed)
    asked(pages, since="5h")
    again = history.ring.handed - first
    assert len(first) == history.ring.last
    assert len(again) <= 2 * 3600 / STEP_SECONDS + 2


def test_an_operation_has_its_histogram(pages: PageTable) -> None:
    _, shown = asked(pages, since="1h", operation="orders.create")
    of = shown["of_operation"]
    ((edge, count),) = of["histogram"]
    assert edge == EDGES[120]
    assert of["classes"] == {"5xx": count}
    assert asked(pages, since="1h", operation="unknown")[1]["of_operation"]["histogram"] == []


def test_codes_are_those_of_the_operations_that_responded_with_them(pages: PageTable) -> None:
    _, shown = asked(pages, since="1h", operation="books.list", code="internal_error")
    steps = shown["requests"] // 2
    assert shown["of_operation"]["codes"] == {"not_found": 3 * steps}
    assert shown["of_code"] == {"code": "internal_error", "operations": {"orders.create": steps}}
    _, shown = asked(pages, since="1h", operation="unknown", code="unknown")
    assert shown["of_operation"]["codes"] == shown["of_code"]["operations"] == {}


@pytest.mark.parametrize("query", [{"since": "soon"}, {"until": "-"}, {"since": "10m", "until": "20m"}])
def test_a_while_that_is_none_is_refused(pages: PageTable, query: dict[str, str]) -> None:
    status, shown = asked(pages, **query)
    assert status == 422
    assert shown["detail"].endswith(".")
