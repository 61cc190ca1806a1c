"""The admission queue, in virtual time: who begins at once, who waits, who is served first and who is refused."""

import asyncio
from dataclasses import replace

import pytest
from gate_conversation import ROUTES, call_of, scope
from virtual_loop import VirtualLoop

from gatepost.errors import Overloaded
from gatepost.events import Events, LoadShed
from gatepost.gateway.admission import AdmissionQueue, Runtime
from gatepost.gateway.admission_rule import MILLISECONDS, RULE
from gatepost.gateway.concurrency_limit import ConcurrencyLimit
from gatepost.gateway.gate_call import GateCall
from gatepost.settings import GateSettings

SECONDS = 1000 * MILLISECONDS
REFUSAL_NS = 40_000


class Bench:
    """A queue that lets one request run, and requests that say when they begin and when they are refused."""

    def __init__(self, *, refusal_ns: int = REFUSAL_NS) -> None:
        self.loop = VirtualLoop(lambda slept: None)
        self.shed: list[LoadShed] = []
        events = Events()
        events.subscribe(LoadShed, self.shed.append)
        self.limit = ConcurrencyLimit(replace(RULE, window_ns=3600 * SECONDS))  # it does not adapt
        self.limit.limit = 1
        self.queue = AdmissionQueue(
            GateSettings(queue_seconds=1.0, request_seconds=15.0),
            events,
            lambda call: b"authorization" in call.headers,
            concurrency=self.limit,
            runtime=Runtime(self.loop.clock, self.loop.as_loop, lambda: None),
        )
        self.refusal_ns = refusal_ns
        self.begun: list[str] = []
        self.refused: list[str] = []

    def call(self, path: str = "/api/books", **headers: str) -> GateCall:
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        made = call_of(scope(path=path, headers=sent), arrived_at=self.loop.now)
        made.rules = ROUTES[path]
        return made

    def ask(self, name: str, path: str = "/api/books", **headers: str) -> GateCall:
        """A request that takes a millisecond once it has begun."""
        call = self.call(path, **headers)
        pending = self.queue.admit(call, call.admission)
        if pending is None:
            self._begin(name, call)
        else:
            assert isinstance(pending, asyncio.Future)
            pending.add_done_callback(lambda future: self._settle(name, call, future))
        return call

    def hold(self) -> GateCall:
        """A request that runs until it leaves, so that others wait."""
        call = self.call()
        assert self.queue.admit(call, call.admission) is None
        return call

    def run(self, seconds: float) -> None:
        self.loop.run_until(self.loop.now + int(seconds * SECONDS))

    def _settle(self, name: str, call: GateCall, future: "asyncio.Future[None]") -> None:
        if future.cancelled():
            return
        if future.exception() is None:
            self._begin(name, call)
        else:
            self.loop.spend(self.refusal_ns)
            self.refused.append(name)

    def _begin(self, name: str, call: GateCall) -> None:
        self.begun.append(name)
        if call.admission.begun_at:
            self.loop.call_later(0.001, self.queue.leave, call.admission)


def test_with_room_a_request_begins_at_once() -> None:
    bench = Bench()
    bench.ask("only")
    assert bench.begun == ["only"]
    assert bench.queue.running == 1
    bench.run(0.01)
    assert bench.queue.running == 0


def test_the_oldest_is_served_first_and_signed_in_clients_before_others() -> None:
    bench = Bench()
    held = bench.hold()
    bench.ask("stranger 1")
    bench.ask("bulk", authorization="x", priority="u=7")
    bench.ask("user 1", authorization="x")
    bench.ask("stranger 2")
    bench.ask("user 2", authorization="x", priority="u=1")
    bench.run(0.05)
    assert bench.begun == []
    bench.queue.leave(held.admission)
    bench.run(0.05)
    assert bench.begun == ["user 1", "user 2", "stranger 1", "bulk", "stranger 2"]


