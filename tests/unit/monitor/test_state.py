"""The state of a server in a sentence: what is wrong comes first, and what is not is not said."""

import pytest

from gatepost.monitor.request_sums import RequestFigures
from gatepost.monitor.state_page import Window, problems_of, sentence_of
from gatepost.monitor.workers import Worker
from gatepost.records.steps import Step

WELL = dict.fromkeys(("unexpected_errors", "worker_deaths", "shed"), 0.0)
READY, BUSY, HANGING = Worker(1, True, 0.5), Worker(2, False, 0.5), Worker(3, True, 14.0)


def figures(requests: int = 1000, errors: int = 0) -> RequestFigures:
    return RequestFigures(requests, errors, 0, {"p50": 0.01, "p95": 0.0345, "p99": 0.1}, 10.0, 5.0, 0.0, 1)


@pytest.mark.parametrize(
    ("workers", "requests", "gauges", "counted", "status", "first"),
    [
        ([READY], figures(), {}, {}, "ok", None),
        ([READY], figures(1000, 4), {}, {}, "ok", None),
        ([READY], figures(10_000, 50), {}, {}, "ok", None),
        ([READY], figures(1000, 31), {}, {}, "degraded", "3.1 % of the requests fail (5xx)."),
        ([], figures(), {}, {}, "down", "No worker has started."),
        ([BUSY], figures(), {}, {}, "down", "No worker is ready."),
        ([READY, BUSY], figures(), {}, {}, "degraded", "1 of 2 workers are not ready."),
        ([READY, HANGING], figures(), {}, {}, "degraded", "Worker 3 has not reported for 14 s."),
        ([READY], figures(), {"database_reachable": 0}, {}, "degraded", "The database cannot be reached."),
        ([BUSY], figures(), {"database_reachable": 0}, {}, "down", "The database cannot be reached."),
        ([READY], figures(), {"database_reachable": 1}, {}, "ok", None),
        ([READY], figures(), {"pool_waiting": 3}, {}, "degraded", "3 requests wait for a connection to the database."),
        ([READY], figures(), {}, {"shed": 7}, "degraded", "7 requests were refused because of overload."),
        (
            [READY],
            figures(),
            {},
            {"worker_deaths": 2},
            "degraded",
            "Workers that died: 2; see `gatepost logs --level error`.",
        ),
    ],
)
def test_what_is_wrong_is_said_first(
    workers: list[Worker],
    requests: RequestFigures,
    gauges: dict[str, float],
    counted: dict[str, float],
    status: str,
    first: str | None,
) -> None:
    problems, found = problems_of(workers, requests, gauges, {**WELL, **counted})
    assert found == status
    assert (problems[0] if problems else None) == first
    sentence = sentence_of(workers, Window(Step(0, 60), 60.0, {}, requests), problems)
    assert sentence.startswith(first or "All is well.")
    assert f"{requests.requests / 60:.1f} requests a second" in sentence


def test_a_server_without_requests_has_no_percentiles() -> None:
    nothing = RequestFigures(0, 0, 0, {"p50": 0, "p95": 0, "p99": 0}, 0, 0, 0, 0)
    sentence = sentence_of([READY], Window(Step(0, 60), 60.0, {}, nothing), [])
    assert sentence == "All is well. Workers ready: 1 of 1; 0.0 requests a second."
