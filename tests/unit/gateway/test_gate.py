import asyncio
import dataclasses
import gc
from typing import Any

import pytest
from gate_conversation import ROUTES, ask, collect, forbidden_receive, gate, raising, responding, scope

from gatepost.actor import Actor
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.declaring.headers import Headers
from gatepost.errors import Conflict, FieldError, Header, Problem, Unauthorized, Unprocessable
from gatepost.events import Events, RequestFailed, RequestFinished
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.settings import GateSettings

SECURITY = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "origin-agent-cluster": "?1",
    "referrer-policy": "no-referrer",
    "strict-transport-security": None,
    "x-content-type-options": "nosniff",
    "x-dns-prefetch-control": "off",
    "x-download-options": "noopen",
    "x-frame-options": "DENY",
    "x-permitted-cross-domain-policies": "none",
    "x-xss-protection": "0",
    "server": "gatepost",
    "x-powered-by": None,
    "cache-control": None,
}


def signed_in(inner: Any) -> Any:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["gatepost"].actor = Actor(7)
        await inner(scope, receive, send)

    return app


def observed() -> tuple[Events, list[RequestFinished], list[RequestFailed]]:
    finished: list[RequestFinished] = []
    failed: list[RequestFailed] = []
    events = Events()
    events.subscribe(RequestFinished, finished.append)
    events.subscribe(RequestFailed, failed.append)
    return events, finished, failed


@pytest.mark.parametrize(
    ("asked", "status"),
    [(scope(), 200), (scope(path="/nowhere"), 404), (scope("DELETE"), 405), (scope(raw_path=b"/%00"), 400)],
)
async def test_every_response_carries_the_security_headers(asked: Scope, status: int) -> None:
    response = await ask(gate(responding()), asked)
    assert response.status == status
    assert {name: response.header(name) for name in SECURITY} == SECURITY


async def test_hsts_is_sent_over_tls_only() -> None:
    response = await ask(gate(responding()), scope(scheme="https"))
    assert response.header("strict-transport-security") == "max-age=31536000; includeSubDomains"


async def test_what_somebody_signed_in_gets_is_not_stored_unless_the_response_says_so() -> None:
    assert (await ask(gate(signed_in(responding())))).header("cache-control") == "no-store"
    own = responding(headers=[(b"cache-control", b"private, no-cache")])
    assert (await ask(gate(signed_in(own)))).header("cache-control") == "private, no-cache"


async def test_the_responses_own_headers_win_except_for_who_serves_and_the_request_id() -> None:
    own: list[Header] = [(b"x-frame-options", b"SAMEORIGIN"), (b"server", b"leaky/1.2"), (b"x-request-id", b"forged")]
    response = await ask(gate(responding(headers=own)))
    assert response.header("x-frame-options") == "SAMEORIGIN"
    assert response.header("server") == "gatepost"
    assert response.header("x-request-id") != "forged"
    assert response.header("x-content-type-options") == "nosniff"


@pytest.mark.parametrize("given", [[], [(b"content-type", b"text/html; charset=utf-8")]])
async def test_a_mounted_page_may_load_what_is_its_own_and_nothing_inline(given: list[Header]) -> None:
    response = await ask(gate(responding(headers=given)), scope(path="/legacy"))
    policy = response.header("content-security-policy") or ""
    assert policy.startswith("default-src 'self';")
    assert "unsafe-inline" not in policy
    assert response.header("x-frame-options") == "SAMEORIGIN"


@pytest.mark.parametrize("given", [b"application/json", b"Application/JSON; charset=utf-8", b"application/ld+json"])
async def test_what_a_mounted_application_says_in_json_gets_the_strict_headers(given: bytes) -> None:
    response = await ask(gate(responding(headers=[(b"content-type", given)])), scope(path="/legacy"))
    assert {name: response.header(name) for name in SECURITY} == SECURITY


async def test_declared_headers_are_on_all_responses_of_a_route_and_cache_control_is_not_on_refusals() -> None:
    declared = Headers({"cache-control": "public, max-age=60", "x-frame-options": None}, location="test")
    books = ROUTES["/api/books"]
    own = dataclasses.replace(books, headers=declared)

    def behind(app: ASGIApp) -> GateMiddleware:
        events = Events()
        settings = GateSettings()
        limiter = make_limiter(settings, events)
        return GateMiddleware(
            app, match=lambda method, path: (own, None, None), limiter=limiter, settings=settings, events=events
        )

    refused = await ask(behind(signed_in(raising(Conflict("out_of_stock", "No.")))))
    assert (refused.status, refused.header("cache-control")) == (409, "no-store")
    assert refused.header("x-frame-options") is None
    assert "authorization" not in (refused.header("vary") or "")
    shown = await ask(behind(signed_in(responding())))
    assert (shown.status, shown.header("cache-control")) == (200, "public, max-age=60")
    assert "authorization" in (shown.header("vary") or ""), "a shared cache tells clients apart"


async def test_messages_of_the_application_are_not_changed() -> None:
    app = gate(responding(headers=[(b"etag", b'"1"')]))
    first, second = await ask(app), await ask(app)
    assert len(first.headers) == len(second.headers)


