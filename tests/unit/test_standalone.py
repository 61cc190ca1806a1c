"""The gate alone, around applications that know nothing of it."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from gate_conversation import GateResponse, ask, parts, raising, responding, scope

from gatepost.actor import Actor
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.declaring.cors import CORS
from gatepost.declaring.rate_limits import RateLimit
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, Header, Unauthorized
from gatepost.events import Events, RequestFinished
from gatepost.gateway import Gate, PathRules
from gatepost.settings import Settings

JSON: Header = (b"content-type", b"application/json")
FORM: Header = (b"content-type", b"multipart/form-data; boundary=x")
QUIET = {"GATEPOST_ENV": "production", "GATEPOST_LOG_ACCESS": "false"}


def settings(**environ: str) -> Settings:
    return load_settings({**QUIET, **environ})


def alone(app: ASGIApp, environ: Mapping[str, str] | None = None, **given: Any) -> Gate:
    return Gate(app, settings=settings(**(environ or {})), **given)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Responds with the body that it has read, and says by whom the gate says it was sent."""
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    headers = [(b"x-actor", str(scope["gatepost"].actor.id).encode())]
    await responding(body=body, headers=headers)(scope, receive, send)


def post(path: str = "/anything", *headers: Header, length: int = 2) -> Scope:
    return scope("POST", path, [*headers, (b"content-length", b"%d" % length)])


async def test_the_application_serves_any_path_and_method() -> None:
    gate = alone(responding(404, b"gone"))
    for asked in (scope(path="/nowhere"), scope("DELETE", "/a/b"), scope("OPTIONS", "*")):
        response = await ask(gate, asked)
        assert (response.status, response.body) == (404, b"gone")
        assert response.header("ratelimit-policy") == '"api";q=100;w=900'
        assert response.header("x-content-type-options") == "nosniff"


async def test_pages_have_the_headers_of_pages_and_data_those_of_data() -> None:
    page = await ask(alone(responding(headers=[(b"content-type", b"text/html")])))
    assert (page.header("content-security-policy") or "").startswith("default-src 'self';")
    data = await ask(alone(responding(headers=[JSON])))
    assert (data.header("content-security-policy") or "").startswith("default-src 'none';")
    own = {"/docs": PathRules(headers={"Content-Security-Policy": "default-src 'self'", "X-Frame-Options": None})}
    docs = await ask(alone(responding(headers=[(b"content-type", b"text/html")]), paths=own), scope(path="/docs"))
    assert (docs.header("content-security-policy"), docs.header("x-frame-options")) == ("default-src 'self'", None)


async def test_headers_in_capitals_are_known_for_what_they_are() -> None:
    own: list[Header] = [
        (b"Content-Type", b"application/json"),
        (b"Referrer-Policy", b"same-origin"),
        (b"Server", b"x/1"),
    ]
    response = await ask(alone(responding(headers=own)))
    assert response.header("referrer-policy") == "same-origin"
    assert response.header("server") == "gatepost"
    assert (response.header("content-security-policy") or "").startswith("default-src 'none';")


@pytest.mark.parametrize(
    ("paths", "status"),
    [
        ({}, 415),
        ({"POST /upload": PathRules(content_types=["multipart/form-data"])}, 200),
        ({"PUT /upload": PathRules(content_types=["multipart/form-data"])}, 415),
        ({"/*": PathRules(content_types=["multipart/form-data", "application/json"])}, 200),
    ],
)
async def test_multipart_is_refused_unless_a_path_asks_for_it(paths: dict[str, PathRules], status: int) -> None:
    assert (await ask(alone(echo, paths=paths), post("/upload", FORM), parts(b"--"))).status == status


async def test_a_path_has_limits_of_its_own() -> None:
    paths = {
        "POST /login": PathRules(auth=True),
        "/rare": PathRules(rate_limit=RateLimit(1)),
        "/healthz": PathRules(probe=True),
        "/small": PathRules(body_bytes_max=1),
    }
    gate = alone(responding(), paths=paths)
    statuses = {
        name: [(await ask(gate, scope(method, path))).status for _ in range(6)].count(200)
        for name, method, path in [("login", "POST", "/login"), ("rare", "GET", "/rare"), ("page", "GET", "/login")]
    }
    assert statuses == {"login": 5, "rare": 1, "page": 6}
    assert {(await ask(gate, scope(path="/healthz"))).status for _ in range(200)} == {200}
    assert (await ask(gate, post("/small", JSON), parts(b"{}"))).status == 413


