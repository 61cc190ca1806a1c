"""The console on a public listener: who may read and who may change what, and what pages of others cannot do."""

import asyncio
import itertools
import re
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import httpx
import pytest
from examples.bookshop.app import app
from sqlalchemy import MetaData

from gatepost.accounts.new_users import change_user, create_user
from gatepost.console import forwarding_queue
from gatepost.console.console_files import POLICY
from gatepost.console.forwarding import SHORTENED
from gatepost.console.shortening import shortened
from gatepost.events import ConsoleRefused
from gatepost.logging.event_lines import LINES
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.testing import TestApp

HOST = "shop.example"
ORIGIN = f"http://{HOST}"
PASSWORD = "correct horse battery"
USERS = {"anonymous": None, "user": [], "editor": ["editor"], "reader": ["console"], "writer": ["console.write"]}


class Console(NamedTuple):
    """An app with its console, and what its monitor was asked."""

    running: TestApp
    asked: list[Request]

    async def ask(
        self, method: str, path: str, cookie: str | None = None, body: Any = None, **headers: str
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON (or text) and headers of a response. Headers with `_` for `-`; those that are empty are left
        out."""
        given = {"host": HOST, "origin": ORIGIN if method not in {"GET", "HEAD"} else ""}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie:
            given["cookie"] = cookie
        sent = {name: value for name, value in given.items() if value}
        transport: Any = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            response = await client.request(method, path, headers=sent, json=body)
        is_json = "json" in response.headers.get("content-type", "")
        found = response.json() if is_json and response.content else response.text
        headers_found = dict(response.headers) | {"set-cookie": "\n".join(response.headers.get_list("set-cookie"))}
        return response.status_code, found, headers_found

    async def sign_in(self, who: str, **headers: str) -> tuple[int, Any, dict[str, str]]:
        """The response to a sign-in."""
        body = {"email": f"{who}@shop.example", "password": PASSWORD}
        return await self.ask("POST", "/console/session", None, body, **headers)

    async def cookie(self, who: str) -> str | None:
        """The cookie of a user who has signed in; None where they get none."""
        if who == "anonymous":
            return None
        status, _, headers = await self.sign_in(who)
        return cookie_of(headers) if status == 200 else None


def cookie_of(headers: dict[str, str]) -> str:
    """The cookie of the console that a response sets."""
    match = re.search(r"((?:__Host-)?gatepost-console=[^;]*)", headers["set-cookie"])
    assert match is not None
    return match[1]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest.fixture
def hold() -> threading.Event:
    """What the admin listener waits for before it responds to what is `slow`."""
    found = threading.Event()
    found.set()
    return found


@pytest.fixture
def admin(tmp_path: Path, hold: threading.Event) -> Iterator[tuple[Path, list[Request]]]:
    """The socket of an admin listener, and what it was asked."""
    asked: list[Request] = []

    def find(request: Request) -> Page:
        if "slow" in request.query:
            hold.wait(30)
        asked.append(request)
        page = json_page(200, {"path": request.path, "query": request.query, "client": "203.0.113.9"})
        if SHORTENED not in request.headers or "whole" in request.query:
            return page
        return page._replace(body=shortened(page.body), headers={SHORTENED: "1"})

    path = tmp_path / "admin.sock"
    server = AdminServer(open_socket(path), find, None)
    server.start()
    yield path, asked
    server.shutdown()
    server.server_close()


@pytest.fixture
async def console(database_url: str, admin: tuple[Path, list[Request]]) -> AsyncIterator[Console]:
    """The bookshop with users of every kind."""
    path, asked = admin
    app.show_console(path)
    async with TestApp(app, database_url) as running:
        for name, roles in USERS.items():
            if roles is not None:
                await create_user(app.running.database, app.user_model, f"{name}@shop.example", PASSWORD, roles)
        yield Console(running, asked)
    app.show_console(None)


ENDPOINTS = {
    # method and path: what anonymous, user, editor, reader and writer get
    ("GET", "/console"): (200, 200, 200, 200, 200),
    ("GET", "/console/operations/books.list"): (200, 200, 200, 200, 200),
    ("GET", "/console/assets/missing.js"): (404, 404, 404, 404, 404),
    ("GET", "/console/api/session"): (200, 200, 200, 200, 200),
    ("GET", "/console/api/state"): (401, 401, 401, 200, 200),
    ("HEAD", "/console/api/state"): (401, 401, 401, 200, 200),
    ("GET", "/console/api/logs/levels"): (401, 401, 401, 200, 200),
    ("GET", "/console/api/limits/address/2001:db8::/64"): (401, 401, 401, 200, 200),
    ("PUT", "/console/api/database/cancel"): (401, 401, 401, 403, 200),
    ("PUT", "/console/api/alerts/books"): (401, 401, 401, 403, 200),
    ("PUT", "/console/api/logs/levels/access"): (401, 401, 401, 403, 200),
    ("PUT", "/console/api/reveal"): (401, 401, 401, 403, 200),
    ("POST", "/console/api/state"): (405, 405, 405, 405, 405),
    ("DELETE", "/console/session"): (204, 204, 204, 204, 204),
}


async def test_every_endpoint_is_for_those_who_may(console: Console) -> None:
    cookies = {who: await console.cookie(who) for who in USERS}
    assert [who for who, cookie in cookies.items() if cookie] == ["reader", "writer"]
    found = {
        (method, path): tuple(
            [
                (await console.ask(method, path, cookie, {} if method == "PUT" else None))[0]
                for cookie in cookies.values()
            ]
        )
        for method, path in ENDPOINTS
    }
    assert found == ENDPOINTS
    assert {request.operator.partition(",")[0] for request in console.asked} == {
        f"user {await user_key(console, who)}" for who in ("reader", "writer")
    }


async def user_key(console: Console, who: str) -> str:
    """The key of a user as text."""
    connection: Any = await asyncpg.connect(console.running.app.running.database.dsn)
    found = await connection.fetchval("SELECT id::text FROM users WHERE email = $1", f"{who}@shop.example")
    await connection.close()
    return str(found)


async def test_a_session_says_who_looks(console: Console) -> None:
    nobody = await console.ask("GET", "/console/api/session")
    assert nobody[1] == {"name": None, "may_write": False, "how": "none"}
    for who, may_write in (("reader", False), ("writer", True)):
        status, session, headers = await console.sign_in(who)
        assert (status, session) == (200, {"name": f"{who}@shop.example", "may_write": may_write, "how": "user"})
        line = headers["set-cookie"]
        assert re.search(r"gatepost-console=[^;]+; Path=/; Max-Age=28800; SameSite=Strict; HttpOnly(,|$|\n)", line), (
            line
        )
        assert (await console.ask("GET", "/console/api/session", cookie_of(headers)))[1] == session


async def test_signing_in_is_refused_as_elsewhere(console: Console) -> None:
    for who in ("user", "editor"):
        status, refused, headers = await console.sign_in(who)
        assert (status, refused["code"], "gatepost-console" in headers.get("set-cookie", "")) == (
            403,
            "forbidden",
            False,
        )
    wrong = {"email": "reader@shop.example", "password": "wrong"}
    status, refused, _ = await console.ask("POST", "/console/session", None, wrong)
    assert (status, refused["code"]) == (401, "invalid_credentials")


async def test_guesses_are_limited(database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_LIMIT_FACTOR="1", GATEPOST_LIMIT_AUTH="3") as running:
        console = Console(running, [])
        wrong = {"email": "reader@shop.example", "password": "wrong"}
        statuses = [(await console.ask("POST", "/console/session", None, wrong))[0] for _ in range(4)]
        assert statuses == [401, 401, 401, 429]


async def test_a_session_ends_with_the_role_the_password_and_the_user(console: Console, database_url: str) -> None:
    running = console.running.app.running

    async def status(cookie: str | None) -> int:
        return (await console.ask("GET", "/console/api/state", cookie))[0]

    first = await console.cookie("reader")
    assert await status(first) == 200
    await change_user(running.database, app.user_model, "reader@shop.example", {"roles": []})
    assert await changed(status, first) == 403
    await change_user(running.database, app.user_model, "reader@shop.example", {"roles": ["console"]})
    second = await console.cookie("writer")
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE users SET password_hash = 'x' WHERE email = 'writer@shop.example'")
    await connection.close()
    assert await changed(status, second) == 401
    third = await console.cookie("reader")
    await change_user(running.database, app.user_model, "reader@shop.example", {"is_active": False})
    assert await changed(status, third) == 401


async def changed(status: Any, cookie: str | None) -> int:
    """The status once it is no longer 200: the change is known within 100 ms."""
    for _ in range(500):
        if (found := await status(cookie)) != 200:
            return int(found)
        await asyncio.sleep(0.01)
    return 200


async def test_a_token_of_the_api_is_no_cookie_and_a_cookie_is_no_token(console: Console) -> None:
    login = {"email": "writer@shop.example", "password": PASSWORD}
    token = (await console.ask("POST", "/api/auth/login", None, login))[1]["data"]["access_token"]
    cookie = await console.cookie("writer")
    assert cookie is not None
    assert (await console.ask("GET", "/console/api/state", f"gatepost-console={token}"))[0] == 401
    stolen = cookie.partition("=")[2]
    assert (await console.ask("GET", "/api/auth/me", None, authorization=f"Bearer {stolen}"))[0] == 401
    assert (await console.ask("GET", "/api/auth/me", cookie))[0] == 401
    # With a token of the API, for scripts: nothing is sent by itself, so nothing is asked about the origin.
    given = await console.ask("PUT", "/console/api/alert-test", None, {}, authorization=f"Bearer {token}", origin="")
    assert given[0] == 200


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": f"https://{HOST}"},
    {"origin": f"http://{HOST}:8080"},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
)


async def test_pages_of_others_can_neither_read_nor_change_nor_sign_in_nor_out(console: Console) -> None:
    cookie = await console.cookie("writer")
    before = len(console.asked)
    for headers in FOREIGN:
        for method, path in (
            ("GET", "/console/api/state"),
            ("GET", "/console/api/session"),
            ("PUT", "/console/api/database/cancel"),
            ("DELETE", "/console/session"),
        ):
            body: Any = {} if method == "PUT" else None
            status, refused, _ = await console.ask(method, path, cookie, body, **headers)
            assert (status, refused["code"]) == (403, "cross_origin"), (method, headers)
        assert (await console.sign_in("writer", **headers))[0] == 403
    for method, path in (("PUT", "/console/api/alert-test"), ("DELETE", "/console/session")):
        assert (await console.ask(method, path, cookie, {} if method == "PUT" else None, origin=""))[0] == 403
    assert (await console.sign_in("writer", origin=""))[0] == 403
    assert len(console.asked) == before


async def test_readers_get_no_whole_addresses(console: Console) -> None:
    for who, client in (("reader", "203.0.113.0/24"), ("writer", "203.0.113.9")):
        assert (await console.ask("GET", "/console/api/clients", await console.cookie(who)))[1]["client"] == client


async def test_readers_get_nothing_that_the_monitor_does_not_shorten(console: Console) -> None:
    for who, expected in (("reader", 502), ("writer", 200)):
        status, found, _ = await console.ask("GET", "/console/api/clients?whole=1", await console.cookie(who))
        assert (status, "client" in found) == (expected, status == 200)


async def test_a_monitor_that_hangs_keeps_few_waiting_and_nobody_of_the_api(
    console: Console, hold: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding_queue, "ASKED_MAX", 6)
    cookie = await console.cookie("reader")
    hold.clear()
    asking = [asyncio.create_task(console.ask("GET", "/console/api/state?slow=1", cookie)) for _ in range(9)]
    refused = [await each for each in itertools.islice(asyncio.as_completed(asking), 3)]
    assert [(status, found["code"]) for status, found, _ in refused] == [(503, "console_unavailable")] * 3
    # Waiting ones do not count as running requests of the API: its limit must not learn from them.
    assert app.running.gate._queue.running == 0  # pyright: ignore[reportPrivateUsage]
    assert (await console.ask("GET", "/api/books"))[0] == 200
    hold.set()
    assert sorted([(await each)[0] for each in asking]) == [200] * 6 + [503] * 3


async def test_one_user_takes_neither_all_threads_nor_all_places(console: Console, hold: threading.Event) -> None:
    one, other = await console.cookie("reader"), await console.cookie("writer")
    hold.clear()
    asking = [asyncio.create_task(console.ask("GET", "/console/api/state?slow=1", one)) for _ in range(40)]
    refused = [await each for each in itertools.islice(asyncio.as_completed(asking), 20)]
    assert {(status, found["code"]) for status, found, _ in refused} == {(503, "console_unavailable")}
    assert [(await console.ask("GET", "/console/api/state", other))[0] for _ in range(3)] == [200] * 3
    hold.set()
    assert sorted([(await each)[0] for each in asking]) == [200] * 20 + [503] * 20


async def test_who_has_no_role_is_refused_by_a_security_line(console: Console) -> None:
    refused: list[ConsoleRefused] = []
    app.running.events.subscribe(ConsoleRefused, refused.append)
    assert (await console.sign_in("user"))[0] == 403
    assert (await console.sign_in("reader"))[0] == 200
    assert refused == [ConsoleRefused("no role", "127.0.0.1", await user_key(console, "user"))]
    assert LINES[ConsoleRefused].is_security


async def test_no_page_frames_the_console(console: Console) -> None:
    for path in ("/console", "/console/traffic"):
        status, _, headers = await console.ask("GET", path)
        assert (status, headers["content-security-policy"], headers["x-frame-options"]) == (200, POLICY, "DENY")
        assert headers["cross-origin-resource-policy"] == "same-origin"
        tag = headers["etag"]
        assert (await console.ask("GET", path, if_none_match=tag))[0] == 304


async def test_what_is_asked_is_passed_on_without_what_could_name_another(console: Console) -> None:
    cookie = await console.cookie("reader")
    status, found, headers = await console.ask(
        "GET", "/console/api/limits/address/2001:db8::/64?since=1h&q=a%26b", cookie, gatepost_operator="root"
    )
    assert status == 200
    assert found == {
        "path": "/console/api/limits/address/…",  # what readers get names no client, nor does a path
        "query": {"since": "1h", "q": "a&b"},
        "client": "203.0.113.0/24",
    }
    assert headers["cache-control"] == "no-store"
    [request] = console.asked
    assert request.path == "/console/api/limits/address/2001%3Adb8%3A%3A/64"
    assert "cookie" not in request.headers
    assert "root" not in request.operator


async def test_over_tls_the_cookie_has_the_prefix_and_in_production_there_is_no_other(
    database_url: str, admin: tuple[Path, list[Request]]
) -> None:
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
    settings: dict[str, Any] = {
        "GATEPOST_ENV": "production",
        "GATEPOST_SIGNING_KEY": key,
        "GATEPOST_TRUSTED_PROXIES": "127.0.0.1",
    }
    async with TestApp(app, database_url, **settings) as running:
        hidden = Console(running, [])
        for method, path in ENDPOINTS:
            assert (await hidden.ask(method, path))[0] == 404
        assert (await hidden.sign_in("writer"))[0] == 404
    app.show_console(admin[0])
    async with TestApp(app, database_url, **settings, GATEPOST_CONSOLE="public") as running:
        await create_user(app.running.database, app.user_model, "writer@shop.example", PASSWORD, ["console.write"])
        shown = Console(running, admin[1])
        assert (await shown.sign_in("writer"))[0] == 403
        tls = {"x_forwarded_proto": "https", "x_forwarded_for": "203.0.113.9"}
        status, _, headers = await shown.sign_in("writer", **tls, origin=f"https://{HOST}")
        cookie = cookie_of(headers)
        assert (status, cookie.startswith("__Host-gatepost-console=")) == (200, True)
        assert "; Secure" in headers["set-cookie"]
        assert (await shown.ask("GET", "/console/api/state", cookie, **tls))[0] == 200
        assert (await shown.ask("GET", "/console/api/state", cookie))[0] == 401
        bare = cookie.removeprefix("__Host-")
        assert (await shown.ask("GET", "/console/api/state", bare, **tls))[0] == 401
        status, _, headers = await shown.ask("DELETE", "/console/session", cookie, **tls, origin=f"https://{HOST}")
        assert (status, "__Host-gatepost-console=; Path=/; Max-Age=0" in headers["set-cookie"]) == (204, True)
    app.show_console(None)


async def test_without_a_monitor_there_is_no_data_and_the_page_says_so(database_url: str) -> None:
    async with TestApp(app, database_url) as running:
        await create_user(app.running.database, app.user_model, "reader@shop.example", PASSWORD, ["console"])
        console = Console(running, [])
        cookie = await console.cookie("reader")
        assert (await console.ask("GET", "/console"))[0] == 200
        status, refused, _ = await console.ask("GET", "/console/api/state", cookie)
        assert (status, refused["code"]) == (503, "console_unavailable")
