"""Signing in to an application behind the gate alone: whose attempts are counted, and whose are not."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from gate_conversation import GateResponse, ask, parts, scope

from gatepost.asgi import Receive, Scope, Send
from gatepost.auth.keys import development_key
from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, Header
from gatepost.gateway import Gate, PathRules

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(development_key(tmp_path_factory.mktemp("keys")).as_pem(private=True), "ascii")


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Signs everybody in by the password "right", whatever they are called; other paths are for all."""
    status = 200
    if scope["method"] == "POST":
        message = await receive()
        body = message["body"]
        assert not message["more_body"]
        is_form = dict(scope["headers"]).get(b"content-type") == FORM.encode()
        given: dict[str, Any] = parse_qs(body.decode()) if is_form else json.loads(body)
        status = 200 if given.get("password") in ("right", ["right"]) else 401
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class Site:
    """The application behind a gate, and people who try to sign in to it."""

    def __init__(self, key: str, rules: PathRules, **environ: str) -> None:
        settings = load_settings(
            {"GATEPOST_ENV": "production", "GATEPOST_LOG_ACCESS": "false", "GATEPOST_SIGNING_KEY": key, **environ}
        )
        self.gate = Gate(application, settings=settings, paths={"/login": rules})

    async def post(
        self, content_type: str, *bodies: bytes, client: str, headers: Sequence[Header] = ()
    ) -> GateResponse:
        length = b"%d" % sum(map(len, bodies))
        said = [(b"content-type", content_type.encode()), (b"content-length", length), *headers]
        return await ask(self.gate, scope("POST", "/login", said, client=client), parts(*bodies))

    async def attempt(
        self, name: Any, word: str = "wrong", *, client: str = "192.0.2.1", cookie: str = "", as_form: bool = False
    ) -> GateResponse:
        given = {"email": name, "password": word}
        body = urlencode(given) if as_form else json.dumps(given)
        headers = [(b"cookie", cookie.encode())] if cookie else []
        return await self.post(FORM if as_form else JSON, body.encode(), client=client, headers=headers)

    async def device_of(self, name: str, client: str) -> str:
        """The cookie of somebody who has signed in."""
        response = await self.attempt(name, "right", client=client)
        assert response.status == 200
        cookie = response.header("set-cookie")
        assert cookie is not None
        return cookie.partition(";")[0]


RULES = PathRules(auth=True, account="email", signed_in=[200], content_types=[JSON, FORM])


@pytest.mark.parametrize("as_form", [False, True])
async def test_many_addresses_get_five_attempts_at_one_account(key: str, as_form: bool) -> None:
    site = Site(key, RULES)
    responses = [await site.attempt("ada@x.example", client=f"192.0.2.{n}", as_form=as_form) for n in range(8)]
    assert [response.status for response in responses] == [401] * 5 + [429] * 3
    assert '"auth-account";r=0' in (responses[-1].header("ratelimit") or "")
    assert (await site.attempt("bob@x.example", client="192.0.2.9", as_form=as_form)).status == 401
    # Who was refused for the account has kept the token of the address.
    assert [(await site.attempt("bob@x.example", client="192.0.2.7")).status for _ in range(4)] == [401] * 4


async def test_one_address_gets_five_attempts_at_all_accounts(key: str) -> None:
    site = Site(key, RULES)
    assert [(await site.attempt(f"user{n}@x.example")).status for n in range(7)] == [401] * 5 + [429] * 2


async def test_another_spelling_is_no_other_account(key: str) -> None:
    site = Site(key, RULES)
    spelled = ["ada@x.example", "Ada@X.example", " ada@x.example\n", "\uff41da@x.example", "ADA@X.EXAMPLE\u00a0"]
    statuses = [(await site.attempt(name, client=f"192.0.2.{n}")).status for n, name in enumerate(spelled)]
    assert statuses == [401] * 5
    assert (await site.attempt("ada@x.example", client="192.0.2.99")).status == 429


async def test_numbers_name_accounts_and_what_names_none_is_the_applications_to_refuse(key: str) -> None:
    site = Site(key, RULES)
    assert [(await site.attempt(17, client=f"192.0.2.{n}")).status for n in range(6)] == [401] * 5 + [429]
    assert (await site.attempt("17", client="192.0.2.90")).status == 429
    for name in ([17], None, {"a": 1}, 1.5):
        assert (await site.attempt(name, client="192.0.2.91")).status == 401
    assert (await site.post(JSON, b"[]", client="192.0.2.92")).status == 500, "the application itself fell over it"


async def test_a_body_in_parts_arrives_whole(key: str) -> None:
    site = Site(key, RULES)
    for content_type, body in ((JSON, b'{"email":"a","password":"right"}'), (FORM, b"email=a&password=right")):
        assert (await site.post(content_type, body[:9], body[9:], client="192.0.2.1")).status == 200


async def test_json_that_calls_itself_a_form_is_counted_as_what_it_is(key: str) -> None:
    site = Site(key, RULES)
    bodies = [b'{"email":"ada","password":"wrong"}', b'{"email":"ada","a":"&b=c"}', b"[1]", b"\xff"]
    for n, body in enumerate(bodies):
        await site.post(FORM, body, client=f"198.51.100.{n}")
    assert [(await site.attempt("ada", client=f"192.0.2.{n}")).status for n in range(4)] == [401] * 3 + [429]


