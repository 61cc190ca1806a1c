"""Calls across origins as browsers make them, and as others would. Which origins match stands in `test_origins.py`."""

import dataclasses
from typing import Any

import pytest
from gate_conversation import ROUTES, GateResponse, ask, gate, match, raising, responding, scope

from gatepost.asgi import ASGIApp
from gatepost.call import Match
from gatepost.declaring.cors import CORS
from gatepost.errors import ConfigurationError, Header
from gatepost.events import Events
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

ORIGIN = (b"origin", b"https://shop.example")
EVIL = (b"origin", b"https://evil.example")
PREFLIGHT = (b"access-control-request-method", b"PATCH")
ORIGINS = ("https://shop.example", "https://*.shop.example", "http://localhost:3000")
VARY = {"origin", "access-control-request-method", "access-control-request-headers"}


def permissions(response: GateResponse) -> dict[str, str]:
    """What a response grants."""
    return {name.decode(): value.decode() for name, value in response.headers if name.startswith(b"access-control")}


async def preflight(app: ASGIApp, *headers: Header, path: str = "/api/books", origin: Header = ORIGIN) -> GateResponse:
    given = headers or (PREFLIGHT,)
    return await ask(app, scope("OPTIONS", path, [origin, *given]))


async def test_without_a_rule_there_are_no_cors_headers() -> None:
    response = await ask(gate(responding()), scope(headers=[ORIGIN]))
    assert permissions(response) == {}
    assert response.header("vary") is None


@pytest.mark.parametrize("origin", [b"https://shop.example", b"https://eu.shop.example", b"http://localhost:3000"])
async def test_an_origin_on_the_list_may_read_the_response_and_its_headers(origin: bytes) -> None:
    response = await ask(gate(responding(), cors_origins=ORIGINS), scope(headers=[(b"origin", origin)]))
    assert response.header("access-control-allow-origin") == origin.decode()
    assert response.header("vary") == "origin"
    exposed = response.header("access-control-expose-headers") or ""
    assert {"etag", "location", "link", "ratelimit", "x-request-id", "retry-after"} <= set(exposed.split(", "))
    assert response.header("access-control-allow-credentials") is None


async def test_where_there_is_a_rule_every_response_says_that_the_origin_matters() -> None:
    app = gate(responding(), cors_origins=ORIGINS)
    for path, status in (("/api/books", 200), ("/nowhere", 404), ("/legacy", 200)):
        for headers in ([], [EVIL], [ORIGIN]):
            response = await ask(app, scope(path=path, headers=headers))
            assert (response.status, response.header("vary")) == (status, "origin")


@pytest.mark.parametrize(
    "headers",
    [
        [EVIL],
        [(b"origin", b"null")],
        [(b"origin", b"")],
        [(b"origin", b"https://shop.example.evil.com")],
        [(b"origin", b"https://evilshop.example")],
        [(b"origin", b"https://shop.example https://evil.example")],
    ],
)
async def test_another_origin_gets_nothing_but_vary(headers: list[Header]) -> None:
    app = gate(responding(), cors_origins=ORIGINS)
    response = await ask(app, scope(headers=headers))
    assert (response.header("vary"), permissions(response)) == ("origin", {})
    response = await ask(app, scope("OPTIONS", headers=[*headers, PREFLIGHT]))
    # Two origins are none: such a request is refused before anybody asks which one counts.
    assert (response.status, permissions(response)) == (204 if len(headers) == 1 else 400, {})


@pytest.mark.parametrize("headers", [[EVIL, ORIGIN], [ORIGIN, EVIL], [ORIGIN, ORIGIN]])
async def test_several_origins_are_none(headers: list[Header]) -> None:
    app = gate(raising(AssertionError("reached")), cors_origins=ORIGINS)
    for asked in (scope(headers=headers), scope("OPTIONS", headers=[*headers, PREFLIGHT])):
        assert (await ask(app, asked)).status == 400


