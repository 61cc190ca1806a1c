"""Paths that a mount declares get what those of `Gate(app)` have; the others stay as they were."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from mounts_app import HallUser, respond

from gatepost import CORS, App, ConfigurationError, Mount, RateLimit, Settings
from gatepost.asgi import Receive, Scope, Send
from gatepost.gateway import PathRules
from gatepost.server.operation_rows import operation_rows
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def legacy(scope: Scope, receive: Receive, send: Send) -> None:
    """Signs in whoever knows the word, and repeats what else it gets."""
    if scope["type"] != "http":
        raise ValueError(scope["type"])
    body = (await receive()).get("body", b"")
    if scope["path"] == "/old/login":
        form = parse_qs(body.decode())
        await respond(send, {}, 200 if form.get("word") == ["right"] else 401)
        return
    await respond(send, {"body": body.decode("latin-1")})


app = App(
    users=HallUser,
    mount={
        "/old": Mount(
            legacy,
            paths={
                "POST /login": PathRules(
                    auth=True,
                    account="name",
                    signed_in=[200],
                    content_types=["application/x-www-form-urlencoded"],
                ),
                "/strict/*": PathRules(body_bytes_max=50),
                "/limited": PathRules(rate_limit=RateLimit(2), cors=CORS("https://shop.example")),
                "/alive": PathRules(probe=True),
            },
        )
    },
)

FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def old(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, with the limits of production."""
    async with TestApp(app, module_database_url, GATEPOST_LIMIT_FACTOR="1") as started:
        yield started


@pytest.mark.parametrize(
    ("path", "content", "headers", "status", "code"),
    [
        ("/old/strict/a", b'{"a": 1, "a": 2}', {}, 400, "malformed_json"),
        ("/old/strict/a", b'{"a": NaN}', {}, 400, "malformed_json"),
        ("/old/strict/a", b'"' + b"a" * 60 + b'"', {}, 413, "content_too_large"),
        ("/old/strict/a", b"a=1", FORM, 415, "unsupported_media_type"),
        ("/old/strict", b'{"a": 1}', {}, 200, None),
        ("/old/else", b'{"a": 1, "a": 2}', {}, 200, None),
        ("/old/else", b"a=1", FORM, 200, None),
        ("/old", b'{"a": 1, "a": 2}', {}, 200, None),
        ("/old/login", b'{"name": "ada"}', {}, 415, "unsupported_media_type"),
        ("/old/login", b"name=bob", {**FORM, "origin": "https://evil.example"}, 403, "cross_origin"),
    ],
)
async def test_bodies_are_held_to_the_rules_of_their_path(
    old: TestApp, path: str, content: bytes, headers: dict[str, str], status: int, code: str | None
) -> None:
    client = Client(app, address="203.0.113.1")

    response = await client.post(path, content=content, headers={"sec-fetch-site": "same-origin", **headers})
    if "origin" in headers:
        response = await client.post(path, content=content, headers=headers)

    assert response.status == status
    assert response.json().get("code") == code


async def test_attempts_to_sign_in_count_for_address_and_account(old: TestApp) -> None:
    async def attempt(address: str, word: str, **headers: str) -> Any:
        sent = {**FORM, "sec-fetch-site": "same-origin", **headers}
        content = f"name=ada&word={word}".encode()
        return await Client(app, address=address).post("/old/login", content=content, headers=sent)

    known = await attempt("203.0.113.10", "right")
    cookie = known.headers["set-cookie"].partition(";")[0]
    statuses = [(await attempt(f"203.0.113.{number}", "wrong")).status for number in range(20, 26)]

    assert statuses == [401] * 5 + [429]
    assert (await attempt("203.0.113.10", "right")).status == 429
    assert (await attempt("203.0.113.10", "right", cookie=cookie)).status == 200


async def test_limits_cors_and_probes_are_those_of_the_path(old: TestApp) -> None:
    client = Client(app, address="203.0.113.50")
    asking = {"origin": "https://shop.example"}

    limited = [await client.get("/old/limited", headers=asking) for _ in range(3)]
    alive = await client.get("/old/alive")

    assert [each.status for each in limited] == [200, 200, 429]
    assert limited[0].headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in (await client.get("/old/else", headers=asking)).headers
    assert "ratelimit" not in alive.headers


async def test_routes_lists_the_mount_and_its_paths() -> None:
    settings = Settings()
    rows = {row["path"]: row for row in operation_rows(app.composed(settings), settings)}

    assert rows["/old/*"]["operation"] == "mount /old"
    assert rows["/old/login"]["rate_limit"] == "5 / 15 min"
    assert rows["/old/limited"]["rate_limit"] == "2 / 1 min"
    assert rows["/old/alive"]["rate_limit"] == "none"
    assert {path for path, row in rows.items() if row["is_probe"]} == {"/livez", "/readyz", "/old/alive"}


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ({"login": PathRules()}, r"Mount\(at '/old', paths=\): 'login' is not a path"),
        ({"/login": 5}, r"Mount\(at '/old', paths\[\"/login\"\]\): 5 is not a PathRules"),
        ({"/login": PathRules(account="name")}, "is not a sign-in path"),
    ],
)
async def test_what_is_no_rule_is_refused(paths: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        _ = App(users=HallUser, mount={"/old": Mount(legacy, paths=paths)}).operations
