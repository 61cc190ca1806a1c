"""What endpoints add to their responses, and what they declare of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from calls_app import app, calls_app, failures, happened, scheduled
from sqlalchemy import MetaData

from gatepost.asgi import Message
from gatepost.errors import Header
from gatepost.response_additions import AfterResponse
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as started:
        yield started


@pytest.fixture
def client(running: TestApp) -> Client:
    happened.clear()
    failures.clear()
    return running.anonymous


async def test_a_call_tells_headers_and_the_language(client: Client) -> None:
    headers = {"user-agent": "me", "accept-language": "en;q=0.3, DE-ch"}
    response = await client.get("/api/calls/told", headers=headers)

    assert response.data == {"agent": "me", "none": None, "language": "de-CH"}
    assert response.headers["x-note"] == "seen"
    assert (b"vary", b"accept-language") in await headers_of("GET", "/api/calls/told")
    plain = await headers_of("GET", "/api/calls/plain")
    assert {b"x-note", b"set-cookie", b"accept-language"}.isdisjoint(sum(plain, ()))


@pytest.mark.usefixtures("running")
async def test_a_cookie_is_safe_by_default() -> None:
    lines = await cookies("http")
    over_tls = await cookies("https")

    assert lines == [
        "theme=dark; Path=/; Max-Age=60; SameSite=Lax; HttpOnly",
        "seen=1; Path=/api; SameSite=Lax; HttpOnly",
    ]
    assert over_tls == [f"{line}; Secure" for line in lines]


async def cookies(scheme: str) -> list[str]:
    """The cookies that a browser on this scheme is given."""
    sent = await headers_of("POST", "/api/calls/cookie", scheme)
    assert (b"cache-control", b"no-store") in sent
    return [value.decode() for name, value in sent if name == b"set-cookie"]


async def headers_of(method: str, path: str, scheme: str = "http", given: Sequence[Header] = ()) -> list[Header]:
    """All headers of a response, the doubled ones as well."""
    sent: list[Header] = []

    async def send(message: Message) -> None:
        sent.extend(message.get("headers", ()))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": scheme,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"test"), *given],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
    }
    await app(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "status", "caching"),
    [
        ("cached", 200, "public, max-age=60"),
        ("cached-cookie", 200, "no-store"),
        ("cached-refusal", 409, None),
        ("cached-itself", 200, "no-cache"),
        ("cached-header", 200, "max-age=5"),
        ("plain", 200, None),
        ("cached?unknown=1", 400, None),
    ],
)
async def test_what_caches_are_told(client: Client, path: str, status: int, caching: str | None) -> None:
    response = await client.get(f"/api/calls/{path}")

    assert (response.status, response.headers.get("cache-control")) == (status, caching)


async def test_a_refusal_has_nothing_of_what_was_added(client: Client) -> None:
    response = await client.post("/api/calls/refused")

    assert (response.status, response.json()["code"]) == (409, "not_now")
    assert {"x-note", "set-cookie"}.isdisjoint(response.headers)
    assert happened == []


async def test_a_header_cannot_split_the_response(client: Client) -> None:
    for word in ("a\r\nSet-Cookie: x=1", "a\nb", ""):
        response = await client.post("/api/calls/split", json={"word": word})
        assert (response.status, response.json()["code"]) == (500, "internal_error")
        assert {"x-note", "set-cookie"}.isdisjoint(response.headers)
    assert (await client.post("/api/calls/split", json={"word": "fine"})).headers["x-note"] == "fine"


async def test_state_lasts_for_one_call(client: Client) -> None:
    for _ in range(2):
        assert (await client.get("/api/calls/state")).data == {"count": 1, "is_scopes": True}


async def test_what_runs_after_the_response(client: Client) -> None:
    response = await client.post("/api/calls/after", json={"word": "a"})

    assert (response.status, response.data) == (200, "a")
    assert happened == ["endpoint a", "sync a", "async a"]
    [failure] = failures
    assert (str(failure.error), failure.callback.endswith("fails")) == ("a", True)
    assert failure.request_id == response.headers["x-request-id"]


async def test_it_runs_although_the_client_is_gone(running: TestApp) -> None:
    happened.clear()

    class Gone(OSError):
        pass

    async def send(message: dict[str, object]) -> None:
        raise Gone

    app_call = Client(lambda scope, receive, _: app(scope, receive, send))
    with pytest.raises(Gone):
        await app_call.post("/api/calls/after", json={"word": "b"})
    await running.app.running.gate.callbacks.wait_idle(10)

    assert happened == ["endpoint b", "sync b", "async b"]


async def test_a_mounted_application_adds_to_its_response(client: Client) -> None:
    response = await client.get("/legacy/x")

    assert (response.status, response.body) == (200, b"old")
    assert (response.headers["x-note"], response.headers["cache-control"]) == ("mounted", "no-store")
    assert response.headers["set-cookie"].startswith("theme=dark;")
    assert happened == ["mounted"]


async def test_a_redirect(client: Client) -> None:
    response = await client.get("/api/calls/redirect")

    assert (response.status, response.headers["location"], response.body) == (303, "/api/calls/plain", b"")


async def test_status_and_headers_of_an_endpoint(running: TestApp) -> None:
    reader = await running.user()
    made, refused = await reader.post("/api/calls/teapot"), await running.anonymous.post("/api/calls/teapot")

    assert (made.status, made.data, made.headers["referrer-policy"]) == (202, "tea", "same-origin")
    assert (refused.status, refused.headers["referrer-policy"]) == (401, "same-origin")


@pytest.mark.parametrize(
    ("path", "origin", "policy", "bytes_max", "count"),
    [
        ("/api/calls/limited", None, "no-referrer", 40, 2),
        ("/api/lamps/words", "https://lamps.example", "origin", 60, 3),
    ],
)
async def test_limits_of_an_endpoint_or_its_resource(
    module_database_url: str, path: str, origin: str | None, policy: str, bytes_max: int, count: int
) -> None:
    async with TestApp(calls_app(), module_database_url, GATEPOST_LIMIT_FACTOR="1") as limited:
        client = limited.anonymous
        other = {} if origin is None else {"origin": origin}
        fits = await client.post(path, json={"word": "x" * (bytes_max - 11)}, headers=other)
        large = await client.post(path, json={"word": "x" * (bytes_max - 10)}, headers=other)
        last = [await client.post(path, json={"word": "x"}) for _ in range(count - 1)]

    assert (fits.status, large.status) == (200, 413)
    assert [response.status for response in last] == [200] * (count - 2) + [429]
    assert {response.headers["referrer-policy"] for response in (fits, large, *last)} == {policy}
    assert fits.headers.get("access-control-allow-origin") == origin


async def test_cors_of_an_endpoint(client: Client) -> None:
    async def allowed(origin: str) -> ClientResponse:
        return await client.get("/api/calls/shared", headers={"origin": origin})

    assert (await allowed("https://shop.example")).headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in (await allowed("https://other.example")).headers


async def test_problems_of_an_endpoint_have_pages(client: Client) -> None:
    problem = (await client.post("/api/calls/refused")).json()
    page = await client.get(problem["type"])

    assert (page.status, b"409" in page.body, b"Later." in page.body) == (200, True, True)


async def test_a_process_that_stops_waits_for_what_runs_after(module_database_url: str) -> None:
    async def slow() -> None:
        await asyncio.sleep(0.05)
        happened.append("slow")

    happened.clear()
    async with TestApp(calls_app(), module_database_url) as started:
        await schedule(started, slow)
        assert happened == []

    assert happened == ["slow"]


async def test_what_takes_longer_than_the_drain_is_cut(module_database_url: str) -> None:
    failures.clear()
    async with TestApp(calls_app(), module_database_url, GATEPOST_DRAIN_SECONDS="0.05") as started:
        await schedule(started, asyncio.Event().wait)

    [failure] = failures
    assert isinstance(failure.error, asyncio.CancelledError)


async def schedule(started: TestApp, callback: AfterResponse) -> None:
    """Have an endpoint run this after its response, through a client that does not wait for it."""
    scheduled[:] = [callback]
    assert (await Client(started.app).post("/api/calls/schedule")).status == 204