async def test_a_preflight_gets_its_response_before_the_application_and_can_be_kept() -> None:
    app = gate(raising(AssertionError("reached")), cors_origins=ORIGINS)
    response = await preflight(app)
    assert (response.status, response.body) == (204, b"")
    granted = permissions(response)
    assert granted.pop("access-control-allow-headers").split(", ") == [
        *("authorization", "content-type", "idempotency-key", "if-match", "if-none-match")
    ]
    assert granted == {
        "access-control-allow-origin": "https://shop.example",
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-max-age": "7200",
    }
    assert set((response.header("vary") or "").split(", ")) == VARY


async def test_a_preflight_takes_nothing_from_its_clients_bucket_and_has_one_of_its_own() -> None:
    app = gate(responding(), cors_origins=ORIGINS, api_count=1, preflight_count=3)
    responses = [await preflight(app) for _ in range(4)]
    assert [response.status for response in responses] == [204, 204, 204, 429]
    assert responses[0].header("ratelimit-policy") == '"preflight";q=3;w=60'
    assert (await ask(app, scope(headers=[ORIGIN]))).status == 200
    assert (await ask(app, scope("OPTIONS", headers=[ORIGIN, PREFLIGHT], client="192.0.2.2"))).status == 204


@pytest.mark.parametrize("path", ["/api/books", "/api/auth/login", "/livez", "/legacy", "/nowhere", "/api/books/%20"])
@pytest.mark.parametrize("method", [b"GET", b"DELETE", b"TRACE", b"FOO", b"patch", b"\xff"])
@pytest.mark.parametrize("origin", [ORIGIN, EVIL])
async def test_a_preflight_does_not_tell_which_paths_and_methods_there_are(
    path: str, method: bytes, origin: Header
) -> None:
    app = gate(raising(AssertionError("reached")), cors_origins=ORIGINS)
    asked = ((b"access-control-request-method", method), (b"access-control-request-headers", b"x-admin"))
    varying = {"x-request-id", "ratelimit"}
    response = await preflight(app, *asked, path=path, origin=origin)
    other = await preflight(app, origin=origin)
    assert response.status == other.status == 204
    assert [header for header in response.headers if header[0].decode() not in varying] == [
        header for header in other.headers if header[0].decode() not in varying
    ]
    assert "TRACE" not in str(permissions(response))
    assert "x-admin" not in str(permissions(response))


async def test_nobody_gets_into_a_private_network() -> None:
    asked = (PREFLIGHT, (b"access-control-request-private-network", b"true"))
    response = await preflight(gate(responding(), cors_origins=ORIGINS), *asked)
    assert (response.status, permissions(response)) == (204, {})


@pytest.mark.parametrize("headers", [[ORIGIN], [PREFLIGHT]])
async def test_options_that_are_no_preflight_reach_the_application(headers: list[Header]) -> None:
    response = await ask(gate(responding(203), cors_origins=ORIGINS), scope("OPTIONS", headers=headers))
    assert response.status == 203


async def test_a_refusal_can_be_read_by_the_origin_too() -> None:
    response = await ask(gate(responding(), cors_origins=ORIGINS), scope(path="/nowhere", headers=[ORIGIN]))
    assert response.status == 404
    assert response.header("access-control-allow-origin") == "https://shop.example"


async def test_a_state_change_cannot_skip_the_preflight_by_its_content_type() -> None:
    app = gate(raising(AssertionError("reached")), cors_origins=ORIGINS)
    for simple in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x"):
        headers = [ORIGIN, (b"content-type", simple), (b"content-length", b"2")]
        assert (await ask(app, scope("POST", headers=headers))).status == 415


async def test_credentials_are_allowed_where_a_setting_says_so_and_for_listed_origins_only() -> None:
    app = gate(responding(), cors_origins=ORIGINS, cors_credentials=True)
    for response in (await ask(app, scope(headers=[ORIGIN])), await preflight(app)):
        assert response.header("access-control-allow-credentials") == "true"
        assert response.header("access-control-allow-origin") == "https://shop.example"
    for response in (await ask(app, scope(headers=[EVIL])), await preflight(app, origin=EVIL)):
        assert permissions(response) == {}