def test_the_newest_is_served_first_while_the_oldest_has_waited_for_long() -> None:
    bench = Bench()
    held = bench.hold()
    bench.ask("oldest")
    bench.run(0.06)
    for name in ("a", "b", "c", "d"):
        bench.ask(name)
    bench.run(0.041)
    bench.queue.leave(held.admission)
    bench.run(0.0005)
    bench.ask("last")
    bench.run(0.05)
    # The oldest is gone once "a" is served, and "b" to "d" have waited for less than 50 ms.
    assert bench.begun == ["d", "last", "c", "b", "a", "oldest"]
    held = bench.hold()
    for name in ("e", "f"):
        bench.ask(name)
    bench.run(0.06)
    bench.queue.leave(held.admission)
    bench.run(0.05)
    assert bench.begun[-2:] == ["e", "f"]


def test_once_the_wait_is_short_the_oldest_is_served_first_again() -> None:
    bench = Bench()
    held = bench.hold()
    old = bench.ask("old")
    bench.run(0.09)
    for name in ("a", "b", "c"):
        bench.ask(name)
    bench.run(0.02)
    bench.queue.leave(held.admission)
    bench.run(0.0005)
    assert bench.begun == ["c"]
    assert old.admission.pending is not None
    bench.queue.leave(old.admission)
    bench.run(0.05)
    assert bench.begun == ["c", "a", "b"]


def test_no_request_is_refused_on_arrival_and_the_queue_has_no_bound_of_its_own() -> None:
    bench = Bench()
    bench.hold()
    for number in range(17_000):
        bench.ask(str(number))
    bench.run(0.9)
    assert bench.queue.waiting == 17_000
    assert bench.refused == []


def test_what_has_waited_too_long_is_refused_the_oldest_of_the_lower_priority_first() -> None:
    bench = Bench()
    held = bench.hold()
    bench.ask("user 1", authorization="x")
    bench.run(0.01)
    bench.ask("stranger 1")
    bench.run(0.01)
    bench.ask("user 2", authorization="x")
    bench.ask("stranger 2")
    bench.run(0.97)
    assert bench.refused == []
    bench.loop.now += 100 * MILLISECONDS  # all are late when the queue looks again
    bench.run(0.01)
    assert bench.refused == ["stranger 1", "stranger 2", "user 1", "user 2"]
    assert bench.shed == [LoadShed(running=1, waiting=left) for left in (3, 2, 1, 0)]
    bench.queue.leave(held.admission)
    bench.ask("next")
    assert bench.begun == ["next"]


def test_a_refusal_says_when_to_come_back() -> None:
    bench = Bench()
    bench.hold()
    call = bench.call()
    pending = bench.queue.admit(call, call.admission)
    assert isinstance(pending, asyncio.Future)
    bench.run(1.1)
    refusal = pending.exception()
    assert isinstance(refusal, Overloaded)
    assert dict(refusal.headers)[b"retry-after"] in (b"1", b"2", b"3")