async def test_a_health_check_has_no_access_line_while_it_succeeds(capfdbinary: Any) -> None:
    statuses = iter([200, 503, 200, 200])

    async def checked(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": next(statuses), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    gate = alone(checked, {"GATEPOST_LOG_ACCESS": "true"}, paths={"/healthz": PathRules(probe=True)})
    for _ in range(4):
        await ask(gate, scope(path="/healthz"))
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [line["status"] for line in lines if line["event"] == "request"] == [503, 200]


async def test_a_path_has_a_rule_of_its_own_for_other_origins() -> None:
    paths = {"/shared/*": PathRules(cors=CORS("https://shop.example"))}
    gate = alone(responding(), paths=paths)
    asked = partial(scope, headers=[(b"origin", b"https://shop.example")])
    assert (await ask(gate, asked(path="/shared/1"))).header("access-control-allow-origin") == "https://shop.example"
    assert (await ask(gate, asked(path="/other"))).header("access-control-allow-origin") is None


def by_header(headers: Mapping[str, str]) -> str | None:
    return headers.get("X-User")


async def awaited(headers: Mapping[str, str]) -> str | None:
    await asyncio.sleep(0)
    return headers.get("x-user")


class Asynchronous:
    async def __call__(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("x-USER")


@pytest.mark.parametrize("identify", [by_header, awaited, Asynchronous(), partial(awaited)])
async def test_an_identified_client_has_its_own_bucket_and_responses_that_no_cache_stores(identify: Any) -> None:
    gate = alone(echo, identify=identify, environ={"GATEPOST_LIMIT_API": "3"})
    addresses = iter(f"192.0.2.{number}" for number in range(1, 100))

    async def ask_as(*headers: Header) -> GateResponse:
        return await ask(gate, scope(headers=headers, client=next(addresses)), parts(b""))

    first = await ask_as((b"x-user", b"ada"))
    assert (first.header("x-actor"), first.header("cache-control")) == ("ada", "no-store")
    assert first.header("ratelimit") == '"api";r=2;t=300, "api-actor";r=2;t=300'
    assert [(await ask_as((b"x-user", b"ada"))).status for _ in range(3)] == [200, 200, 429]
    nobody = await ask_as()
    assert (nobody.header("x-actor"), nobody.header("cache-control")) == ("None", None)


async def test_who_is_refused_does_not_reach_the_application() -> None:
    def refusing(headers: Mapping[str, str]) -> None:
        raise Unauthorized("invalid_token", "The token has expired.")

    response = await ask(alone(raising(AssertionError()), identify=refusing))
    assert (response.status, response.problem["code"]) == (401, "invalid_token")
    assert response.header("www-authenticate") == 'Bearer error="invalid_token"'


@pytest.mark.parametrize("given", [Actor(7), True, 1.5, b"ada"])
async def test_what_is_no_key_of_a_user_is_an_error_in_the_log(given: object, caplog: pytest.LogCaptureFixture) -> None:
    wrong: Any = lambda headers: given  # noqa: E731
    assert (await ask(alone(responding(), identify=wrong))).status == 500
    assert "identify= returned" in caplog.text


async def test_a_key_with_half_of_a_surrogate_pair_is_as_good_as_any(caplog: pytest.LogCaptureFixture) -> None:
    """A token can hold one: JSON can write it. It can be neither the key of a bucket nor a word in a log as it is."""
    gate = alone(responding(), identify=lambda headers: "\ud800ada", environ={"GATEPOST_LIMIT_API": "2"})
    assert [(await ask(gate)).status for _ in range(3)] == [200, 200, 429]
    assert [record.getMessage() for record in caplog.records] == ["limit_exceeded"]


async def test_headers_are_found_in_any_case_and_listed() -> None:
    seen: list[Mapping[str, str]] = []

    def identify(headers: Mapping[str, str]) -> None:
        seen.append(headers)

    await ask(alone(responding(), identify=identify), scope(headers=[(b"x-a", b"\xe9"), (b"x-a", b"2")]))
    (headers,) = seen
    assert dict(headers) == {"host": "127.0.0.1:8000", "x-a": "é, 2"}
    assert (headers["X-A"], headers.get("x-\u0416"), "HOST" in headers, len(headers)) == ("é, 2", None, True, 2)


HOST = b"http://127.0.0.1:8000"
SITE = b"sec-fetch-site"


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 200),
        ([(SITE, b"same-origin"), (b"origin", b"null")], 200),
        ([(SITE, b"none")], 200),
        ([(SITE, b"cross-site"), (b"origin", b"https://evil.example")], 403),
        ([(SITE, b"same-site"), (b"origin", b"https://evil.example")], 403),
        ([(SITE, b"cross-site"), (b"origin", b"null")], 403),
        ([(SITE, b"cross-site")], 403),
        ([(SITE, b"cross-site"), (b"origin", HOST)], 403),
        ([(SITE, b"cross-site"), (b"origin", b"https://pay.example")], 200),
        ([(SITE, b"same-origin, cross-site")], 403),
        ([(b"origin", HOST)], 200),
        ([(b"origin", b"http://127.0.0.1:8001")], 403),
        ([(b"origin", b"https://evil.example")], 403),
        ([(b"origin", b"https://pay.example")], 200),
    ],
)
@pytest.mark.parametrize("kind", [b"application/x-www-form-urlencoded", b"Multipart/Form-Data; boundary=x"])
async def test_a_form_is_sent_by_our_own_pages_and_by_those_that_are_let_in(
    lines: list[Header], status: int, kind: bytes
) -> None:
    types = ["application/x-www-form-urlencoded", "multipart/form-data", "application/json"]
    paths = {"/pay": PathRules(content_types=types, cors=CORS("https://pay.example"))}
    gate = alone(echo, paths=paths)
    response = await ask(gate, post("/pay", (b"content-type", kind), *lines), parts(b"a="))
    assert response.status == status
    if status == 403:
        assert response.problem["code"] == "cross_origin"
    assert (await ask(gate, post("/pay", JSON, *lines), parts(b"{}"))).status == 200, "JSON had its preflight"


