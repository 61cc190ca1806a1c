"""Admission by the gate, on a real event loop."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from gate_conversation import ask, gate, parts, reading, responding, scope

from gatepost.asgi import Receive, Scope, Send
from gatepost.call import Response
from gatepost.events import Events, RequestFinished
from gatepost.gateway.admission_rule import MILLISECONDS, RULE
from gatepost.gateway.gate import GateMiddleware


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


async def test_a_refusal_costs_no_token_and_reaches_no_application() -> None:
    events = Events()
    finished: list[RequestFinished] = []
    events.subscribe(RequestFinished, finished.append)
    asked: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope)
        await scope["gatepost"].respond(Response(200))

    guarded: GateMiddleware = gate(app, events, api_count=202, queue_seconds=0.01)
    before = await ask(guarded)
    guarded._queue.running = RULE.limit_max + 1
    refused = await asyncio.gather(*(ask(guarded) for _ in range(200)))
    guarded._queue.running = 0
    await guarded.limiter.buckets.stop()  # what the process holds in advance goes back into the bucket
    after = await ask(guarded)
    assert [response.status for response in (before, *refused, after)] == [200, *[503] * 200, 200]
    assert len(asked) == 2
    assert [(response.header("ratelimit") or "").split(";t=")[0] for response in (before, after)] == [
        '"api";r=201',
        '"api";r=200',
    ]
    assert {event.code for event in finished[1:-1]} == {"overloaded"}
    first = refused[0]
    assert first.problem["request_id"] == first.header("x-request-id")
    assert first.header("x-content-type-options") == "nosniff"
    assert first.header("retry-after") in ("1", "2", "3")
    assert len(guarded._deadlines.in_flight) == 0


async def test_a_request_that_waits_is_refused_as_overload_and_not_for_its_time() -> None:
    guarded: GateMiddleware = gate(responding(), api_count=100, queue_seconds=60, request_seconds=1)
    guarded._queue.running = RULE.limit_max + 1
    refused = await asyncio.gather(*(ask(guarded) for _ in range(20)))
    assert {(response.status, response.problem["code"]) for response in refused} == {(503, "overloaded")}
    guarded._queue.running = 0
    await guarded.limiter.buckets.stop()
    assert ((await ask(guarded)).header("ratelimit") or "").startswith('"api";r=99')


async def test_the_gate_refuses_what_waits_too_long_and_serves_the_rest() -> None:
    """Ten times as much at once as can be done in the time that requests may wait."""
    served: list[float] = []
    guarded: GateMiddleware = gate(burning(0.005, served), api_count=1000, queue_seconds=0.1)
    statuses = [response.status for response in await asyncio.gather(*(ask(guarded) for _ in range(200)))]
    assert set(statuses) == {200, 503}
    assert 5 <= len(served) == statuses.count(200) <= 100


async def test_a_request_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    served: list[float] = []
    guarded: GateMiddleware = gate(burning(0, served), api_count=1000)
    guarded._queue.running = RULE.limit_max + 1
    tasks = [asyncio.create_task(ask(guarded)) for _ in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    assert guarded._queue.waiting == 2
    guarded._queue.running = 0
    tasks[1].cancel()
    responses = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(response, BaseException) for response in responses] == [True, True, False]
    assert len(served) == 1
    assert (guarded._queue.running, guarded._queue.waiting, len(guarded._deadlines.in_flight)) == (0, 0, 0)


async def test_a_request_that_waits_for_a_slow_client_gives_up_its_place() -> None:
    guarded: GateMiddleware = gate(reading, api_count=1000)
    guarded._queue._concurrency.limit = 1
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
    assert {response.status for response in await asyncio.gather(*uploads)} == {200}
    assert guarded._queue.running == 0
    assert max(guarded._queue._concurrency._baseline_latency.values()) < 50 * MILLISECONDS
