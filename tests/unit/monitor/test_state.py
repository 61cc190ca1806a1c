"""The state of a server in a sentence: what is wrong comes first, and what is not is not said."""

import pytest
from tests.unit.monitor.synthetic_steps import step, window

from gatepost.monitor.problems import problems_of
from gatepost.monitor.state_page import figures_of
from gatepost.monitor.windows import window_of
from gatepost.monitor.workers import Worker
from gatepost.records.steps import Step

READY, BUSY, HANGING = Worker(1, True, 0.5), Worker(2, False, 0.5), Worker(3, True, 14.0)


def route_of(operation: str) -> str:
    return {"orders.create": "POST /api/orders"}.get(operation, operation)


@pytest.mark.parametrize(
    ("workers", "seen", "status", "first"),
    [
        ([READY], step(), "ok", None),
        ([READY], step(failures={("books.list", "database_timeout"): 4}), "ok", None),
        ([READY], step(requests={"books.list": 10_000}, failures={("books.list", "overloaded"): 50}), "ok", None),
        ([READY], step(failures={("books.list", "overloaded"): 31}), "degraded", "3.1 % of `books.list` answer"),
        ([READY], step(failures={("console.data", "503"): 31}), "ok", None),
        ([], step(), "down", "No worker runs."),
        ([BUSY], step(), "down", "No worker is ready."),
        ([READY, BUSY], step(), "degraded", "1 of 2 workers are not ready."),
        ([READY, HANGING], step(), "degraded", "Worker 3 has not reported for 14 s."),
        ([READY], step(gauges={"database_reachable": 0}), "degraded", "The database cannot be reached."),
        ([BUSY], step(gauges={"database_reachable": 0}), "down", "The database cannot be reached."),
        ([READY], step(gauges={"database_reachable": 1}), "ok", None),
        ([READY], step(gauges={"pool_waiting": 3}), "degraded", "3 requests wait for a connection to the database."),
        ([READY], step(counted={"shed_requests": 7}), "degraded", "7 requests were refused because of overload."),
        (
            [READY],
            step(counted={"worker_deaths": 2}),
            "degraded",
            "Workers that died: 2; see `gatepost logs --level error`.",
        ),
    ],
)
def test_what_is_wrong_is_said_first(workers: list[Worker], seen: Step, status: str, first: str | None) -> None:
    found = problems_of(workers, window_of([seen]))
    assert found.status == status
    assert (found.sentences[0] if found.sentences else "").startswith(first or "")
    assert bool(found.sentences) == (first is not None)


@pytest.mark.parametrize(
    ("requests", "failures", "sentence"),
    [
        # A few requests that all fail are seen beside thousands of others.
        ({"books.list": 9000, "orders.create": 9}, {("orders.create", "timeout"): 9}, "100 % of `POST /api/orders`"),
        (
            {"books.list": 1000, "orders.create": 1000},
            {("orders.create", "database_timeout"): 32, ("books.list", "database_timeout"): 1},
            "3.2 % of `POST /api/orders` answer `database_timeout`.",
        ),
        (
            {"books.list": 1000, "orders.create": 1000},
            {("orders.create", "database_unavailable"): 400, ("books.list", "database_unavailable"): 400},
            "40 % of the requests answer `database_unavailable`.",
        ),
        ({"mount": 100}, {("mount", ""): 50}, "50 % of `mount` answer `5xx`."),
    ],
)  # fmt: skip
def test_which_requests_fail_is_said(
    requests: dict[str, int], failures: dict[tuple[str, str], int], sentence: str
) -> None:
    found = problems_of([READY], window_of([step(requests=requests, failures=failures)]), route_of)
    assert found.sentences[0].startswith(sentence)


def test_the_figures_are_a_sentence() -> None:
    assert figures_of([READY], window(step(requests={"books.list": 600}), seconds=60)).startswith(
        "Workers ready: 1 of 1; 10.0 requests a second, 95 % of them within "
    )


def test_a_server_without_requests_has_no_percentiles() -> None:
    assert figures_of([READY], window(step(requests={}), seconds=60)) == (
        "Workers ready: 1 of 1; 0.0 requests a second."
    )
