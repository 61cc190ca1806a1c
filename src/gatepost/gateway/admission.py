"""Admission under overload: which requests begin at once, which wait, and which are refused with 503 `overloaded`.

In the gate, behind the rate limit of the address and before everything that costs more. A request begins at once while
few are running and the event loop keeps up: two comparisons. Otherwise it waits in this queue. No request is refused on
arrival, because its client could send the next one within the same pass of the loop, and refusals would displace
service long after the cause of the overload is over (decision 0022). So:

1. What cannot begin in this pass waits. The queue has no bound of its own below the bound of connections.
2. The oldest is served first; while the oldest has waited for long, the newest, whose client is still there. Signed-in
   clients are served before others.
3. What has waited for `queue_seconds` is refused, the oldest of the lower priority first, while refusals have taken
   less than their share of the wall clock (`refusal_budget.py`). What has waited for `request_seconds` is refused in
   any case.

The whole state is the age of the oldest, the order, and the credit for refusals; earlier refusals are not remembered.
How many may run follows from their latency (`concurrency_limit.py`). Mounted applications wait for services of their
own, and the console for the monitor, which says nothing about this process: they do not count towards the limit, and
wait only while the event loop is behind.
"""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gatepost.call import Call
from gatepost.errors import Overloaded
from gatepost.events import Events, LoadShed
from gatepost.gateway.concurrency_limit import ConcurrencyLimit
from gatepost.gateway.queue_lanes import Admission, QueueLane, older
from gatepost.gateway.refusal_budget import RefusalBudget
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

NANOSECONDS = 1_000_000_000

BULK_URGENCY = b"u=5", b"u=6", b"u=7"
"""The urgencies of background work (RFC 9218, section 4.1)."""


