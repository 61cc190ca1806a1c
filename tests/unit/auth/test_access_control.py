"""Which authenticator decides, what it costs, and what a mistake in one says."""

from collections.abc import Awaitable
from typing import Any

import pytest
from gate_conversation import GateResponse, ask, call_of, match, raising, responding, scope

from gatepost import App, ConfigurationError, Mount, Unauthorized, UserAuthenticator, system
from gatepost.actor import Actor, anonymous
from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.auth.access_control import AccessControl
from gatepost.call import Call
from gatepost.errors import TooManyRequests
from gatepost.events import Events
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.settings import GateSettings


class Named:
    """Knows a request by one header, and writes down when it is asked."""

    challenge = "Named"
    is_ambient = False

    def __init__(self, header: str, asked: list[str], *, knows: bool = False, gives: Any = None) -> None:
        self.headers = (header,)
        self._asked = asked
        self._knows = knows
        self._gives = Actor(header) if gives is None else gives

    def find(self, call: Call) -> Actor | None:
        self._asked.append(f"find {self.headers[0]}")
        return self._gives if self._knows and self.headers[0].encode() in call.headers else None

    async def load(self, call: Call) -> Actor | None:
        self._asked.append(f"load {self.headers[0]}")
        return self._gives if self.headers[0].encode() in call.headers else None


def access(*authenticators: Any, admit: Any = lambda call: None) -> AccessControl:
    return AccessControl(authenticators, admit, lambda call: None, refuses_unclaimed=True)


async def admitted(control: AccessControl, *headers: str) -> Actor:
    made = call_of(scope(headers=[(name.encode(), b"x") for name in headers]))
    pending = control.admit(made)
    if pending is not None:
        await pending
    return made.actor


async def test_a_request_without_any_of_their_headers_asks_no_authenticator() -> None:
    asked: list[str] = []
    assert await admitted(access(Named("x-a", asked), Named("x-b", asked)), "x-c") is anonymous
    assert asked == []


async def test_authenticators_are_asked_in_their_order_until_one_claims_the_request() -> None:
    asked: list[str] = []
    control = access(Named("x-a", asked), Named("x-b", asked), Named("x-c", asked, knows=True))
    assert (await admitted(control, "x-b", "x-c")).id == "x-b"
    assert asked == ["find x-a", "load x-a", "find x-b", "load x-b"]
    assert (await admitted(control, "x-c")).id == "x-c"
    assert asked[4:] == ["find x-a", "load x-a", "find x-b", "load x-b", "find x-c"]


async def test_one_that_looks_at_more_than_headers_is_asked_about_every_request() -> None:
    asked: list[str] = []
    always = Named("x-a", asked)
    always.headers = ()
    always.find = lambda call: Actor("certificate")  # type: ignore[method-assign]
    assert (await admitted(access(always))).id == "certificate"


@pytest.mark.parametrize("made", [system, anonymous, "ada"])
async def test_an_authenticator_makes_actors_with_an_id_and_nothing_else(made: Any) -> None:
    with pytest.raises(TypeError, match=r"Named\.load returned"):
        await admitted(access(Named("x-a", [], gives=made)), "x-a")


async def test_the_limit_of_the_actor_is_taken_once_the_actor_is_known() -> None:
    seen: list[str] = []

    def admit(call: Call) -> Awaitable[None] | None:
        seen.append(call.actor.key)
        raise TooManyRequests("too_many_requests", "No.")

    with pytest.raises(TooManyRequests):
        await admitted(access(Named("x-a", []), admit=admit), "x-a")
    assert seen == ["x-a"]


def gate(app: ASGIApp) -> GateMiddleware:
    settings, events = GateSettings(cors_origins=("https://shop.example",)), Events()
    return GateMiddleware(
        app,
        match=match,
        limiter=make_limiter(settings, events),
        settings=settings,
        events=events,
        challenges=["Bearer", 'ApiKey realm="a"'],
        credential_headers=["authorization", "x-api-key", "cookie"],
    )


def values(response: GateResponse, name: bytes) -> list[bytes]:
    return [value for key, value in response.headers if key == name]


async def test_a_refusal_that_no_authenticator_makes_offers_all_challenges() -> None:
    response = await ask(gate(raising(Unauthorized("not_signed_in", "Sign in."))))
    assert values(response, b"www-authenticate") == [b"Bearer", b'ApiKey realm="a"']


async def test_a_header_that_carries_credentials_stands_once() -> None:
    twice = [(b"x-api-key", b"a"), (b"x-api-key", b"b")]
    response = await ask(gate(responding()), scope(headers=twice))
    assert (response.status, response.problem["code"]) == (400, "malformed_request")
    crumbs = [(b"cookie", b"a=1"), (b"cookie", b"b=2")]
    assert (await ask(gate(responding()), scope(headers=crumbs))).status == 200


async def test_caches_and_pages_of_admitted_origins_are_told_the_headers() -> None:
    response = await ask(gate(responding()))
    assert values(response, b"vary") == [b"x-api-key, cookie", b"origin"]
    preflight = [(b"origin", b"https://shop.example"), (b"access-control-request-method", b"GET")]
    response = await ask(gate(responding()), scope("OPTIONS", headers=preflight))
    assert "x-api-key" in (response.header("access-control-allow-headers") or "").split(", ")
    assert "cookie" not in (response.header("access-control-allow-headers") or "")


async def test_a_long_response_to_ambient_credentials_is_not_compressed() -> None:
    async def long(scope: Scope, receive: Receive, send: Send) -> None:
        from gatepost.call import Response

        found: Call = scope["gatepost"]
        found.is_ambient = b"x-certificate" in found.headers
        await found.respond(Response(200, b'"' + b"a" * 9000 + b'"'))

    asked = [(b"accept-encoding", b"gzip")]
    assert (await ask(gate(long), scope(headers=asked))).header("content-encoding") == "gzip"
    asked.append((b"x-certificate", b"1"))
    assert (await ask(gate(long), scope(headers=asked))).header("content-encoding") is None


class Keys(UserAuthenticator):
    challenge = "Key"
    headers = ("x-key",)


class Wordy(Keys):
    challenge = "Key\r\nset-cookie: a=b"


class Capital(Keys):
    headers = ("X-Key",)


class Two(Keys):
    headers = ("x-key", "x-secret")


class Unclear(Keys):
    is_ambient = "yes"  # type: ignore[assignment]


class Silent(UserAuthenticator):
    headers = ("x-key",)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "lists no authenticators. Write authenticators="),
        (Keys(), "lists no authenticators"),
        ([Keys], "Keys: is a class. Write Keys()."),
        (["bearer"], "str: is no"),
        ([Wordy()], "Wordy: challenge="),
        ([Silent()], "Silent: challenge=None is not a challenge"),
        ([Capital()], "Capital: headers=('X-Key',) is not a list of header names in lower case"),
        ([Two()], "Two: headers=('x-key', 'x-secret') are not one. Override find_credentials"),
        ([Unclear()], "Unclear: is_ambient='yes' is not True or False"),
    ],
)
def test_a_mistake_is_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        App(mount={"/other": Mount(responding())}, authenticators=given)
    assert sentence in str(raised.value)