@pytest.mark.parametrize(("method", "status"), [("POST", 403), ("PUT", 200), ("GET", 200)])
async def test_a_post_without_a_body_is_sent_without_asking_too(method: str, status: int) -> None:
    asked = scope(method, "/logout", [(SITE, b"cross-site")])
    assert (await ask(alone(echo), asked, parts(b""))).status == status


async def test_json_is_strict_unless_a_path_takes_it_as_it_comes() -> None:
    gate = alone(echo, paths={"/lenient": PathRules(strict_json=False)})
    doubled = b'{"a":1,"a":2}'
    refused = await ask(gate, post("/strict", JSON, length=13), parts(doubled))
    assert refused.problem["code"] == "malformed_json"
    assert (await ask(gate, post("/lenient", JSON, length=13), parts(doubled))).body == doubled
    assert (await ask(gate, post("/strict", JSON, length=7), parts(b'{"a"', b":1}"))).body == b'{"a":1}'


STEPS: dict[str, tuple[int, dict[str, Any]]] = {
    "head": (400, {"lines": [(b"host", b"b")]}),
    "path": (400, {"raw_path": b"/%2f"}),
    "limit": (429, {"client": "198.51.100.1"}),
    "type": (415, {"lines": [(b"content-type", b"text/csv")]}),
    "size": (413, {"lines": [(b"content-length", b"9999999")]}),
    "identity": (401, {"lines": [(b"x-user", b"expired")]}),
    "json": (400, {"body": b"{,"}),
    "application": (404, {}),
}
"""What is refused, in order, and what a request has to have for it."""

CODES = {"head": "host", "path": "path", "json": "JSON"}


def wrong_from(step: str) -> tuple[Scope, bytes]:
    """A request that gives cause to be refused by this step and by each one after it."""
    names = list(STEPS)
    lines: list[Header] = []
    given: dict[str, Any] = {}
    for name in names[names.index(step) :]:
        # What is refused before the limit takes a token all the same, so an empty bucket would hide it.
        if name != "limit" or step == "limit":
            cause = dict(STEPS[name][1])
            lines += cause.pop("lines", [])
            given |= cause
    body = given.pop("body", b"{}")
    for line in [(b"content-length", b"2"), JSON]:
        if line[0] not in dict(lines):
            lines.append(line)
    return scope("POST", headers=lines, **given), body


@pytest.mark.parametrize("step", STEPS)
async def test_each_step_stands_where_the_list_says(step: str) -> None:
    def identify(headers: Mapping[str, str]) -> None:
        if headers.get("x-user") == "expired":
            raise Unauthorized("invalid_token", "Expired.")

    gate = alone(responding(404), identify=identify, environ={"GATEPOST_LIMIT_API": "1"})
    await ask(gate, scope(client="198.51.100.1"))
    asked, body = wrong_from(step)
    response = await ask(gate, asked, parts(body))
    assert response.status == STEPS[step][0]
    if step in CODES:
        assert CODES[step] in response.problem["detail"]