_yield_processor: Callable[[], None] = getattr(os, "sched_yield", lambda: None)


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the queue needs of its process; tests have a virtual one.

    The clock in monotonic nanoseconds, the running loop, of which it uses `create_future`, `call_soon` and
    `call_later`, and what gives the processor, and the interpreter with it, to a thread that waits for them.
    """

    clock: Callable[[], int] = time.monotonic_ns
    find_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.get_running_loop
    yield_processor: Callable[[], None] = _yield_processor


class AdmissionQueue:
    """The queue of one process, with the numbers of `running` and `waiting` requests.

    A request waits for `queue_seconds` of the settings before it may be refused, and for `request_seconds` before it is
    in any case. `is_known` tells whether a request's client is signed in, without asking the database. `concurrency`
    has the rule that holds for both.
    """

    def __init__(
        self,
        settings: GateSettings,
        events: Events,
        is_known: Callable[[Call], bool],
        *,
        concurrency: ConcurrencyLimit | None = None,
        runtime: Runtime = Runtime(),
    ) -> None:
        self.running = 0
        self.waiting = 0
        self._concurrency = concurrency or ConcurrencyLimit()
        self._rule = rule = self._concurrency.rule
        self._clock = runtime.clock
        self._find_loop = runtime.find_loop
        self._yield_processor = runtime.yield_processor
        self._budget = RefusalBudget(rule, runtime.clock)
        self._queue_ns = int(settings.queue_seconds * NANOSECONDS)
        self._request_ns = int(settings.request_seconds * NANOSECONDS)
        self._is_known = is_known
        self._shed = events.emitter(LoadShed)
        # Two priorities. Mounted applications have the lower one, in a lane beside it: they pass the limit of running
        # requests, and must not stand behind one that waits for it.
        self._signed_in, self._lower, self._mounted = QueueLane(), QueueLane(), QueueLane()
        self._is_newest_first = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._pass_until = 0
        self._is_draining = False

    def admit(self, call: Call, admission: Admission) -> Awaitable[None] | None:
        """Called with every request that has passed the limit of its address.

        Returns None if the request may begin at once, else an awaitable, which raises `Overloaded` if the request is
        refused. The caller must `leave` with every request that it has asked for.
        """
        now = admission.arrived_at  # a moment ago: reading the clock again would cost more than the comparison
        # While anything is under way the timer keeps `_pass_until` in the future. Once it has passed, either the loop
        # is behind, and requests have to wait, or the process was idle and the timer has to be started.
        if now >= self._pass_until and (self._timer is None or self._find_loop() is not self._loop):
            self._attach(now)
        admission.rules = rules = call.rules
        if now < self._pass_until and not self.waiting:
            if rules is not None and rules.waits_elsewhere:
                return None
            # The fast path, for nearly every request; only while the queue is empty, or it would overtake those in it.
            if self.running < self._concurrency.limit:
                self.running += 1
                admission.begun_at = now
                return None
        # Probes never wait, or a busy process would be taken for a dead one.
        if rules is None or rules.kind == "probe":
            return None
        return self._wait(call, rules, admission)

    def leave(self, admission: Admission) -> None:
        """The request is over, or its task ends while it waits. Does nothing for one that does not count."""
        if admission.begun_at:
            self.running = running = self.running - 1
            concurrency = self._concurrency
            concurrency.count += 1
            if not running or not concurrency.count % self._rule.sample_every:
                concurrency.record(admission.rules, self._clock() - admission.begun_at, running)
            if self.waiting:
                self._drain_soon()
        elif admission.pending is not None:
            self._dequeue(admission)

    def release(self, admission: Admission) -> None:
        """The response of the request has begun, and goes on for as long as its client likes: from now on the request
        counts neither as running nor with its latency."""
        self.leave(admission)
        admission.begun_at = 0

    def pause(self, admission: Admission) -> None:
        """The request waits for its client: a slow client must not keep others waiting, nor look like slow work."""
        if admission.begun_at:
            self.running -= 1
            if self.waiting:
                self._drain_soon()

    def resume(self, admission: Admission, since: int) -> None:
        """The client was waited for since then. The request continues at once: it is admitted only once."""
        if admission.begun_at:
            self.running += 1
            admission.begun_at += self._clock() - since

    def _wait(self, call: Call, rules: RouteRules, admission: Admission) -> Awaitable[None]:
        loop = self._loop
        assert loop is not None  # noqa: S101 - `admit` has attached it
        admission.pending = pending = loop.create_future()
        self._lane(call, rules).append(admission)
        self.waiting += 1
        concurrency = self._concurrency
        concurrency.is_reached = True
        concurrency.overhead_ns += min(self._clock() - admission.arrived_at, self._rule.enqueue_max_ns)
        self._drain_soon()
        return pending

    def _lane(self, call: Call, rules: RouteRules) -> QueueLane:
        """The lane of a request. Clients may lower their own priority, not raise it."""
        if rules.waits_elsewhere:
            return self._mounted
        is_bulk = call.headers.get(b"priority", b"").startswith(BULK_URGENCY)
        return self._signed_in if self._is_known(call) and not is_bulk else self._lower

    def _drain_soon(self) -> None:
        if not self._is_draining and self._loop is not None:
            self._is_draining = True
            self._loop.call_soon(self._drain)

    def _drain(self) -> None:
        """Once in a pass of the loop, behind the requests that arrived in it: all are weighed before any is served."""
        self._is_draining = False
        now = self._clock()
        self._refuse_overdue(now)
        self._choose_order(now)
        for _ in range(self._concurrency.capacity_for(self._rule.pass_ns)):
            queued = self._next()
            if queued is None:
                return  # until one arrives or is released
            self._begin(queued, now)
        if self.waiting:
            self._drain_soon()
            # The loop does not wait for input now. Without this the HTTP library's threads would not get hold of the
            # interpreter nor, under SCHED_BATCH, of the processor, and requests would arrive hundreds at a time.
            self._yield_processor()

    def _choose_order(self, now: int) -> None:
        oldest = older(self._signed_in.find_oldest(), older(self._lower.find_oldest(), self._mounted.find_oldest()))
        age = 0 if oldest is None else now - oldest.arrived_at
        rule = self._rule
        self._is_newest_first = age >= (rule.oldest_first_ns if self._is_newest_first else rule.newest_first_ns)

    def _next(self) -> Admission | None:
        """The request to serve next, None where none may begin."""
        find = QueueLane.find_newest if self._is_newest_first else QueueLane.find_oldest
        has_room = self.running < self._concurrency.limit
        if has_room and (queued := find(self._signed_in)) is not None:
            return queued
        lower, mounted = find(self._lower) if has_room else None, find(self._mounted)
        if lower is None or mounted is None or not self._is_newest_first:
            return older(lower, mounted)
        return lower if lower.arrived_at > mounted.arrived_at else mounted

    def _begin(self, admission: Admission, now: int) -> None:
        pending = self._dequeue(admission)
        if pending.done():  # its task was cancelled, and has not run since
            return
        if admission.rules is None or not admission.rules.waits_elsewhere:
            admission.begun_at = now
            self.running += 1
        pending.set_result(None)

    def _refuse_overdue(self, now: int) -> None:
        loop, budget = self._loop, self._budget
        budget.accrue(now)
        count, charged = 0, 0.0
        while loop is not None and (queued := self._find_overdue(now)) is not None:
            # The tasks of the refused run in this order, each to its end: so the loop itself can tell what they took.
            if not count:
                loop.call_soon(budget.begin)
            count += 1
            charged += budget.charge()
            self._refuse(queued)
        if count and loop is not None:
            loop.call_soon(self._end_refusals, count, charged)

    def _end_refusals(self, count: int, charged: float) -> None:
        self._concurrency.overhead_ns += self._budget.end(count, charged)

    def _find_overdue(self, now: int) -> Admission | None:
        """The request to refuse next: of the lower priority first."""
        lower = older(self._lower.find_oldest(), self._mounted.find_oldest())
        signed_in = self._signed_in.find_oldest()
        for bound in (self._queue_ns, self._request_ns) if self._budget.is_left else (self._request_ns,):
            for queued in (lower, signed_in):
                if queued is not None and now - queued.arrived_at >= bound:
                    return queued
        return None

    def _refuse(self, admission: Admission) -> None:
        pending = self._dequeue(admission)
        if pending.done():
            return
        if self._shed is not None:
            self._shed(LoadShed(running=self.running, waiting=self.waiting))
        seconds = 1 + int(random.random() * self._rule.retry_seconds_max)  # noqa: S311
        pending.set_exception(
            Overloaded("overloaded", "More is asked for than can be done.", retry_after_seconds=seconds)
        )

    def _dequeue(self, admission: Admission) -> "asyncio.Future[None]":
        pending = admission.pending
        assert pending is not None  # noqa: S101 - lanes find only those that wait
        admission.pending = None
        self.waiting -= 1
        return pending

    def _attach(self, now: int) -> None:
        """The process was idle; or, as in tests, it has another loop than before, which may have left requests here."""
        loop = self._find_loop()
        if loop is not self._loop:
            self._loop, self._is_draining, self.waiting = loop, False, 0
            for lane in (self._signed_in, self._lower, self._mounted):
                lane.clear()
        self._tick_from(now)

    def _tick_from(self, now: int) -> None:
        loop, rule = self._loop, self._rule
        if loop is not None:
            self._pass_until = now + rule.pass_ns + rule.timer_lag_ns
            self._timer = loop.call_later(rule.pass_ns / NANOSECONDS, self._tick)

    def _tick(self) -> None:
        """While anything is under way: once in the time of a pass, or in each pass where that takes longer."""
        self._timer = None
        now = self._clock()
        self._concurrency.adapt(now)
        if self.waiting:
            self._drain_soon()
        elif not self.running:
            return
        self._tick_from(now)