@pytest.mark.parametrize("refusal_ns", [REFUSAL_NS // 2, REFUSAL_NS, 4 * REFUSAL_NS])
def test_refusals_take_a_twentieth_of_the_time_whatever_they_cost(refusal_ns: int) -> None:
    bench = Bench(refusal_ns=refusal_ns)
    bench.hold()
    for number in range(12_000):
        bench.ask(str(number))
    bench.run(1.0)
    assert bench.refused == []
    bench.run(1.0)  # the first were charged with a guess
    first = len(bench.refused)
    bench.run(2.0)
    taken = (len(bench.refused) - first) * refusal_ns * RULE.refusal_cost_factor
    assert bench.queue.waiting > 0
    assert 0.045 * 2 * SECONDS < taken < 0.055 * 2 * SECONDS


def test_what_has_waited_for_the_time_of_a_request_is_refused_in_any_case() -> None:
    bench = Bench(refusal_ns=900_000)
    bench.hold()
    for number in range(5_000):
        bench.ask(str(number))
    bench.run(14.9)
    assert bench.queue.waiting > 3_000
    bench.run(15)
    assert bench.queue.waiting == 0
    assert len(bench.refused) == 5_000


def test_a_process_that_was_stopped_while_it_refused_refuses_again() -> None:
    bench = Bench(refusal_ns=3 * SECONDS)
    bench.hold()
    bench.ask("stopped")
    bench.run(4.1)
    assert bench.refused == ["stopped"]
    bench.refusal_ns = REFUSAL_NS
    for number in range(100):
        bench.ask(str(number))
    bench.run(1.5)
    assert len(bench.refused) == 101


def test_a_request_that_was_abandoned_is_neither_served_nor_counted() -> None:
    bench = Bench()
    held = bench.hold()
    waiting = [bench.ask(name) for name in ("a", "b", "c")]
    for call in waiting[:2]:
        assert call.admission.pending is not None
        bench.queue.leave(call.admission)
        bench.queue.leave(call.admission)
    assert bench.queue.waiting == 1
    bench.queue.leave(held.admission)
    bench.run(0.05)
    assert bench.begun == ["c"]
    assert (bench.queue.running, bench.queue.waiting) == (0, 0)


def test_requests_that_come_and_give_up_leave_nothing_behind() -> None:
    bench = Bench()
    bench.hold()
    first = bench.ask("first")
    for number in range(10_000):
        call = bench.ask(str(number))
        assert call.admission.pending is not None
        bench.queue.leave(call.admission)
    assert first.admission.pending is not None
    bench.queue.leave(first.admission)
    bench.run(0.01)
    assert bench.queue.waiting == 0
    assert not bench.queue._lower._requests


def test_probes_never_wait_and_mounts_wait_only_for_the_loop() -> None:
    bench = Bench()
    bench.hold()
    for path in ("/livez", "/legacy"):
        assert bench.ask(path, path).admission.begun_at == 0
    assert bench.begun == ["/livez", "/legacy"]
    bench.loop.spend(2 * RULE.pass_ns)
    bench.ask("late probe", "/livez")
    bench.ask("late mount", "/legacy")
    assert bench.begun[2:] == ["late probe"]
    bench.run(0.001)
    assert bench.begun[3:] == ["late mount"]


def test_a_mount_does_not_stand_behind_a_request_that_waits_for_the_limit() -> None:
    bench = Bench()
    bench.hold()
    bench.ask("stranger")
    bench.ask("mount", "/legacy")
    bench.run(0.01)
    assert bench.begun == ["mount"]


def test_mounts_and_strangers_have_one_priority() -> None:
    bench = Bench()
    bench.limit.limit = 10
    bench.hold()
    bench.loop.spend(2 * RULE.pass_ns)
    for name, path in (("a", "/legacy"), ("b", "/api/books"), ("c", "/legacy"), ("d", "/api/books")):
        bench.ask(name, path)
        bench.loop.spend(1_000)
    bench.run(0.01)
    assert bench.begun == ["a", "b", "c", "d"]


def test_a_slow_client_keeps_nobody_waiting_and_does_not_look_like_slow_work() -> None:
    bench = Bench()
    uploading = bench.hold()
    bench.ask("next")
    since = bench.loop.now
    bench.queue.pause(uploading.admission)
    bench.run(0.5)
    assert bench.begun == ["next"]
    bench.queue.resume(uploading.admission, since)
    bench.queue.leave(uploading.admission)
    assert bench.queue.running == 0
    assert max(bench.limit._baseline_latency.values()) < 50 * MILLISECONDS


def test_a_pause_of_the_process_leaves_one_timer() -> None:
    bench = Bench()
    bench.hold()
    bench.ask("waiting")
    bench.run(0.01)
    bench.loop.now += 5 * SECONDS
    for number in range(10):
        bench.ask(str(number))
    bench.run(0.01)
    assert len(bench.loop.timers) == 1


def test_a_queue_that_was_left_by_its_loop_serves_on_another() -> None:
    bench = Bench()
    held = bench.hold()
    left = bench.ask("left behind")
    other = Bench()
    bench.queue._find_loop = other.loop.as_loop
    bench.queue._clock = other.loop.clock
    other.loop.now = bench.loop.now + 10 * MILLISECONDS
    bench.loop = other.loop
    bench.queue.leave(held.admission)
    bench.ask("here")
    assert bench.begun == ["here"]
    assert left.admission.pending is None
    bench.queue.leave(left.admission)
    assert bench.queue.waiting == 0
