"""Files of a real server: large ones in parts, ranges, and clients that read nothing."""

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.acceptance.conftest import Running, wait_for

APP = """
from pathlib import Path

from sqlalchemy.orm import Mapped

from gatepost import App, Controller, File, Model, Resource, anyone, get


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Films(Controller):
    path = "films"

    @get("/{name}", allow=anyone)
    async def film(self, name: str) -> File:
        return File(Path(name), root=Path("films"))


app = App(Resource(Note, read=anyone), controllers=[Films])
"""
MIB = 2**20
SIZE_MIB = 64


@pytest.fixture
def filming(project: Path, production: Mapping[str, str]) -> Mapping[str, str]:
    """The environment of a server for APP, with one large file."""
    (project / "app.py").write_text(APP)
    (project / "films").mkdir()
    part = hashlib.sha512(b"film").digest() * (MIB // 64)
    with (project / "films" / "long.bin").open("wb") as film:
        for number in range(SIZE_MIB):
            film.write(bytes([number]) + part[1:])
    return {**production, "GATEPOST_LIMIT_API": "100000", "GATEPOST_BODY_SECONDS": "2"}


@pytest.fixture
def server(start: Callable[..., Running], filming: Mapping[str, str]) -> Running:
    """A server with one worker."""
    return start("serve", "--port", "0", "--workers", "1", environ=filming).ready()


def get(server: Running, path: str, **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    """The response to a GET, and its body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response, response.read()


def test_a_large_file_is_sent_whole_and_in_ranges(server: Running) -> None:
    content = (server.folder / "films" / "long.bin").read_bytes()
    whole, body = get(server, "/api/films/long.bin")
    part, middle = get(server, "/api/films/long.bin", range=f"bytes={MIB - 2}-{3 * MIB}")
    again, nothing = get(server, "/api/films/long.bin", **{"if-none-match": whole.headers["etag"]})

    assert (whole.status, whole.headers["content-length"]) == (200, str(len(content)))
    assert body == content
    assert (part.status, middle) == (206, content[MIB - 2 : 3 * MIB + 1])
    assert (again.status, nothing) == (304, b"")


def test_clients_that_read_nothing_take_neither_memory_nor_files(server: Running) -> None:
    before = resident_mib(server)
    with contextlib.ExitStack() as clients:
        for _ in range(8):
            client = clients.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            client.sendall(b"GET /api/films/long.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        assert server.get("/api/notes")[0] == 200
        wait_for(lambda: server.output.count('"code":"body_timeout"') == 8, "the ends of the responses")

    assert resident_mib(server) - before < 60
    assert not any("long.bin" in opened.path for child in server.workers() for opened in child.open_files())


def resident_mib(server: Running) -> float:
    """The memory of the largest process."""
    return max(child.memory_info().rss for child in server.workers()) / MIB