async def test_every_request_has_an_id_of_its_own_and_none_is_taken_from_outside() -> None:
    app = gate(responding())
    ids = {(await ask(app, scope(headers=[(b"x-request-id", b"mine")]))).header("x-request-id") for _ in range(50)}
    assert len(ids) == 50
    assert "mine" not in ids


async def test_limits_refuse_by_address_and_probes_are_exempt() -> None:
    app = gate(responding(), api_count=2)
    headers = [(await ask(app)).header("ratelimit") for _ in range(2)]
    assert headers == ['"api";r=1;t=450', '"api";r=0;t=900']
    refused = await ask(app)
    assert refused.status == 429
    assert refused.problem["code"] == "too_many_requests"
    assert refused.header("retry-after") == "450"
    assert refused.header("ratelimit-policy") == '"api";q=2;w=900'
    assert (await ask(app, scope(client="192.0.2.2"))).status == 200
    assert (await ask(app, scope(path="/livez"))).status == 200


@pytest.mark.parametrize("guess", [scope(path="/nowhere"), scope(raw_path=b"/%2f"), scope("DELETE")])
async def test_guessing_paths_is_limited_too(guess: Scope) -> None:
    app = gate(responding(), api_count=2)
    statuses = [(await ask(app, dict(guess))).status for _ in range(3)]
    assert statuses[:2] != [429, 429]
    assert statuses[2] == 429


@pytest.mark.parametrize(
    ("problem", "header", "value"),
    [
        (Conflict("out_of_stock", "Only 2 copies are left."), "allow", None),
        (Unauthorized("not_signed_in", "Sign in."), "www-authenticate", "Bearer"),
        (Unprocessable("invalid_body", "No.", errors=[FieldError("/a", "required", "Missing.")]), "allow", None),
    ],
)
async def test_a_refusal_is_rendered_as_problem_details(problem: Problem, header: str, value: str | None) -> None:
    response = await ask(gate(raising(problem)))
    assert response.status == problem.status
    assert response.header(header) == value
    assert response.problem == {
        "type": "about:blank",
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "request_id": response.header("x-request-id"),
        "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in problem.errors],
    }


async def test_405_names_the_methods_that_are_there() -> None:
    response = await ask(gate(responding()), scope("DELETE"))
    assert response.header("allow") == "GET, POST"
    assert response.problem["code"] == "method_not_allowed"


async def test_an_unknown_error_says_nothing_but_the_request_id_and_is_emitted() -> None:
    events, finished, failed = observed()
    error = RuntimeError("secret of /srv/shop")
    response = await ask(gate(raising(error), events))
    assert response.status == 500
    assert response.problem["code"] == "internal_error"
    assert b"secret" not in response.body
    assert [(event.request_id, event.error) for event in failed] == [(response.header("x-request-id"), error)]
    assert [(event.status, event.code) for event in finished] == [(500, "internal_error")]


async def raise_exit() -> None:
    raise SystemExit(3)


async def await_a_cancelled_task() -> None:
    other = asyncio.ensure_future(asyncio.sleep(60))
    other.cancel()
    await other


@pytest.mark.parametrize("fail", [raise_exit, await_a_cancelled_task])
async def test_what_ends_neither_the_task_nor_the_process_is_an_internal_error(fail: Any) -> None:
    events, finished, failed = observed()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await fail()

    response = await ask(gate(app, events))
    assert (response.status, response.problem["code"]) == (500, "internal_error")
    assert [event.code for event in finished] == ["internal_error"]
    assert len(failed) == 1


async def test_an_application_that_does_not_respond_is_an_internal_error() -> None:
    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        return

    assert (await ask(gate(silent))).status == 500


