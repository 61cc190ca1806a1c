"""Clients that take their time: heads, bodies and connections that lead nowhere are ended; others do not notice."""

import time
from collections.abc import Iterator

import pytest
from tests.acceptance.conftest import Running
from tests.acceptance.raw_http import Connection, request
from tests.acceptance.raw_http_server import serving

JSON = "content-type: application/json"


@pytest.fixture(scope="module")
def hasty(raw_http_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server of little patience: a second for a head and for an idle connection, half of one for a body's part."""
    settings = {"GATEPOST_HEADER_SECONDS": "1", "GATEPOST_BODY_SECONDS": "0.5", "GATEPOST_REQUEST_SECONDS": "1.5"}
    with serving(tmp_path_factory.mktemp("hasty"), raw_http_database_url, **settings) as server:
        yield server


def seconds_until_closed(connection: Connection, drip: bytes = b"") -> float:
    """How long the server keeps the connection, while a byte of `drip` is sent every 0.1 s."""
    began = time.monotonic()
    connection.socket.settimeout(0.1)
    while time.monotonic() - began < 5:
        try:
            if not connection.socket.recv(65_536):
                break
        except TimeoutError:
            connection.send(drip[:1])
            drip = drip[1:] + drip[:1]
        except ConnectionError:
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"", b""),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b""),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: ", b"y"),
        (b"", b"\r\n"),
        (request("GET", "/livez"), b""),
    ],
    ids=["silent", "half a head", "a head in drops", "empty lines", "idle"],
)
def test_a_connection_without_a_request_is_closed(hasty: Running, sent: bytes, drip: bytes) -> None:
    with Connection(hasty.port) as connection:
        connection.send(sent)
        assert 0.5 < seconds_until_closed(connection, drip) < 3


def test_a_body_in_drops_is_given_up(hasty: Running) -> None:
    with Connection(hasty.port) as connection:
        connection.send(request("POST", "/api/notes", JSON, "content-length: 1000"))
        assert 1 < seconds_until_closed(connection, b"x") < 3.5


@pytest.mark.parametrize(("target", "kind"), [("/api/notes", JSON), ("/echo", "content-type: text/plain")])
def test_a_body_that_stalls_is_given_up(hasty: Running, target: str, kind: str) -> None:
    with Connection(hasty.port) as connection:
        connection.send(request("POST", target, kind, "content-length: 1000") + b"{")
        response = connection.receive("POST")
        assert response is not None
        assert (response.status, response.code, response.headers["connection"]) == (408, "body_timeout", "close")


def test_a_body_that_nobody_wants_is_not_waited_for(hasty: Running) -> None:
    with Connection(hasty.port) as connection:
        connection.send(request("POST", "/nothing", JSON, "content-length: 100000"))
        response = connection.receive("POST")
        assert response is not None
        assert response.status == 404
        assert seconds_until_closed(connection, b"x") < 3


def test_silent_connections_stand_in_nobodys_way(hasty: Running) -> None:
    silent = [Connection(hasty.port) for _ in range(200)]
    try:
        with Connection(hasty.port, 1) as connection:
            connection.send(request("GET", "/livez"))
            response = connection.receive()
            assert response is not None
            assert response.status == 200
    finally:
        for connection in silent:
            connection.socket.close()
