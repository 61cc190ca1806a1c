"""`/traffic`: whichever way a while is added up, each request of it counts once."""

import time
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gatepost.events import Events
from gatepost.metrics import families
from gatepost.metrics.buckets import EDGES
from gatepost.monitor.page_table import PageTable, Request
from gatepost.monitor.traffic_page import TrafficPage
from gatepost.records.history import KeptStep
from gatepost.records.step_encoding import encoded
from gatepost.records.steps import Histogram, Step

STEP_SECONDS = 600
HOURS = 5


class History:
    """A ring with steps up to now, which notes what was read; `unfinished` has nothing yet."""

    def __init__(self, steps: list[Step]) -> None:
        self.kept = [KeptStep(number, step.since, step.until, encoded(step)) for number, step in enumerate(steps)]
        self.read: Counter[int] = Counter()
        self.ring = self

    def steps(self, since: float, until: float) -> list[KeptStep]:
        """Those with a part within these times."""
        found = [step for step in self.kept if step.until > since and step.since < until]
        self.read.update(step.number for step in found)
        return found

    def unfinished(self) -> Step:
        """Nothing was counted since."""
        return Step(self.kept[-1].until, time.time())


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
            families.STATEMENTS.name: {(("statement", "books.list"),): 2.0},
            families.STATEMENT_SECONDS.name: {(("statement", "books.list"),): 0.001},
        },
    )


@pytest.fixture
def history() -> History:
    now = time.time()
    count = HOURS * 3600 // STEP_SECONDS
    return History([step_of(number, now - (count - 1 - number) * STEP_SECONDS) for number in range(count)])


@pytest.fixture
def pages(history: History) -> PageTable:
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


def test_hours_that_are_over_are_read_once(pages: PageTable, history: History) -> None:
    asked(pages, since="5h")
    first = Counter(history.read)
    asked(pages, since="5h")
    again = history.read - first
    assert len(first) == len(history.kept)
    assert len(again) <= 2 * 3600 / STEP_SECONDS + 2


def test_an_operation_has_its_histogram(pages: PageTable) -> None:
    _, shown = asked(pages, since="1h", operation="orders.create")
    of = shown["of_operation"]
    ((edge, count),) = of["histogram"]
    assert edge == EDGES[120]
    assert of["classes"] == {"5xx": count}
    assert asked(pages, since="1h", operation="unknown")[1]["of_operation"]["histogram"] == []


@pytest.mark.parametrize("query", [{"since": "soon"}, {"until": "-"}, {"since": "10m", "until": "20m"}])
def test_a_while_that_is_none_is_refused(pages: PageTable, query: dict[str, str]) -> None:
    status, shown = asked(pages, **query)
    assert status == 422
    assert shown["detail"].endswith(".")
