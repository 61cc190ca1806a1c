"""How much time refusals may take: a token bucket of time, filled with a share of the wall clock.

Beside the admission queue. A refusal is cheaper than the request it refuses, but a client may send the next request
within the same pass of the event loop. Refusals without a bound on their time then leave none for service, and the
overload keeps itself going after its cause is over.
"""

from collections.abc import Callable

from gatepost.gateway.admission_rule import AdmissionRule


class RefusalBudget:
    """Time for refusals, in nanoseconds of `clock`.

    A refusal is charged with the estimated cost when it is decided. The queue has `begin` and `end` called by the event
    loop around the refusals of one batch; then the estimate is corrected, and the charge replaced by what they took.
    """

    def __init__(self, rule: AdmissionRule, clock: Callable[[], int]) -> None:
        self._rule = rule
        self._clock = clock
        self._cost = float(rule.refusal_first_ns)
        self._credit = float(rule.refusal_credit_ns)
        self._accrued_at = self._began = clock()

    def accrue(self, now: int) -> None:
        """Add the share of the time since the last call."""
        rule = self._rule
        self._credit = min(float(rule.refusal_credit_ns), self._credit + (now - self._accrued_at) * rule.refusal_share)
        self._accrued_at = now

    @property
    def is_left(self) -> bool:
        """Whether there is time for one more refusal."""
        return self._credit > 0

    def charge(self) -> float:
        """Take the estimated cost of one refusal, and return it."""
        self._credit = max(-float(self._rule.refusal_credit_ns), self._credit - self._cost)
        return self._cost

    def begin(self) -> None:
        """The first refusal of a batch is about to be sent."""
        self._began = self._clock()

    def end(self, count: int, charged: float) -> int:
        """The `count` refusals of a batch have been sent; together they were `charged` so much. Returns what they
        took of the event loop."""
        rule = self._rule
        looped = min(self._clock() - self._began, count * rule.refusal_max_ns)
        took = looped * rule.refusal_cost_factor
        self._cost += (took / count - self._cost) * rule.refusal_cost_smoothing
        self._credit = max(-float(rule.refusal_credit_ns), self._credit + charged - took)
        return looped
