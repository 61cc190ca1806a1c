"""`LoopbackConsole` before a real admin socket: who gets in, what is passed on, and what pages of others cannot do."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import BinaryIO, NamedTuple

import httpx
import pytest

from gatepost.console.console_files import console_files
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.loopback_console import LoopbackConsole
from gatepost.monitor.page_table import Page, Request, json_page


class Console(NamedTuple):
    """A console, the address that opens it, and what the admin listener behind it was asked."""

    origin: str
    address: str
    asked: list[Request]
    admin: AdminServer


def answer(asked: list[Request], request: Request) -> Page:
    """What the admin listener responds."""
    asked.append(request)
    return json_page(418, {"path": request.path})._replace(headers={"etag": '"a"', "set-cookie": "other=1"})


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console whose address nobody has used."""
    asked: list[Request] = []
    path = tmp_path / "admin.sock"
    admin = AdminServer(open_socket(path), lambda request: answer(asked, request), None)
    admin.start()
    server = LoopbackConsole(socket.create_server(("127.0.0.1", 0)), path)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Console(server.address.partition("/console")[0], server.address, asked, admin)
    for each in (server, admin):
        each.shutdown()
        each.server_close()
    thread.join()


@pytest.fixture
def browser(console: Console) -> Iterator[httpx.Client]:
    """One that has opened the address."""
    with httpx.Client(base_url=console.origin) as client:
        opened = client.get(console.address)
        assert (opened.status_code, opened.headers["location"]) == (303, "/console")
        cookie = opened.headers["set-cookie"]
        assert cookie.endswith("; Path=/console; HttpOnly; SameSite=Strict")
        yield client


def test_the_address_opens_the_console_once(console: Console, browser: httpx.Client) -> None:
    assert browser.get("/console").status_code == 418
    assert len(console.asked) == 1
    with httpx.Client() as other:
        for address in (console.address, f"{console.origin}/console", f"{console.origin}/console?once="):
            refused = other.get(address)
            assert (refused.status_code, "set-cookie" in refused.headers) == (403, False)
            assert "run the command again" in refused.text
        guessed = other.get(f"{console.origin}/console/api/state", headers={"cookie": "gatepost_console_1=x; ;=\x01"})
        assert guessed.status_code == 403
    assert len(console.asked) == 1


