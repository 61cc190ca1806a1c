"""Rules for overload that the simulation has to find wanting: what was tried before, and what others do."""

from dataclasses import replace
from typing import Any

from overload_simulation import MILLISECONDS, SECONDS

from gatepost.errors import Overloaded
from gatepost.gateway.admission import AdmissionQueue
from gatepost.gateway.admission_rule import RULE
from gatepost.gateway.queue_lanes import Admission, QueueLane

OLDEST_FIRST = replace(RULE, newest_first_ns=3600 * SECONDS)
UNLIMITED_REFUSALS = replace(RULE, refusal_share=1.0, refusal_credit_ns=3600 * SECONDS)
HALF_OF_TIME = replace(RULE, refusal_share=0.5)


def _oldest(queue: AdmissionQueue) -> Admission | None:
    lane: QueueLane = queue._lower
    return lane.find_oldest()


class RefusesOnArrival(AdmissionQueue):
    """Decision 0012: once a request has waited for half of the time, what cannot begin at once is refused at once, and
    each refusal prolongs that by a second."""

    _sheds_until = 0

    def admit(self, call: Any, admission: Admission) -> Any:
        now = admission.arrived_at
        if now >= self._sheds_until:
            return super().admit(call, admission)
        if now < self._pass_until and self.running < self._concurrency.limit:
            self.running += 1
            admission.begun_at = now
            return None
        self._sheds_until = now + 1 * SECONDS
        raise Overloaded("overloaded", "x", retry_after_seconds=1)

    def _find_overdue(self, now: int) -> Admission | None:
        queued = _oldest(self)
        if queued is None:
            return None
        sheds = now < self._sheds_until
        if not sheds and now - queued.arrived_at > self._queue_ns // 2:
            self._sheds_until = now + 1 * SECONDS
        if now - queued.arrived_at <= (10 * MILLISECONDS if sheds else self._queue_ns):
            return None
        self._sheds_until = now + 1 * SECONDS
        return queued


class ControlledDelay(AdmissionQueue):
    """CoDel as servers have it ("Fail at Scale", ACM Queue 2015): where the queue has not been empty for 100 ms, what
    has waited for 5 ms is refused, else what has waited for 100 ms."""

    _empty_at = 0

    def _find_overdue(self, now: int) -> Admission | None:
        queued = _oldest(self)
        if queued is None:
            self._empty_at = now
            return None
        patience = 5 if now - self._empty_at > 100 * MILLISECONDS else 100
        return queued if now - queued.arrived_at > patience * MILLISECONDS else None


class BoundedQueue(AdmissionQueue):
    """A queue with a bound below that of connections."""

    def admit(self, call: Any, admission: Admission) -> Any:
        if self.waiting >= 500:
            raise Overloaded("overloaded", "x", retry_after_seconds=1)
        return super().admit(call, admission)
