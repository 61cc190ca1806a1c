"""What is left of an objective's budget: the bad requests that it allows in 30 days, and when they are used up.

Counts of three days are kept. What a budget is as a whole follows from how many requests came in them: as many go on to
come. So what was bad longer ago is not in it.
"""

from typing import NamedTuple

from gatepost.alerting.objective_counts import STEPS, ObjectiveCounts

PERIOD_DAYS = 30
KEPT_DAYS = 3
STEPS_OF_AN_HOUR = 60


class Budget(NamedTuple):
    """Of the last KEPT_DAYS: `requests`, and the `bad` ones among them. `left` is the share of a budget of PERIOD_DAYS
    that they have left, below 0 where they have used more; `burn_rate` how many times as fast as allowed it was used
    in the last hour; `exhausted_in_seconds` when it is used up if that goes on: None where it is not."""

    name: str
    share: float
    faster_than_seconds: float | None
    operations: tuple[str, ...]
    requests: int
    bad: int
    left: float
    burn_rate: float
    exhausted_in_seconds: float | None


def budget_of(counts: ObjectiveCounts, now: float, step_seconds: float) -> Budget:
    """The budget at a moment, in seconds since the epoch; a step of the counts lasts `step_seconds`."""
    objective = counts.objective
    kept = counts.within(STEPS * step_seconds, now)
    hour = counts.within(STEPS_OF_AN_HOUR * step_seconds, now)
    allowed = objective.bad_share_max * kept.total * PERIOD_DAYS / KEPT_DAYS
    left = 1.0 - kept.bad / allowed if allowed else 1.0
    seconds_each = STEPS_OF_AN_HOUR * step_seconds / hour.bad if hour.bad else None
    return Budget(
        objective.name,
        objective.share,
        objective.seconds_max,
        objective.operations,
        kept.total,
        kept.bad,
        round(left, 6),
        round(hour.bad / hour.total / objective.bad_share_max, 3) if hour.total else 0.0,
        None if seconds_each is None else round(max(0.0, allowed - kept.bad) * seconds_each, 1),
    )
