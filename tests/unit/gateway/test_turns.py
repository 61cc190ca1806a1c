"""Overload, on a real event loop: who begins at once, who waits, who comes first and who is refused."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from gate_conversation import ACTIONS, ask, gate, parts, reading, scope

from gatepost.errors import Overloaded
from gatepost.gateway.concurrency import LIMIT_FIRST, LIMIT_IDLE, LIMIT_MIN, WINDOW_NS, ConcurrencyLimit
from gatepost.gateway.exchange import Exchange
from gatepost.gateway.gate import Gate
from gatepost.gateway.turns import HURRIED_KNOWN_MAX, SLICE_NS, Turns
from gatepost.observations import LoadShed, Observations, RequestFinished
from gatepost.request import Receive, Response, Scope, Send

MILLISECOND = 1_000_000


class Bench:
    """Turns with a limit of one, and requests that take them."""

    def __init__(self, wait_seconds: float = 5.0) -> None:
        self.shed: list[LoadShed] = []
        observations = Observations()
        observations.subscribe(LoadShed, self.shed.append)
        self.turns = Turns(wait_seconds, observations, lambda exchange: b"authorization" in exchange.headers)
        self.turns._limit.allowed = 1
        self.served: list[str] = []

    def exchange(self, path: str = "/api/books", **headers: str) -> Exchange:
        async def unused() -> dict[str, object]:
            raise AssertionError

        made = Exchange(
            scope(path=path),
            unused,
            "id",
            "192.0.2.1",
            {name.encode(): value.encode() for name, value in headers.items()},
            b"",
            send=None,  # type: ignore[arg-type]
            wardrobe=None,  # type: ignore[arg-type]
            started=time.monotonic_ns(),
        )
        made.action = ACTIONS[path]
        return made

    def begin(self, **headers: str) -> tuple[Exchange, Awaitable[None] | None]:
        exchange = self.exchange(**headers)
        return exchange, self.turns.begin(exchange)

    async def serve(self, name: str, exchange: Exchange, turn: Awaitable[None] | None) -> None:
        """Wait for the turn, and be over at once."""
        if turn is not None:
            await turn
        self.served.append(name)
        self.turns.end(exchange)


async def test_with_room_a_request_begins_at_once() -> None:
    bench = Bench()
    exchange, turn = bench.begin()
    assert turn is None
    assert bench.turns.running == 1
    bench.turns.end(exchange)
    assert bench.turns.running == 0


async def test_the_first_come_first_and_signed_in_clients_before_others() -> None:
    bench = Bench()
    running, _ = bench.begin()
    tasks: list[asyncio.Task[None]] = []
    for name, headers in (
        ("stranger 1", {}),
        ("bulk", {"authorization": "x", "priority": "u=7"}),
        ("user 1", {"authorization": "x"}),
        ("stranger 2", {}),
        ("user 2", {"authorization": "x", "priority": "u=1"}),
    ):
        exchange, turn = bench.begin(**headers)
        assert turn is not None
        tasks.append(asyncio.create_task(bench.serve(name, exchange, turn)))
    await asyncio.sleep(0.01)
    assert bench.served == []
    bench.turns.end(running)
    await asyncio.gather(*tasks)
    assert bench.served == ["user 1", "user 2", "stranger 1", "bulk", "stranger 2"]


async def test_whoever_has_no_turn_in_time_is_refused_and_the_others_go_on() -> None:
    bench = Bench(wait_seconds=0.03)
    running, _ = bench.begin()
    exchange, turn = bench.begin()
    with pytest.raises(Overloaded) as caught:
        await bench.serve("late", exchange, turn)
    assert dict(caught.value.headers)[b"retry-after"] in (b"1", b"2", b"3")
    assert bench.shed == [LoadShed(running=1, waiting=0)]
    bench.turns.end(running)
    assert bench.turns.running == 0
    _, turn = bench.begin()
    assert turn is None


async def test_in_a_hurry_strangers_are_refused_at_once_and_of_signed_in_clients_the_last_come_first() -> None:
    bench = Bench(wait_seconds=0.1)
    running, _ = bench.begin()
    early = asyncio.create_task(bench.serve("early", *bench.begin()))
    await asyncio.sleep(0.12)  # it is refused, and the next second is one of hurry
    with pytest.raises(Overloaded):
        await early
    with pytest.raises(Overloaded):
        bench.begin()
    tasks = [asyncio.create_task(bench.serve(name, *bench.begin(authorization="x"))) for name in ("a", "b", "c")]
    await asyncio.sleep(0)
    bench.turns.end(running)
    await asyncio.gather(*tasks)
    assert bench.served == ["c", "b", "a"]


async def test_in_a_hurry_probes_mounts_and_some_signed_in_clients_are_not_refused() -> None:
    bench = Bench()
    turns = bench.turns
    running, _ = bench.begin()
    turns._hurries_until = turns._due = time.monotonic_ns() + 60_000 * MILLISECOND
    with pytest.raises(Overloaded):
        bench.begin()
    for hopeful in (bench.exchange("/livez"), bench.exchange("/legacy"), bench.exchange(authorization="x")):
        turns.begin(hopeful)
    for _ in range(HURRIED_KNOWN_MAX - turns.waiting):
        turns.begin(bench.exchange(authorization="x"))
    with pytest.raises(Overloaded):
        turns.begin(bench.exchange(authorization="x"))
    turns.end(running)
    while turns.waiting:
        await asyncio.sleep(0)
        turns.running = 0
    turns._due = turns._hurries_until
    assert bench.begin()[1] is None


async def test_a_refusal_in_a_hurry_costs_no_token_and_reaches_no_application() -> None:
    observations = Observations()
    finished: list[RequestFinished] = []
    observations.subscribe(RequestFinished, finished.append)
    asked: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope)
        await scope["gatepost"].respond(Response(200))

    guarded: Gate = gate(app, observations, api_count=2)
    before = await ask(guarded)
    turns = guarded._turns
    turns._hurries_until, turns.running = time.monotonic_ns() + 60_000 * MILLISECOND, LIMIT_FIRST
    refused = [await ask(guarded) for _ in range(200)]
    turns._hurries_until, turns.running = 0, 0
    after = await ask(guarded)
    assert [answer.status for answer in (before, *refused, after)] == [200, *[503] * 200, 200]
    assert len(asked) == 2
    assert [(answer.header("ratelimit") or "").split(";t=")[0] for answer in (before, after)] == [
        '"api";r=1',
        '"api";r=0',
    ]
    assert {event.code for event in finished[1:-1]} == {"overloaded"}
    first = refused[0]
    assert first.problem["request_id"] == first.header("x-request-id") == finished[1].request_id
    assert first.header("x-content-type-options") == "nosniff"
    assert guarded.in_flight == 0
    turns._hurries_until, turns.running = time.monotonic_ns() + 60_000 * MILLISECOND, LIMIT_FIRST
    hurries_until = turns._hurries_until
    assert (await ask(guarded)).status == 429  # who is over a limit does not prolong the hurry
    assert turns._hurries_until == hurries_until


async def test_a_request_that_was_cancelled_has_no_turn_and_takes_none() -> None:
    bench = Bench()
    running, _ = bench.begin()
    tasks = [asyncio.create_task(bench.serve(name, *bench.begin())) for name in ("a", "b")]
    await asyncio.sleep(0)
    tasks[0].cancel()
    bench.turns.end(running)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert bench.served == ["b"]
    assert (bench.turns.running, bench.turns.waiting) == (0, 0)


async def test_probes_never_wait_and_mounts_wait_only_for_the_loop() -> None:
    bench = Bench()
    bench.begin()
    for path in ("/livez", "/legacy"):
        exchange = bench.exchange(path)
        assert bench.turns.begin(exchange) is None
        assert exchange.turn_at == 0
    until = time.monotonic_ns() + 2 * SLICE_NS
    while time.monotonic_ns() < until:
        pass
    assert bench.turns.begin(bench.exchange("/livez")) is None
    turn = bench.turns.begin(bench.exchange("/legacy"))
    assert turn is not None
    await turn


async def test_the_queue_is_bounded() -> None:
    bench = Bench()
    bench.begin()
    turns = [bench.begin()[1] for _ in range(1001)]
    assert bench.turns.waiting == 1000
    first = turns[0]
    assert isinstance(first, asyncio.Future)
    assert isinstance(first.exception(), Overloaded)


def test_a_gate_that_was_left_by_its_loop_serves_on_another() -> None:
    bench = Bench()

    async def leave() -> None:
        bench.begin()

    asyncio.run(leave())
    bench.turns._limit.allowed = 5
    bench.turns._due -= 10_000 * MILLISECOND

    async def come() -> None:
        _, turn = bench.begin()
        assert turn is None

    asyncio.run(come())


def burning(seconds: float, served: list[float]) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """An application that keeps the processor busy."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass
        served.append(time.perf_counter())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def test_the_gate_refuses_what_comes_too_late_and_gives_its_tokens_back() -> None:
    """Ten times as much at once as can be done in the time that requests may wait."""
    served: list[float] = []
    guarded: Gate = gate(burning(0.005, served), api_count=1000, wait_seconds=0.1)
    answers = await asyncio.gather(*(ask(guarded) for _ in range(200)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 503}
    assert 5 <= len(served) == statuses.count(200) <= 100
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.problem["code"] == "overloaded"
    assert refused.header("retry-after") in ("1", "2", "3")
    assert refused.header("content-security-policy") is not None
    await guarded.limiter.buckets.stop()  # what the process holds in advance goes back into the bucket
    after = await ask(guarded)
    left = after.header("ratelimit")
    assert left is not None
    assert 1000 - len(served) - 2 <= int(left.split("r=")[1].split(";")[0]) < 1000


async def test_who_waits_for_a_slow_client_keeps_nobody_from_a_turn_and_does_not_look_slow() -> None:
    guarded: Gate = gate(reading, api_count=1000)
    guarded._turns._limit.allowed = 1
    released = asyncio.Event()

    async def slow() -> dict[str, object]:
        await released.wait()
        return {"type": "http.request", "body": b"{}", "more_body": False}

    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    uploads = [asyncio.create_task(ask(guarded, scope("POST", headers=headers), slow)) for _ in range(20)]
    await asyncio.sleep(0.05)
    quick = await asyncio.wait_for(ask(guarded, scope("POST", headers=headers), parts(b"{}")), 1)
    assert quick.status == 200
    released.set()
    assert {answer.status for answer in await asyncio.gather(*uploads)} == {200}
    assert guarded._turns.running == 0
    assert guarded._turns._limit.allowed == 1
    assert max(guarded._turns._limit._paces.values()) < 50 * MILLISECOND


class Clock:
    """Windows that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 10**12
        self.cpu = 0
        self.limit = ConcurrencyLimit(lambda: self.cpu)

    def window(self, milliseconds: float, *, running: int, count: int = 50, busy: float = 1.0) -> int:
        """The limit after a window in which so many requests took so long, while the process was so busy."""
        self.cpu += int(WINDOW_NS * busy)
        action = ACTIONS["/api/books"]
        for _ in range(count):
            self.limit.note(action, int(milliseconds * MILLISECOND), running)
        self.now += WINDOW_NS
        self.limit.adapt(self.now)
        return self.limit.allowed


def test_the_limit_shrinks_while_requests_are_slow_by_their_own_measure_and_grows_again() -> None:
    clock = Clock()
    for _ in range(5):
        assert clock.window(4, running=0) == LIMIT_FIRST
    sizes = [clock.window(40, running=50) for _ in range(40)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == LIMIT_MIN
    for _ in range(80):
        clock.limit.is_reached = True
        clock.window(4, running=3)
    assert clock.limit.allowed > LIMIT_FIRST


def test_a_process_with_time_to_spare_blames_itself_less() -> None:
    clock = Clock()
    clock.window(4, running=0)
    assert [clock.window(40, running=50, busy=0.2) for _ in range(20)][-1] == LIMIT_IDLE
    assert [clock.window(40, running=50, busy=0.9) for _ in range(20)][-1] == LIMIT_MIN


def test_what_is_slow_by_nature_is_not_slow() -> None:
    clock = Clock()
    for _ in range(20):
        clock.window(900, running=0)
    assert clock.window(900, running=200) == LIMIT_FIRST


def test_cheap_work_may_queue_a_little() -> None:
    clock = Clock()
    clock.window(0.3, running=0)
    assert [clock.window(5, running=16) for _ in range(10)] == [LIMIT_FIRST] * 10