async def test_a_public_api_is_open_to_every_page_without_credentials() -> None:
    app = gate(responding(), cors_public=True)
    for response in (await ask(app, scope(headers=[EVIL])), await ask(app), await preflight(app, origin=EVIL)):
        assert response.header("access-control-allow-origin") == "*"
        assert response.header("access-control-allow-credentials") is None
        assert "origin" in (response.header("vary") or "")


@pytest.mark.parametrize(
    "settings",
    [
        {"cors_public": True, "cors_credentials": True},
        {"cors_public": True, "cors_origins": ORIGINS},
        {"cors_origins": ("*",)},
        {"cors_origins": ("*",), "cors_credentials": True},
        {"cors_origins": ("https://shop.example", "null")},
        {"cors_origins": ("https://*.example",)},
    ],
)
def test_a_rule_that_lets_in_more_than_it_says_refuses_to_start(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_CORS_ORIGINS"):
        gate(responding(), **settings)


@pytest.mark.parametrize("bad", [{"headers": ["*"]}, {"exposed": ["x y"]}, {"max_age_seconds": -1}, {"headers": [""]}])
def test_a_rule_with_a_star_or_a_broken_name_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="CORS"):
        CORS("https://shop.example", **bad)


OWN = CORS(
    "https://partner.example",
    credentials=True,
    headers=["X-Tenant"],
    exposed=["X-Total"],
    max_age_seconds=60,
)


def with_own_rule(rule: CORS, **settings: Any) -> GateMiddleware:
    """A gate whose books have a rule of their own."""
    books = ROUTES["/api/books"]
    own = dataclasses.replace(books, cors=rule)

    def matching(method: str, path: str) -> Match:
        found, _, _ = match(method, path)
        return own if found is books else found, None, ()

    chosen = dataclasses.replace(GateSettings(), **settings)
    events = Events()
    limiter = make_limiter(chosen, events)
    return GateMiddleware(
        responding(),
        match=matching,
        limiter=limiter,
        settings=chosen,
        events=events,
        routes=[RouteRules(pattern="/declared", cors=rule)],
    )


async def test_the_rule_of_a_resource_stands_in_place_of_the_apps() -> None:
    app = with_own_rule(OWN, cors_origins=ORIGINS)
    partner = (b"origin", b"https://partner.example")
    shown = permissions(await ask(app, scope(headers=[partner])))
    assert shown["access-control-allow-origin"] == "https://partner.example"
    assert shown["access-control-allow-credentials"] == "true"
    assert "x-total" in shown["access-control-expose-headers"].split(", ")
    granted = permissions(await preflight(app, origin=partner))
    assert "x-tenant" in granted["access-control-allow-headers"].split(", ")
    assert granted["access-control-max-age"] == "60"
    assert permissions(await ask(app, scope(headers=[ORIGIN]))) == {}
    assert permissions(await preflight(app)) == {}
    assert permissions(await ask(app, scope(path="/api/small", headers=[partner]))) == {}
    assert permissions(await ask(app, scope(path="/api/small", headers=[ORIGIN])))


async def test_a_rule_of_a_resource_needs_none_of_the_app() -> None:
    app = with_own_rule(OWN)
    assert permissions(await ask(app, scope(headers=[(b"origin", b"https://partner.example")])))
    other = await ask(app, scope(path="/api/small", headers=[ORIGIN]))
    assert (permissions(other), other.header("vary")) == ({}, "origin")


async def test_a_resource_can_be_closed_to_all_other_origins() -> None:
    app = with_own_rule(CORS(), cors_origins=ORIGINS)
    assert permissions(await ask(app, scope(headers=[ORIGIN]))) == {}
    assert permissions(await preflight(app)) == {}
