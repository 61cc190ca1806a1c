"""The admin listener on a port, with the console in a browser in which the token was entered: who gets what, and what
pages of others, guesses and old cookies do not get."""

import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from gatepost.events import ConsoleOpened, ConsoleRefused, Events
from gatepost.logging.event_lines import LINES
from gatepost.monitor.admin_port import AdminPort
from gatepost.monitor.browser_sessions import LIFETIME_SECONDS, SESSIONS_MAX, WRONG_MAX, BrowserSessions, WrongTokens
from gatepost.monitor.console_file_pages import console_page
from gatepost.monitor.page_table import Page, Request, json_page

TOKEN = "a-token-of-this-test-alone"
ENTERED = {"token": TOKEN, "name": "Ada"}


class Port(NamedTuple):
    """A port, what it was asked, and the events."""

    origin: str
    asked: list[Request]
    events: list[Any]


@pytest.fixture
def port() -> Iterator[Port]:
    asked: list[Request] = []
    said: list[Any] = []
    events = Events()
    for kind in (ConsoleOpened, ConsoleRefused):
        events.subscribe(kind, said.append)

    def find(request: Request) -> Page:
        asked.append(request)
        if request.path.startswith("/console") and "/api/" not in request.path:
            return console_page(request)
        return json_page(200, {"operator": request.operator, "access": request.access})

    server = AdminPort(socket.create_server(("127.0.0.1", 0)), find, TOKEN, events)
    server.start()
    yield Port("http://127.0.0.1:{1}".format(*server.server_address), asked, said)
    server.shutdown()
    server.server_close()


@pytest.fixture
def browser(port: Port) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=port.origin) as client:
        yield client