async def lived(app: ASGIApp, *incoming: str) -> list[str]:
    """What a server hears from the lifespan, and how it ended."""
    waiting = [{"type": f"lifespan.{name}"} for name in incoming]
    heard: list[str] = []

    async def receive() -> Message:
        return waiting.pop(0)

    async def send(message: Message) -> None:
        heard.append(message["type"])

    try:
        await app({"type": "lifespan"}, receive, send)
    except ValueError as error:
        heard.append(str(error))
    return heard


async def test_the_lifespan_is_the_applications_own_and_the_log_follows_it(capfdbinary: Any) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            return await responding()(scope, receive, send)
        for name in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{name}"
            await ask(gate, scope_of_request())
            await send({"type": f"lifespan.{name}.complete"})
        return None

    scope_of_request: Callable[[], Scope] = lambda: scope(path="/lived")  # noqa: E731
    gate = Gate(app, settings=settings(GATEPOST_LOG_ACCESS="true"))
    assert await lived(gate, "startup", "shutdown") == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    lines = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [(line["path"], line["route"], line["status"]) for line in lines] == [("/lived", "/*", 200)] * 2


async def test_an_application_without_a_lifespan_is_left_to_say_so() -> None:
    assert await lived(alone(raising(ValueError("only HTTP"))), "startup") == ["only HTTP"]


async def test_a_websocket_is_refused_before_the_application() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await alone(raising(AssertionError()))({"type": "websocket", "path": "/ws"}, receive, send)
    assert [message["code"] for message in sent] == [1008]


async def test_a_response_that_has_begun_may_take_its_time() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in (b"a", b"b", b"c"):
            await asyncio.sleep(0.15)
            await send({"type": "http.response.body", "body": part, "more_body": part != b"c"})

    assert (await ask(alone(app, environ={"GATEPOST_REQUEST_SECONDS": "0.1"}))).body == b"abc"


async def test_facts_are_for_whoever_subscribed() -> None:
    events = Events()
    seen: list[RequestFinished] = []
    events.subscribe(RequestFinished, seen.append)
    await ask(alone(responding(), events=events, paths={"/items/{id}": PathRules()}), scope(path="/items/7"))
    assert [(event.route, event.path, event.status) for event in seen] == [("/items/{id}", "/items/7", 200)]


async def test_a_failure_is_told_to_the_log_of_the_process_which_stays_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    handlers = list(logging.getLogger().handlers)
    response = await ask(alone(raising(RuntimeError("the inside"))))
    assert response.status == 500
    assert b"inside" not in response.body
    assert [record.message for record in caplog.records] == ["request_failed"]
    assert logging.getLogger().handlers == handlers


def test_settings_are_those_of_the_environment_as_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEPOST_ENV", raising=False)
    monkeypatch.setenv("GATEPOST_LIMIT_API", "7")
    policies = [asyncio.run(ask(Gate(responding()))).header("ratelimit-policy")]
    monkeypatch.setenv("GATEPOST_ENV", "development")
    policies.append(asyncio.run(ask(Gate(responding()))).header("ratelimit-policy"))
    assert policies == ['"api";q=7;w=900', '"api";q=700;w=900']


NOTHING: Any = None


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: alone(NOTHING), "Gate: None is not an application. Give it the ASGI application itself: Gate(app)."),
        (lambda: alone(responding(), identify="ada"), "Gate: identify='ada' is not a function."),
        (lambda: alone(responding(), identify=lambda: None), "identify=<lambda> must take one argument, the headers."),
        (lambda: alone(responding(), identify=lambda a, b: None), "must take one argument, the headers"),
        (lambda: alone(responding(), paths=["/login"]), "is not a mapping of paths to rules"),
        (lambda: alone(responding(), paths={"login": PathRules()}), "'login' is not a path"),
        (lambda: Gate(responding(), settings=NOTHING or {"GATEPOST_LIMIT_API": 5}), "is not a Settings object"),
        (lambda: alone(responding(), {"GATEPOST_LIMIT_API": "many"}), "GATEPOST_LIMIT_API: is 'many'"),
        (lambda: alone(responding(), {"GATEPOST_LIMIT_FACTOR": "2"}), "GATEPOST_LIMIT_FACTOR: raises every limit"),
        (lambda: alone(responding(), {"GATEPOST_ALLOWED_HOSTS": "http://x"}), "GATEPOST_ALLOWED_HOSTS"),
    ],
)
def test_a_mistake_is_a_sentence(make: Callable[[], Gate], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        make()
    assert sentence in str(raised.value)
