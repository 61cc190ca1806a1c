"""Budgets: what bad requests leave of what an objective allows in thirty days."""

import pytest

from gatepost.alerting.budgets import budget_of
from gatepost.alerting.objective_counts import ObjectiveCounts
from gatepost.alerting.reported_objectives import JudgedObjective
from gatepost.metrics.sums import Histogram

NOW = 1_800_000_000.0
DAY = 86_400.0
OBJECTIVE = JudgedObjective("reads", 0.99, ("books.list",), None)


def counts_of(*looks: tuple[float, int, int]) -> ObjectiveCounts:
    """Counts after looks at these moments, each with how many requests had succeeded and failed by then."""
    found = ObjectiveCounts(OBJECTIVE, 60.0)
    for now, good, failed in looks:
        requests = {
            (("operation", "books.list"), ("class", status)): Histogram({0: count}, 0.0)
            for status, count in (("2xx", good), ("5xx", failed))
        }
        found.look(requests, now, 1.0)
    return found


def test_what_was_bad_is_taken_from_what_thirty_days_allow() -> None:
    # 10,000 requests in three days are 100,000 in thirty, 1,000 of which may be bad.
    budget = budget_of(counts_of((NOW - DAY, 0, 0), (NOW - DAY / 2, 9_750, 250)), NOW, 60.0)
    assert (budget.requests, budget.bad, budget.left) == (10_000, 250, 0.75)
    assert (budget.burn_rate, budget.exhausted_in_seconds) == (0.0, None)


def test_the_last_hour_says_when_it_is_used_up() -> None:
    counts = counts_of((NOW - DAY, 0, 0), (NOW - DAY / 2, 9_000, 0), (NOW - 60, 9_900, 100))
    budget = budget_of(counts, NOW, 60.0)
    assert budget.burn_rate == pytest.approx(10.0)
    # 900 are left, at 100 an hour.
    assert budget.exhausted_in_seconds == pytest.approx(9 * 3600)


def test_a_budget_that_is_used_up_is_so_now() -> None:
    budget = budget_of(counts_of((NOW - 120, 0, 0), (NOW - 60, 500, 500)), NOW, 60.0)
    assert budget.left < 0
    assert budget.exhausted_in_seconds == 0


def test_without_requests_all_of_it_is_left() -> None:
    budget = budget_of(counts_of((NOW, 0, 0)), NOW, 60.0)
    assert (budget.left, budget.burn_rate, budget.exhausted_in_seconds) == (1.0, 0.0, None)
