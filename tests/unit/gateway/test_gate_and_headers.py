"""What the gate makes of a head: refused first, paid for by the client that trusted proxies name, logged as its own."""

import dataclasses

import pytest
from gate_conversation import ROUTES, ask, gate, parts, reading, responding, route, scope

from gatepost.events import Events, RequestFinished

CLIENT = "198.51.100.7"


@pytest.mark.parametrize("path", ["/api/books", "/legacy", "/nothing"])
async def test_a_head_is_looked_at_before_the_path(path: str) -> None:
    response = await ask(gate(responding()), scope(path=path, headers=[(b"host", b"other")]))
    assert response.problem["code"] == "malformed_request"
    assert response.header("connection") == "close"


async def test_a_refused_head_costs_a_token() -> None:
    app = gate(responding(), api_count=1)
    assert (await ask(app, scope("PROPFIND"))).status == 501
    assert (await ask(app, scope("PROPFIND"))).status == 429


async def test_a_preflight_with_a_bad_host_is_refused() -> None:
    headers = [(b"origin", b"https://shop.example"), (b"access-control-request-method", b"POST")]
    asked = scope("OPTIONS", headers=[*headers, (b"host", b"x")])
    app = gate(responding(), cors_origins=("https://shop.example",))
    assert (await ask(app, asked)).status == 400
    assert (await ask(app, scope("OPTIONS", headers=headers))).status == 204


async def test_limits_logs_and_hsts_have_one_response_to_who_is_asking() -> None:
    finished: list[RequestFinished] = []
    events = Events()
    events.subscribe(RequestFinished, finished.append)
    app = gate(responding(), events, api_count=1, trusted_proxies=("192.0.2.1",))
    headers = [(b"x-forwarded-for", CLIENT.encode()), (b"x-forwarded-proto", b"https")]

    response = await ask(app, scope(headers=headers))
    assert response.header("strict-transport-security") is not None
    assert (await ask(app, scope(headers=headers))).status == 429
    # Another client of the same proxy, and one that says so without being behind it.
    assert (await ask(app, scope(headers=[(b"x-forwarded-for", b"198.51.100.8")]))).status == 200
    assert (await ask(app, scope(headers=headers, client="203.0.113.1"))).header("strict-transport-security") is None

    assert [event.client for event in finished] == [CLIENT, CLIENT, "198.51.100.8", "203.0.113.1"]


async def test_a_route_takes_the_content_types_that_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    upload = dataclasses.replace(route("Upload.create"), content_types=frozenset({b"multipart/form-data"}))
    monkeypatch.setitem(ROUTES, "/api/upload", upload)

    async def status(kind: bytes) -> int:
        headers = [(b"content-type", kind), (b"content-length", b"2")]
        return (await ask(gate(reading), scope("POST", "/api/upload", headers), parts(b"--"))).status

    assert await status(b"multipart/form-data; boundary=x") == 200
    assert await status(b"application/json") == 415


async def test_a_probe_is_served_for_every_host() -> None:
    app = gate(responding(), allowed_hosts=("shop.example",))
    assert (await ask(app, scope(path="/livez"))).status == 200
    assert (await ask(app, scope())).problem["code"] == "unknown_host"
    assert (await ask(app, scope(path="/nothing"))).problem["code"] == "unknown_host"
