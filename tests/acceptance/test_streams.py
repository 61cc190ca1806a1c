"""Streams of a real server: what arrives when, and what ends them: clients, signals, revoked tokens, errors."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.acceptance.conftest import Running, Start, production_settings, run, starting, wait_for, without_settings
from tests.databases import Databases

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

APP = """
import asyncio
from pathlib import Path

from gatepost import App, Controller, Model, Resource, Stream, anyone, authenticated, get, post


class Mark(Model):
    __tablename__ = "marks"


async def source(name, text="", fails=False):
    number = 0
    try:
        while True:
            yield {"number": number, "text": text}
            number += 1
            if fails:
                raise RuntimeError("out of numbers")
            if not text:
                await asyncio.sleep(0.05)
    finally:
        Path(f"closed-{name}").touch()


async def wait(name):
    try:
        await asyncio.sleep(3)
        Path(f"{name}-to-the-end").touch()
    finally:
        Path(f"{name}-ended").touch()


class Numbers(Controller):
    path = "numbers"

    @get("/of/{name}", allow=anyone)
    async def numbers(self, name: str) -> Stream[dict[str, int | str]]:
        return Stream(source(name))

    @get("/mine", allow=authenticated)
    async def mine(self) -> Stream[dict[str, int | str]]:
        return Stream(source("mine"))

    @get("/long", allow=anyone)
    async def long(self) -> Stream[dict[str, int | str]]:
        return Stream(source("long", "x" * 100_000))

    @get("/eager", allow=anyone)
    async def eager(self) -> Stream[dict[str, int | str]]:
        return Stream(source("eager", "x"))

    @get("/late", allow=anyone)
    async def late(self) -> Stream[dict[str, int | str]]:
        await asyncio.sleep(1)  # longer than a request goes without a watch on its client
        return Stream(source("late"))

    @get("/slow", allow=anyone)
    async def slow(self) -> None:
        await wait("read")

    @post("/slow", allow=anyone)
    async def slowly(self) -> None:
        await wait("written")

    @get("/failing", allow=anyone)
    async def failing(self) -> Stream[dict[str, int | str]]:
        return Stream(source("failing", fails=True))


app = App(Resource(Mark, read=anyone), controllers=[Numbers])
"""
SETUP = """
import asyncio, os
from app import app
from gatepost.testing import TestApp

async def main():
    async with TestApp(app, os.environ["DATABASE_URL"]):
        pass

asyncio.run(main())
"""
Environ = dict[str, str]
LAST_CHUNK = b"0\r\n\r\n"
EVENTS = "accept: text/event-stream"
AT_ONCE_SECONDS = 5.0
"""Far below the time that requests get at a stop."""


@pytest.fixture(scope="module")
def streaming(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Environ]]:
    """A folder with APP, and the environment of a server there, whose database has its tables."""
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "app.py").write_text(APP)
    settings = {
        "GATEPOST_STREAM_HEARTBEAT_SECONDS": "0.2",
        "GATEPOST_LIMIT_API": "100000",
        "GATEPOST_DRAIN_SECONDS": "60",
    }
    with databases.opened() as url:
        environ = {**without_settings(), **production_settings(folder, url), **settings}
        path = os.pathsep.join((".", os.environ.get("PYTHONPATH", "")))
        subprocess.run(
            [sys.executable, "-c", SETUP],
            cwd=folder,
            env={**without_settings(), "DATABASE_URL": url, "PYTHONPATH": path},
            check=True,
        )
        yield folder, environ


@pytest.fixture(scope="module")
def start_streaming(streaming: tuple[Path, Environ]) -> Iterator[Start]:
    """Starts servers with one worker there, with further settings."""
    folder, environ = streaming
    with starting(folder) as start:

        def begin(**settings: str) -> Running:
            return start("serve", "--port", "0", "--workers", "1", environ={**environ, **settings}).ready()

        yield begin


@pytest.fixture(scope="module")
def server(start_streaming: Start) -> Running:
    """The server of the tests that end no server. Each has sources and paths of its own."""
    return start_streaming()


class Connection:
    """A client that reads a stream as it comes."""

    def __init__(self, server: Running, path: str, *headers: str, method: str = "GET") -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        lines = "".join(f"{line}\r\n" for line in headers)
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        self.read = b""

    def until(self, wanted: bytes) -> None:
        """Read until this has come."""
        while wanted not in self.read:
            part = self.socket.recv(65_536)
            assert part, self.read
            self.read += part

    def rest(self) -> bytes:
        """Read to the end of the connection."""
        while part := self.socket.recv(65_536):
            self.read += part
        return self.read


Connect = Callable[..., Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Opens connections, and closes them after the test."""
    with contextlib.ExitStack() as opened:

        def open_one(server: Running, path: str, *headers: str, method: str = "GET") -> Connection:
            connection = Connection(server, path, *headers, method=method)
            opened.enter_context(connection.socket)
            return connection

        yield open_one


def test_a_stream_that_begins_late_ends_with_its_client(server: Running, connect: Connect) -> None:
    client = connect(server, "/api/numbers/late")
    client.until(b'{"number":2,"text":""}\n')
    client.socket.close()

    wait_for((server.folder / "closed-late").exists, "the end of the source")