def test_a_head_or_another_path_does_not_use_the_address_up(console: Console) -> None:
    with httpx.Client() as client:
        assert client.head(console.address).status_code == 403
        assert client.get(console.address.replace("/console?", "/console/traffic?")).status_code == 403
        assert client.get(console.address, headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert client.get(console.address).status_code == 303


def test_what_the_server_needs_is_passed_on_and_nothing_that_names_somebody(
    console: Console, browser: httpx.Client
) -> None:
    sent = {"if-none-match": '"a"', "gatepost-operator": "root", "authorization": "Bearer x", "x-forwarded-for": "1"}
    found = browser.put(
        "/console/api/errors/a%2Fb",
        params={"since": "1h", "route": "/a b"},
        json={"state": "resolved"},
        headers={**sent, "origin": console.origin},
    )
    assert (found.status_code, found.json(), found.headers["etag"]) == (
        418,
        {"path": "/console/api/errors/a%2Fb"},
        '"a"',
    )
    assert "set-cookie" not in found.headers
    [request] = console.asked
    assert (request.method, request.query) == ("PUT", {"since": "1h", "route": "/a b"})
    assert request.body == b'{"state":"resolved"}'
    assert request.operator.startswith("uid ")
    assert set(request.headers) == {
        "host",
        "accept-encoding",
        "content-length",
        "accept",
        "content-type",
        "if-none-match",
    }


FOREIGN = (
    {"host": "evil.example"},
    {"host": "127.0.0.1"},
    {"host": ""},
    {"origin": "http://evil.example"},
    {"origin": "null"},
    {"origin": "http://127.0.0.1:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
)


def test_pages_of_others_are_refused_although_the_browser_sends_the_cookie(
    console: Console, browser: httpx.Client
) -> None:
    for method in ("GET", "PUT"):
        for headers in FOREIGN:
            refused = browser.request(method, "/console/api/state", headers=headers)
            assert (refused.status_code, refused.text) == (403, "Not from a page of another origin.\n"), headers
    assert console.asked == []


def test_a_change_names_its_origin(console: Console, browser: httpx.Client) -> None:
    assert browser.put("/console/api/alert-test").status_code == 403
    assert browser.put("/console/api/alert-test", headers={"origin": console.origin}).status_code == 418


def test_nothing_but_the_console_is_opened(console: Console, browser: httpx.Client) -> None:
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.cookies.jar)
    for path in ("/", "/metrics", "/state", "/consoles", "/x/console"):
        # The browser sends the cookie to the console alone, and it opens nothing else.
        assert browser.get(path).status_code == 403, path
        assert browser.get(path, headers={"cookie": cookies}).status_code == 404, path
    assert console.asked == []


def test_files_of_its_own_release_need_no_server_and_are_asked_for_once(
    console: Console, browser: httpx.Client
) -> None:
    version = console_files().version
    for coding, length_max in (("gzip", 40_000), ("identity", 100_000)):
        path = f"/console/assets/{version}/vendor/libraries.js"
        file = browser.get(path, headers={"accept-encoding": coding})
        assert (file.status_code, file.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert file.headers["cache-control"] == "private, max-age=31536000, immutable"
        assert file.headers.get("content-encoding", "identity") == coding
        assert 20_000 < int(file.headers["content-length"]) < length_max
        assert file.text.startswith("/*") or "export" in file.text
    assert browser.get(f"/console/assets/{version}/missing.js").status_code == 404
    assert console.asked == []
    assert browser.get("/console/assets/0123456789abcdef/app.js").status_code == 418  # of another release
    with httpx.Client() as stranger:
        assert stranger.get(f"{console.origin}/console/assets/{version}/app.js").status_code == 403


def test_a_connection_serves_one_request_after_the_other_unless_one_is_malformed(
    console: Console, browser: httpx.Client
) -> None:
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    host = console.origin.removeprefix("http://")
    head = f"Host: {host}\r\nCookie: {cookie}\r\n"
    with (
        socket.create_connection(("127.0.0.1", int(host.partition(":")[2]))) as connection,
        connection.makefile("rb") as responses,
    ):
        for path in ("/console/api/state", "/console/api/logs"):
            connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
            status, headers, body = read_response(responses)
            assert (status, json.loads(body)["path"], "connection" in headers) == (418, path, False)
        connection.sendall(
            f"PUT /console/api/reveal HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
        )
        status, headers, _ = read_response(responses)
        assert (status, headers["connection"], responses.read()) == (400, "close", b"")


def read_response(responses: BinaryIO) -> tuple[int, Message, bytes]:
    """The next response of a connection."""
    status = int(responses.readline().split()[1])
    headers = http.client.parse_headers(responses)
    return status, headers, responses.read(int(headers["content-length"]))


@pytest.mark.parametrize("target", ["/console/é", "/console/api/\xff?q=\xe9", "/\x80", "/console/assets/\xe9.js"])
def test_bytes_that_no_target_may_have_are_answered(console: Console, browser: httpx.Client, target: str) -> None:
    cookie = "; ".join(f"{each.name}={each.value}" for each in browser.cookies.jar)
    host = console.origin.removeprefix("http://")
    with (
        socket.create_connection(("127.0.0.1", int(host.partition(":")[2]))) as connection,
        connection.makefile("rb") as responses,
    ):
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n".encode("latin-1"))
        status, _, _ = read_response(responses)
    assert status == (418 if target.startswith("/console") else 404)
    assert [request.path.isascii() for request in console.asked] == [True] * len(console.asked)


def test_a_server_that_has_gone_is_said_to_have_gone(console: Console, browser: httpx.Client, tmp_path: Path) -> None:
    (tmp_path / "admin.sock").unlink()
    gone = browser.get("/console/api/state")
    assert (gone.status_code, gone.json()) == (502, {"detail": "The monitor of the server does not respond."})
