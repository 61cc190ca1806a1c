"""Requests whose end two readers could see in different places: what is refused where, alone and behind HAProxy.

The table is that of `docs/reference/malformed-requests.md`.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.acceptance.conftest import Running, wait_for
from tests.acceptance.raw_http_server import serving
from tests.conftest import FAST_AND_FORGETFUL
from tests.ports import free_port

from gatepost.balancer.haproxy import HAProxy
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "malformed-requests.md"
QUIET_SECONDS = 1.0

HEAD = b"POST /api/notes HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
BODY = b'{"title": "x"}'
CHUNKS = b"e\r\n" + BODY + b"\r\n0\r\n\r\n"
LENGTH, CHUNKED = b"Content-Length: 14\r\n", b"Transfer-Encoding: chunked\r\n"
GET = b"GET /api/notes HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"GET /api/auth/me HTTP/1.1\r\nHost: x\r\n\r\n"
"""Behind the end that one reader sees, within the body that the other sees: it would be a 401."""


class Kind(NamedTuple):
    """A request as bytes, and who refuses it: alone, and behind HAProxy. Else "served"."""

    sent: bytes
    alone: str
    balanced: str


KINDS = {
    "`Content-Length` and `Transfer-Encoding`": Kind(
        HEAD + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n" + CHUNKS + SMUGGLED, "served", "served"
    ),
    "two different `Content-Length`": Kind(
        HEAD + LENGTH + b"Content-Length: 13\r\n\r\n" + BODY + SMUGGLED, "server", "HAProxy"
    ),
    "`Content-Length: +14`, `0x0e`, or empty": Kind(HEAD + b"Content-Length: +14\r\n\r\n" + BODY, "server", "HAProxy"),
    "`Transfer-Encoding: xchunked`, or any that does not end in `chunked`": Kind(
        HEAD + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS, "server", "HAProxy"
    ),
    "`Transfer-Encoding: gzip, chunked`, or `chunked` twice": Kind(
        HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS, "gate", "HAProxy"
    ),
    "`Transfer-Encoding` in HTTP/1.0": Kind(
        HEAD.replace(b"/1.1", b"/1.0") + CHUNKED + b"\r\n" + CHUNKS, "server", "server"
    ),
    "a chunk size that is not hexadecimal": Kind(
        HEAD + CHUNKED + b"\r\n" + b"0x" + CHUNKS + SMUGGLED, "gate", "HAProxy"
    ),
    "a chunk size that ends in a bare line feed": Kind(
        HEAD + CHUNKED + b"\r\n" + CHUNKS.replace(b"\r\n", b"\n"), "gate", "served"
    ),
    "a body of GET, HEAD, DELETE or OPTIONS": Kind(
        GET + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED, "gate", "gate"
    ),
    "a header line that ends in a bare line feed": Kind(GET[:-2] + b"\nX-A: b\n\r\n", "served", "served"),
    "a bare carriage return in a header": Kind(GET + b"X-A: b\rX-B: c\r\n\r\n", "server", "HAProxy"),
    "a folded header line": Kind(GET + b"X-A: b\r\n c\r\n\r\n", "server", "served"),
    "NUL or another control character in a value": Kind(GET + b"X-A: b\0c\r\n\r\n", "server", "server"),
    "a space before the colon": Kind(GET + b"Transfer-Encoding : chunked\r\n\r\n", "server", "HAProxy"),
    "two `Host`": Kind(GET + b"Host: y\r\n\r\n", "gate", "HAProxy"),
    "an absolute target of another host than `Host`": Kind(
        GET.replace(b"/api", b"http://other.example/api") + b"\r\n", "served", "HAProxy"
    ),
}
"""By the words of the page."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("malformed")
    with (
        EmbeddedPostgreSQL(folder / "postgresql", settings=FAST_AND_FORGETFUL) as postgresql,
        serving(folder, postgresql.dsn("postgres")) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def balanced_port(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of HAProxy in front of the server, configured as the deployed one."""
    with HAProxy({"shop": f"127.0.0.1:{server.port}"}, free_port(), tmp_path_factory.mktemp("haproxy")) as balancer:
        wait_for(lambda: balancer.states() == {"shop": "UP"}, "the instance to be known as ready")
        yield balancer.port


def received(port: int, sent: bytes) -> bytes:
    """All that comes back, until the connection is closed or nothing more comes."""
    found = b""
    with socket.create_connection(("127.0.0.1", port), QUIET_SECONDS) as connection, contextlib.suppress(TimeoutError):
        connection.sendall(sent)
        while data := connection.recv(65_536):
            found += data
    return found


def refused_by(response: bytes) -> str:
    """Who has made this response."""
    status = response[9:12]
    if status in {b"200", b"201"}:
        return "served"
    if b'"code":"malformed_request"' in response:
        return "gate"
    # The HTTP library of the server says so in other words than HAProxy, and without a body.
    return "server" if response.startswith(b"HTTP/1.1 400 Bad Request\r\n") else "HAProxy"


def check(response: bytes, by: str) -> None:
    assert refused_by(response) == by, response
    assert re.findall(rb"^HTTP/1\.1 (?!100)", response, re.M) == [b"HTTP/1.1 "], "one request, one response"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_the_server_refuses_alone(server: Running, kind: Kind) -> None:
    check(received(server.port, kind.sent), kind.alone)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_what_is_refused_behind_haproxy(balanced_port: int, kind: Kind) -> None:
    check(received(balanced_port, kind.sent), kind.balanced)


@pytest.mark.parametrize("order", [(LENGTH, CHUNKED), (CHUNKED, LENGTH)], ids=["length first", "chunked first"])
def test_both_lengths_end_the_connection_alone_and_behind_haproxy(
    server: Running, balanced_port: int, order: tuple[bytes, bytes]
) -> None:
    for port in (server.port, balanced_port):
        with socket.create_connection(("127.0.0.1", port), 10.0) as connection:
            connection.sendall(HEAD + b"".join(order) + b"\r\n" + CHUNKS + SMUGGLED)
            found = b""
            while data := connection.recv(65_536):  # it is closed, else this would time out
                found += data
        assert found.startswith(b"HTTP/1.1 201 ")
        assert b"401" not in found[9:].split(b"\r\n\r\n")[0]
        assert found.count(b"HTTP/1.1 ") == 1


def test_haproxy_forwards_no_length_beside_chunks(tmp_path: Path) -> None:
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=keep_writes, args=[listener, seen], daemon=True).start()
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with HAProxy({"shop": address}, free_port(), tmp_path / "haproxy") as balancer:
            wait_for(lambda: balancer.states() == {"shop": "UP"}, "the instance")
            received(balancer.port, HEAD + b"Content-Length: 3\r\n" + CHUNKED + b"\r\n" + CHUNKS)
    [request] = seen
    assert b"transfer-encoding: chunked" in request.lower()
    assert b"content-length" not in request.lower()
    assert request.lower().endswith(b"\r\n\r\n" + CHUNKS)


def keep_writes(listener: socket.socket, seen: list[bytes]) -> None:
    """Respond 200 to whatever comes, until the listener is closed, and keep each POST as it came."""
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection:
                request = connection.recv(65_536)
                if request.startswith(b"POST"):
                    while not request.endswith(b"0\r\n\r\n"):
                        request += connection.recv(65_536)
                    seen.append(request)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


def test_the_page_says_what_these_tests_see() -> None:
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \|$", PAGE.read_text(), re.M)[2:]
    said = {what: (alone.partition(":")[0], balanced.partition(":")[0]) for what, alone, balanced in rows}
    assert said == {what: (kind.alone, kind.balanced) for what, kind in KINDS.items()}