def test_a_client_that_goes_ends_a_read_and_no_write(server: Running, connect: Connect) -> None:
    for method, name in (("GET", "read"), ("POST", "written")):
        client = connect(server, "/api/numbers/slow", method=method)
        time.sleep(0.3)  # it has arrived, and waits
        client.socket.close()
        wait_for((server.folder / f"{name}-ended").exists, f"the end of {method}")

    assert not (server.folder / "read-to-the-end").exists()
    assert (server.folder / "written-to-the-end").exists()
    assert access_line(server, "/api/numbers/slow")["status"] == 499


def test_items_arrive_as_they_are_made_and_a_client_that_goes_closes_the_source(
    server: Running, connect: Connect
) -> None:
    client = connect(server, "/api/numbers/of/client")
    client.until(b'{"number":2,"text":""}\n')
    assert b"content-type: application/x-ndjson\r\n" in client.read
    assert b"transfer-encoding: chunked\r\n" in client.read
    assert not (server.folder / "closed-client").exists()

    client.socket.close()

    wait_for((server.folder / "closed-client").exists, "the end of the source")
    line = access_line(server, "/api/numbers/of/client")
    assert line["status"] == 200
    assert 0.1 <= line["seconds"] < 30


def test_a_source_that_never_waits_lets_others_run_and_ends_with_its_client(server: Running, connect: Connect) -> None:
    client = connect(server, "/api/numbers/eager")
    client.until(b'"number":1000,')
    assert server.get("/api/marks")[0] == 200

    client.socket.close()

    wait_for((server.folder / "closed-eager").exists, "the end of the source")
    assert server.get("/api/marks")[0] == 200


def test_sigterm_ends_streams_at_once(start_streaming: Start, connect: Connect) -> None:
    server = start_streaming()
    lines, events = connect(server, "/api/numbers/of/lines"), connect(server, "/api/numbers/of/events", EVENTS)
    lines.until(b'"number":1')
    events.until(b'"number":1')
    began = time.monotonic()

    server.send(signal.SIGTERM)

    assert events.rest().endswith(LAST_CHUNK)
    assert not lines.rest().endswith(LAST_CHUNK)
    assert server.wait() == 0
    assert time.monotonic() - began < AT_ONCE_SECONDS
    assert (server.folder / "closed-lines").exists()
    assert (server.folder / "closed-events").exists()
    assert "Traceback" not in server.output


def test_a_worker_that_is_replaced_sends_its_streams_to_the_new_one(server: Running, connect: Connect) -> None:
    count = server.output.count("Traceback")
    events = connect(server, "/api/numbers/of/replaced", EVENTS)
    events.until(b'"number":1')

    server.send(signal.SIGHUP)

    assert events.rest().endswith(LAST_CHUNK)
    again = connect(server, "/api/numbers/of/again", EVENTS)
    again.until(b'"number":1')
    assert server.output.count("Traceback") == count


def test_a_revoked_token_ends_a_stream_within_one_heartbeat(
    server: Running, connect: Connect, streaming: tuple[Path, Environ], postgresql: EmbeddedPostgreSQL
) -> None:
    folder, environ = streaming
    password = "correct horse battery\n"
    run("users", "create", "ada@example.com", "--password-stdin", cwd=folder, environ=environ, stdin=password)
    token = run("users", "token", "ada@example.com", cwd=folder, environ=environ).stdout.strip()
    client = connect(server, "/api/numbers/mine", EVENTS, f"authorization: Bearer {token}")
    client.until(b'"number":5')

    postgresql.execute(
        "UPDATE users SET is_active = false WHERE email = 'ada@example.com'",
        database=urlsplit(environ["DATABASE_URL"]).path[1:],
    )

    client.until(LAST_CHUNK)
    assert re.search(rb'event: error\ndata: \{.*"status":401.*"code":"invalid_token".*\}\n\n', client.read)
    wait_for((server.folder / "closed-mine").exists, "the end of the source")
    assert access_line(server, "/api/numbers/mine")["code"] == "invalid_token"


def test_an_error_of_the_source_reaches_client_and_log(server: Running, connect: Connect) -> None:
    events, lines = connect(server, "/api/numbers/failing", EVENTS), connect(server, "/api/numbers/failing")
    events.until(LAST_CHUNK)

    assert b"event: error\ndata: {" in events.read
    assert b"out of numbers" not in events.read
    assert not lines.rest().endswith(LAST_CHUNK)
    found = wait_for(lambda: "out of numbers" in server.output and server.output, "the line")
    assert "Raised by the stream of Numbers.failing " in found
    assert server.get("/api/marks")[0] == 200


def test_a_client_that_reads_nothing_holds_the_source_back_and_is_cut_off(
    start_streaming: Start, connect: Connect
) -> None:
    server = start_streaming(GATEPOST_BODY_SECONDS="2")
    before = resident_mib(server)
    for _ in range(5):
        connect(server, "/api/numbers/long")

    wait_for(lambda: server.output.count('"path":"/api/numbers/long"') == 5, "the ends of the streams")

    assert resident_mib(server) - before < 60
    assert access_line(server, "/api/numbers/long")["code"] == "body_timeout"
    assert (server.folder / "closed-long").exists()


def access_line(server: Running, path: str) -> dict[str, object]:
    """The line of a request that is over."""

    def find() -> dict[str, object] | None:
        lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
        return next((line for line in lines if line["event"] == "request" and line["path"] == path), None)

    found: dict[str, object] = wait_for(find, f"the line of {path}")
    return found


def resident_mib(server: Running) -> float:
    """The memory of the largest process."""
    return max(child.memory_info().rss for child in server.workers()) / 2**20
