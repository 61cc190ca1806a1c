"""The gate under the real server: what unit tests with made-up scopes cannot know."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROGRAM = """
import asyncio
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.events import Events
from gatepost.operations import RouteRules
from gatepost.settings import GateSettings

def match(method, path):
    return RULES, None, None

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("no lifespan here")
    if scope["path"] == "/slow":
        await asyncio.sleep(60)
    body = await scope["gatepost"].body() if scope["method"] == "POST" else b"[]"
    if scope["path"] == "/cut":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("mid-response")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})

RULES = RouteRules(pattern="/x")
SETTINGS = GateSettings(api_count=1000, request_seconds=1.0, body_seconds=0.7, body_bytes_max=100)
events = Events()
gate = GateMiddleware(app, match=match, limiter=make_limiter(SETTINGS, events), settings=SETTINGS, events=events)
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    yield from _served(tmp_path_factory)


def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("gate")
    (folder / "gate_program.py").write_text(PROGRAM)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asginl", "--http", "1", "--loop", "uvloop"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers-kill-timeout", "2", "gate_program:gate"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_served(port, process)
        yield port
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_served(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("the server did not start")


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        if body is not None:
            connection.putheader("content-length", str(len(body)))
        connection.endheaders(body)
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_a_response_names_gatepost_and_carries_the_headers(port: int) -> None:
    status, headers, body = ask(port, "GET", "/x")
    assert (status, body) == (200, b"[]")
    assert headers["server"] == "gatepost"
    assert headers["x-frame-options"] == "DENY"
    assert headers["ratelimit-policy"] == '"api";q=1000;w=900'
    assert "x-request-id" in headers


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%00", "/a%ff", "/a%5c", "/a%zz"])
def test_strange_paths_are_refused(port: int, path: str) -> None:
    status, _, body = ask(port, "GET", path)
    assert (status, json.loads(body)["code"]) == (400, "malformed_request")


def test_a_query_is_no_part_of_the_path_that_is_checked(port: int) -> None:
    assert ask(port, "GET", "/x?q=a%2Fb%00")[0] == 200


def test_a_body_goes_through_and_a_large_one_does_not(port: int) -> None:
    assert ask(port, "POST", "/x", b"{}", content_type="application/json")[::2] == (200, b"{}")
    assert ask(port, "POST", "/x", b"x" * 101, content_type="application/json")[0] == 413
    assert ask(port, "POST", "/x", b"{}", content_type="text/plain")[0] == 415


def test_head_gets_no_body(port: int) -> None:
    assert ask(port, "HEAD", "/x")[::2] == (200, b"")


def test_a_slow_request_is_a_504(port: int) -> None:
    status, _, body = ask(port, "GET", "/slow")
    assert (status, json.loads(body)["code"]) == (504, "request_timeout")


def test_a_stalled_body_is_a_408_and_the_connection_ends(port: int) -> None:
    head = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(head)
        response = b"".join(iter(lambda: client.recv(4096), b""))
    assert response.startswith(b"HTTP/1.1 408 ")
    assert b"body_timeout" in response


def test_a_chunked_body_is_counted(port: int) -> None:
    head = b"POST /x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), 60) as client:
        client.sendall(head + b"50\r\n" + b"x" * 0x50 + b"\r\n" + b"50\r\n" + b"x" * 0x50 + b"\r\n0\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_a_response_that_breaks_off_is_not_completed(port: int) -> None:
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask(port, "GET", "/cut")


def test_a_first_request_keeps_nothing_open(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Timers that begin with the first request keep its context for ever, which must not keep the request."""
    for served in _served(tmp_path_factory):
        test_a_stalled_body_is_a_408_and_the_connection_ends(served)
