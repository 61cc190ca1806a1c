import pytest
from gate_conversation import answering, ask, gate, raising, scope

from gatepost.errors import ConfigurationError, Header

ORIGIN = (b"origin", b"https://shop.example")
PREFLIGHT = (b"access-control-request-method", b"PATCH")
ORIGINS = ("https://shop.example", "http://localhost:3000")


async def test_without_a_list_there_are_no_cors_headers() -> None:
    answer = await ask(gate(answering()), scope(headers=[ORIGIN]))
    assert not [name for name, _ in answer.headers if name.startswith(b"access-control") or name == b"vary"]


async def test_an_origin_on_the_list_may_read_the_answer_and_its_headers() -> None:
    answer = await ask(gate(answering(), cors_origins=ORIGINS), scope(headers=[ORIGIN]))
    assert answer.header("access-control-allow-origin") == "https://shop.example"
    assert answer.header("vary") == "origin"
    exposed = answer.header("access-control-expose-headers") or ""
    assert {"etag", "location", "link", "ratelimit", "x-request-id"} <= set(exposed.split(", "))
    assert answer.header("access-control-allow-credentials") is None


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"https://shop.example.evil.example", b"https://shop.example:444", b"null", b""]
)
async def test_another_origin_gets_nothing_but_vary(origin: bytes) -> None:
    headers: list[Header] = [(b"origin", origin), PREFLIGHT]
    for method in ("GET", "OPTIONS"):
        answer = await ask(gate(answering(), cors_origins=ORIGINS), scope(method, headers=headers))
        assert answer.header("vary") == "origin"
        assert not [name for name, _ in answer.headers if name.startswith(b"access-control")]


async def test_a_preflight_is_answered_before_the_application_and_takes_no_token() -> None:
    app = gate(raising(AssertionError("reached")), cors_origins=ORIGINS, api_count=1)
    for _ in range(3):
        answer = await ask(app, scope("OPTIONS", "/api/books", [ORIGIN, PREFLIGHT]))
        assert answer.status == 204
        assert answer.body == b""
        assert "PATCH" in (answer.header("access-control-allow-methods") or "")
        assert "authorization" in (answer.header("access-control-allow-headers") or "")
        assert answer.header("access-control-allow-origin") == "https://shop.example"
        assert answer.header("ratelimit") is None


async def test_a_refusal_can_be_read_by_the_origin_too() -> None:
    answer = await ask(gate(answering(), cors_origins=ORIGINS), scope(path="/nowhere", headers=[ORIGIN]))
    assert answer.status == 404
    assert answer.header("access-control-allow-origin") == "https://shop.example"


@pytest.mark.parametrize(
    "origin",
    ["*", "https://*.example", "shop.example", "https://", "https://shop.example/", "ftp://a", "https://Shop.example"],
)
def test_what_is_no_exact_origin_is_refused_at_start(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_CORS_ORIGINS"):
        gate(answering(), cors_origins=(origin,))