async def test_an_error_behind_the_first_part_of_the_response_is_raised_so_that_the_connection_is_cut() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        raise Conflict("too_late", "Too late.")

    events, finished, failed = observed()
    with pytest.raises(Conflict):
        await ask(gate(app, events))
    assert [type(event.error) for event in failed] == [Conflict]
    assert [event.status for event in finished] == [200]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("broken"), 500, "internal_error"),
        (Conflict("late", "Late."), 409, "late"),
        (None, 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("path", ["/legacy", "/api/books"])
async def test_an_error_between_the_start_of_a_response_and_its_body_is_a_response_of_the_gate(
    path: str, error: Exception | None, status: int, code: str
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        if error is not None:
            raise error

    events, finished, failed = observed()
    response = await ask(gate(app, events), scope(path=path))
    assert (response.status, response.problem["code"]) == (status, code)
    assert response.header("content-length") is None
    assert response.header("x-content-type-options") == "nosniff"
    assert [event.status for event in finished] == [status]
    assert len(failed) == (status == 500)


async def test_a_second_start_reaches_the_server_which_refuses_it() -> None:
    messages: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        if message["type"] in messages:
            raise RuntimeError("Response already started")
        messages.append(message["type"])

    with pytest.raises(RuntimeError, match="already started"):
        await gate(app)(scope(path="/legacy"), forbidden_receive, send)


@pytest.mark.parametrize("app", [responding(body=b"content"), raising(Conflict("x", "y"))])
async def test_head_has_no_body(app: Any) -> None:
    assert (await ask(gate(app), scope("HEAD"))).body == b""


async def test_what_finished_is_emitted() -> None:
    events, finished, _ = observed()
    response = await ask(gate(signed_in(responding(201)), events), scope("POST", client="2001:db8::1"))
    assert len(finished) == 1
    event = finished[0]
    assert event.request_id == response.header("x-request-id")
    assert (event.method, event.path, event.route, event.status) == ("POST", "/api/books", "/Book.get", 201)
    assert (event.client, event.actor_id, event.code) == ("2001:db8::1", 7, None)
    assert 0 <= event.seconds < 5


@pytest.mark.parametrize("path", ["/api/books", "/nowhere"])
async def test_a_subscriber_that_raises_changes_no_response(path: str) -> None:
    def fails(event: RequestFinished) -> None:
        raise ValueError("a bug in the metrics")

    events = Events()
    events.subscribe(RequestFinished, fails)
    plain = await ask(gate(responding(200)), scope(path=path))
    observed = await ask(gate(responding(200), events), scope(path=path))
    assert (observed.status, observed.body[:10]) == (plain.status, plain.body[:10])
    assert events.failures.total() == 1


async def test_a_request_over_its_time_is_cancelled_and_gets_504() -> None:
    cleaned: list[bool] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(True)

    observed_here = observed()
    app_gate = gate(app, observed_here[0], request_seconds=0.1)
    response = await asyncio.wait_for(ask(app_gate), 5)
    assert response.status == 504
    assert response.problem["code"] == "request_timeout"
    assert cleaned == [True]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    assert observed_here[2] == []
    assert len(app_gate._deadlines.in_flight) == 0


@pytest.mark.parametrize("has_begun", [False, True])
async def test_a_cancellation_from_outside_gets_no_response(has_begun: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if has_begun:  # the gate holds the start of a response until its body begins
            await send({"type": "http.response.start", "status": 200, "headers": []})
        started.set()
        await asyncio.Event().wait()

    started = asyncio.Event()
    events, finished, _ = observed()
    task = asyncio.create_task(ask(gate(app, events)))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [event.status for event in finished] == [499]


async def test_a_mounted_application_may_stream_beyond_the_deadline() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0.4)
        await send({"type": "http.response.body", "body": b"late"})

    assert (await ask(gate(app, request_seconds=0.1), scope(path="/legacy"))).body == b"late"


async def test_one_slow_request_does_not_end_its_neighbours() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60 if scope["client"][0] == "192.0.2.1" else 0.01)
        await responding()(scope, receive, send)

    app_gate = gate(app, request_seconds=0.15)
    slow = asyncio.create_task(ask(app_gate))
    for _ in range(10):
        assert (await ask(app_gate, scope(client="192.0.2.2"))).status == 200
    assert (await slow).status == 504


async def test_draining_closes_connections_and_waits_for_those_in_flight() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        started.set()
        await proceed.wait()
        await responding()(scope, receive, send)

    started, proceed = asyncio.Event(), asyncio.Event()
    app_gate = gate(app)
    task = asyncio.create_task(ask(app_gate))
    await started.wait()
    app_gate.drain()
    assert app_gate.is_draining
    assert len(app_gate._deadlines.in_flight) == 1
    assert not await app_gate.wait_idle(0.01)
    proceed.set()
    assert await app_gate.wait_idle(5)
    assert (await task).header("connection") == "close"
    assert await app_gate.wait_idle(0)


async def test_the_request_of_the_running_task_is_found_and_no_other() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0)  # lets the others come in
        found.append((app_gate.find_current(), scope["gatepost"]))
        await responding()(scope, receive, send)

    found: list[tuple[object, object]] = []
    app_gate = gate(app)
    await asyncio.gather(*(ask(app_gate) for _ in range(3)))
    assert len(found) == 3
    assert all(current is own for current, own in found)
    assert app_gate.find_current() is None
    assert await asyncio.to_thread(app_gate.find_current) is None


async def test_a_websocket_is_refused_politely() -> None:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await gate(responding())({"type": "websocket", "path": "/api/books"}, receive, send)
    assert [(message["type"], message["code"]) for message in messages] == [("websocket.close", 1008)]


async def test_lifespan_passes_through() -> None:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    await gate(responding())({"type": "lifespan"}, forbidden_receive, send)
    assert collect(messages).headers == []


async def test_a_request_leaves_no_work_for_the_garbage_collector() -> None:
    app = gate(responding())
    await ask(app)

    async def garbage_of_twenty() -> int:
        gc.collect()
        gc.disable()
        try:
            for _ in range(20):
                await ask(app)
            return gc.collect()
        finally:
            gc.enable()

    # What a thread of another test drops meanwhile is counted too, but not each time.
    assert min([await garbage_of_twenty() for _ in range(3)]) < 20