async def test_who_signs_in_is_not_counted(key: str) -> None:
    site = Site(key, RULES)
    assert {(await site.attempt("ada@x.example", "right")).status for _ in range(12)} == {200}
    statuses = [(await site.attempt("ada@x.example")).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


async def test_all_are_counted_where_the_settings_say_so_or_no_status_means_success(key: str) -> None:
    for site in (Site(key, RULES, GATEPOST_LIMIT_AUTH_COUNTS="all"), Site(key, PathRules(auth=True, account="email"))):
        statuses = [(await site.attempt("ada@x.example", "right")).status for _ in range(6)]
        assert statuses == [200] * 5 + [429]


async def test_nobody_locks_out_who_has_signed_in_before(key: str) -> None:
    site = Site(key, RULES)
    cookie = await site.device_of("ada@x.example", "198.51.100.1")
    for n in range(9):
        await site.attempt("ada@x.example", client=f"192.0.2.{n}")
    assert (await site.attempt("ada@x.example", "right", client="192.0.2.50")).status == 429
    assert (await site.attempt("ada@x.example", "right", client="192.0.2.50", cookie=cookie)).status == 200
    # The device guesses no more than anybody else, and helps with no other account.
    statuses = [(await site.attempt("Ada@x.example", cookie=cookie)).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    mallory = await site.device_of("mallory@x.example", "203.0.113.1")
    assert (await site.attempt("ada@x.example", client="203.0.113.2", cookie=mallory)).status == 429


async def test_a_device_does_not_multiply_the_attempts_of_its_address(key: str) -> None:
    site = Site(key, RULES)
    mallory = await site.device_of("mallory@x.example", "203.0.113.1")
    statuses = [
        (await site.attempt(f"user{n}@x.example", client="203.0.113.1", cookie=mallory)).status for n in range(7)
    ]
    assert statuses == [401] * 5 + [429] * 2


async def test_the_cookie_goes_to_the_path_and_nowhere_else(key: str) -> None:
    response = await Site(key, RULES).attempt("ada@x.example", "right")
    cookie = response.header("set-cookie") or ""
    assert cookie.startswith("gatepost_device=")
    assert "; Path=/login; " in cookie
    assert "; HttpOnly; SameSite=Strict" in cookie
    assert (await Site(key, RULES).attempt("ada@x.example")).header("set-cookie") is None


@pytest.mark.parametrize(
    "body", [b"email=ada&email=eve&password=wrong", b"email=ada&em%61il=eve", b"&".join([b"a=1"] * 1001)]
)
async def test_a_form_that_two_readers_read_differently_is_refused(key: str, body: bytes) -> None:
    response = await Site(key, RULES).post(FORM, body, client="192.0.2.1")
    assert (response.status, response.problem["code"]) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (PathRules(account="email"), "is not a sign-in path"),
        (PathRules(signed_in=[200]), "is not a sign-in path"),
        (PathRules(auth=True, account=""), "is not the name of a body member"),
        (PathRules(auth=True, account=5), "is not the name of a body member"),  # type: ignore[arg-type]
        (PathRules(auth=True, account="email", strict_json=False), "does not check JSON"),
        (PathRules(auth=True, account="email", content_types=["multipart/form-data"]), "accepts multipart/form-data"),
        (PathRules(auth=True, signed_in=[401]), "not a list of statuses from 200 to 399"),
        (PathRules(auth=True, signed_in="200"), "not a list of statuses"),  # type: ignore[arg-type]
        (PathRules(auth=True, signed_in=200), "not a list of statuses"),  # type: ignore[arg-type]
    ],
)
def test_rules_that_mean_nothing_end_the_start(key: str, rules: PathRules, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as raised:
        Site(key, rules)
    assert "/login" in str(raised.value)


def test_accounts_need_a_key_in_production() -> None:
    settings = load_settings({"GATEPOST_ENV": "production"})
    with pytest.raises(ConfigurationError, match="GATEPOST_SIGNING_KEY"):
        Gate(application, settings=settings, paths={"/login": RULES})
    Gate(application, settings=settings, paths={"/login": PathRules(auth=True, signed_in=[200])})


async def test_a_wider_path_completes_the_rules(key: str) -> None:
    settings = load_settings(
        {"GATEPOST_ENV": "production", "GATEPOST_LOG_ACCESS": "false", "GATEPOST_SIGNING_KEY": key}
    )
    paths = {"/*": PathRules(rate_limit=RateLimit(50, per=minutes(1))), "POST /login": RULES}
    gate = Gate(application, settings=settings, paths=paths)
    body = b'{"email":"a","password":"wrong"}'
    said = [(b"content-type", JSON.encode()), (b"content-length", b"%d" % len(body))]
    statuses = [
        (await ask(gate, scope("POST", "/login", said, client=f"192.0.2.{n}"), parts(body))).status for n in range(6)
    ]
    assert statuses == [401] * 5 + [429]
    assert (await ask(gate, scope("GET", "/login"))).status == 200