def entered(port: Port, browser: httpx.Client, body: Any = None, **headers: str) -> httpx.Response:
    """The response to the form, sent by a page of the port."""
    given = {"origin": port.origin, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return browser.post("/console/session", json=ENTERED if body is None else body, headers=given)


def test_the_token_is_entered_once_and_opens_the_console_alone(port: Port, browser: httpx.Client) -> None:
    assert browser.get("/console").status_code == 200
    assert browser.get("/console/assets/app.js").status_code == 200
    assert browser.get("/console/api/session").json() == {
        "name": None,
        "may_write": False,
        "how": "none",
        "wants": "token",
    }
    assert browser.get("/console/api/state").status_code == 401
    opened = entered(port, browser)
    assert (opened.status_code, opened.json()) == (200, {"name": "Ada", "may_write": True, "how": "browser"})
    cookie = opened.headers["set-cookie"]
    assert re.fullmatch(
        r"gatepost-admin-\d+=[\w-]{43}; Path=/console; Max-Age=28800; HttpOnly; SameSite=Strict", cookie
    )
    assert TOKEN not in cookie
    expected = {"operator": "Ada, by the token, from 127.0.0.1", "access": "browser"}
    assert browser.get("/console/api/state").json() == expected
    assert browser.put("/console/api/reveal", headers={"origin": port.origin}).json() == expected
    given = {"cookie": cookie.partition(";")[0]}
    for path in ("/metrics", "/state", "/consoles", "/"):
        assert browser.get(path, headers=given).status_code == 401
    others = {"cookie": f'{{"of": "another app"}}; other="; {given["cookie"]}; last'}
    with httpx.Client(base_url=port.origin) as another:
        assert another.get("/console/api/state", headers=others).json() == expected
    assert port.events == [ConsoleOpened("Ada", "127.0.0.1")]
    assert LINES[ConsoleOpened].is_security


def test_scripts_send_the_token_as_before(port: Port, browser: httpx.Client) -> None:
    authorization = {"authorization": f"Bearer {TOKEN}"}
    expected = {"operator": "the token, from 127.0.0.1", "access": "token"}
    for path in ("/state", "/console/api/state"):
        assert browser.get(path, headers=authorization).json() == expected
        assert browser.get(path, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert browser.get(path, headers={**authorization, "origin": port.origin}).status_code == 403
    named = browser.get("/state", headers={**authorization, "gatepost-operator": "uid%201"}).json()
    assert named["operator"] == "uid 1, by the token, from 127.0.0.1"


FOREIGN = (
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": ""},
    {"sec_fetch_site": "cross-site"},
    {"sec_fetch_site": "same-site"},
    {"host": "evil.example"},
    {"host": "evil.example", "origin": "http://evil.example"},
)


def test_pages_of_others_can_neither_read_nor_change_nor_sign_in_nor_out(port: Port, browser: httpx.Client) -> None:
    assert entered(port, browser).status_code == 200
    before = len(port.asked)
    for foreign in FOREIGN:
        assert entered(port, browser, **foreign).status_code == 403, foreign
        headers = {"origin": port.origin, **{name.replace("_", "-"): value for name, value in foreign.items()}}
        for method, path in (("PUT", "/console/api/reveal"), ("DELETE", "/console/session")):
            assert browser.request(method, path, headers=headers).status_code == 403, (method, foreign)
        if foreign != {"origin": ""}:  # a browser names no origin where its own page reads
            assert browser.get("/console/api/state", headers=headers).status_code == 403, foreign
    assert len(port.asked) == before
    form = {"origin": port.origin, "content-type": "text/plain"}
    assert browser.post("/console/session", content=b"{}", headers=form).status_code == 415
    # A link elsewhere opens the page, which asks for what it shows by itself.
    assert browser.get("/console/traffic", headers={"sec-fetch-site": "cross-site"}).status_code == 200


@pytest.mark.parametrize(
    "body", [{}, {"token": TOKEN}, {**ENTERED, "name": " "}, {**ENTERED, "name": "x" * 81}, [TOKEN]]
)
def test_who_gives_no_name_is_refused(port: Port, browser: httpx.Client, body: Any) -> None:
    refused = entered(port, browser, body)
    assert (refused.status_code, "set-cookie" in refused.headers) == (422, False)


def test_guesses_are_few_and_each_is_a_security_line(port: Port, browser: httpx.Client) -> None:
    statuses = [entered(port, browser, {**ENTERED, "token": f"{TOKEN}{n}"}).status_code for n in range(WRONG_MAX)]
    assert statuses == [403] * WRONG_MAX
    limited = entered(port, browser)
    assert (limited.status_code, 0 < int(limited.headers["retry-after"]) <= 60) == (429, True)
    assert "set-cookie" not in limited.headers
    assert port.events == [ConsoleRefused("wrong token", "127.0.0.1")] * WRONG_MAX + [
        ConsoleRefused("too many wrong tokens", "127.0.0.1")
    ]
    assert LINES[ConsoleRefused].is_security


def test_signing_out_ends_the_session_also_where_the_cookie_was_copied(port: Port, browser: httpx.Client) -> None:
    copied = entered(port, browser).headers["set-cookie"].partition(";")[0]
    out = browser.delete("/console/session", headers={"origin": port.origin})
    assert (out.status_code, "Max-Age=0" in out.headers["set-cookie"]) == (204, True)
    for cookie in (copied, "gatepost-admin-80=", "gatepost-admin-80=x; ;=\x01", "other=1"):
        assert browser.get("/console/api/state", headers={"cookie": cookie}).status_code == 401


def test_a_name_cannot_write_what_the_terminal_obeys(port: Port, browser: httpx.Client) -> None:
    assert entered(port, browser, {**ENTERED, "name": "\x1b[31mred\n"}).status_code == 200
    assert browser.get("/console/api/state").json()["operator"].isprintable()


def test_sessions_end_and_there_are_few() -> None:
    now = 0.0
    sessions = BrowserSessions(lambda: now)
    first = sessions.begin("Ada")
    assert sessions.find(first) == "Ada"
    others = [sessions.begin(f"{number}") for number in range(SESSIONS_MAX)]
    assert (sessions.find(first), sessions.find(others[0])) == (None, "0")
    now = LIFETIME_SECONDS
    assert sessions.find(others[-1]) is None


def test_a_network_that_guesses_keeps_no_other_out_and_is_let_in_again() -> None:
    now = 0.0
    wrong = WrongTokens(lambda: now)
    for number in range(WRONG_MAX):
        wrong.note(f"2001:db8::{number}")
        now += 1
    assert wrong.wait_seconds("2001:db8::ffff") == 60 - WRONG_MAX
    assert wrong.wait_seconds("2001:db8:0:1::1") == wrong.wait_seconds("192.0.2.1") == 0
    now += 60 - WRONG_MAX
    assert wrong.wait_seconds("2001:db8::ffff") == 0
    for number in range(2000):
        wrong.note(f"198.51.{number // 250}.{number % 250}")
    assert len(wrong._moments) == 1000  # pyright: ignore[reportPrivateUsage]
