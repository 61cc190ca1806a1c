"""Clients that ask for large pages and read nothing: a worker's memory stays bounded, and it goes on serving."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psutil
import pytest
from tests.acceptance.conftest import Running, wait_for
from tests.databases import Databases

APP = """
from sqlalchemy.orm import Mapped

from gatepost import App, Model, Resource, anyone


class Document(Model):
    __tablename__ = "documents"
    text: Mapped[str]


class Tag(Model):
    __tablename__ = "tags"
    number: Mapped[int]


app = App(Resource(Document, read=anyone), Resource(Tag, read=anyone))
"""
SETUP = """
import asyncio, os
from app import Document, app
from gatepost.testing import TestApp

async def main():
    async with TestApp(app, os.environ["DATABASE_URL"]):
        async with app.transaction() as tx:
            tx.session.add_all([Document(text="x" * 1_000_000) for _ in range(9)])

asyncio.run(main())
"""
PAGE_MIB = 8
SYSTEM_MIB = 5
"""What the system and the server keep of a response beside our body, at most (net.ipv4.tcp_wmem)."""

PENDING_MIB_MAX = 256
SERVED_MAX = PENDING_MIB_MAX // PAGE_MIB + 2
CLIENTS = SERVED_MAX + 20
RESIDENT_MIB_MAX = 110 + SERVED_MAX * PAGE_MIB + 8 * PAGE_MIB
"""The worker, the pages that are pending, and pages that are being made; those of all clients would be more."""


@pytest.fixture(scope="module")
def filled_url(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a database with documents for one large page."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "app.py").write_text(APP)
    with databases.opened() as url:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEPOST")}
        environ = {**kept, "DATABASE_URL": url, "PYTHONPATH": "."}
        subprocess.run([sys.executable, "-c", SETUP], cwd=folder, env=environ, check=True)
        yield url


@pytest.fixture
def filled(project: Path, production: Mapping[str, str], filled_url: str) -> Mapping[str, str]:
    """The environment of a server for APP on that database."""
    (project / "app.py").write_text(APP)
    return {**production, "DATABASE_URL": filled_url}


def ask(port: int) -> socket.socket:
    """A client that has asked for a page. The system holds next to nothing of it for such a window."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.connect(("127.0.0.1", port))
    client.sendall(b"GET /api/documents HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\n\r\n")
    return client


def resident_mib(server: Running) -> float:
    processes = [server.process.pid, *(child.pid for child in psutil.Process(server.process.pid).children())]
    return max(psutil.Process(pid).memory_info().rss for pid in processes) / 2**20


def test_clients_that_read_nothing_do_not_fill_the_memory(
    start: Callable[..., Running], filled: Mapping[str, str]
) -> None:
    settings = {
        "GATEPOST_LIMIT_API": "100000",
        "GATEPOST_BODY_SECONDS": "120",
        "GATEPOST_PAGE_BYTES_MAX": str(PAGE_MIB * 2**20),
        "GATEPOST_DATABASE_POOL_SIZE": "4",
    }
    server = start("serve", "--port", "0", "--workers", "1", environ={**filled, **settings})
    port = server.ready().port
    statuses: list[bytes] = []
    with contextlib.ExitStack() as clients:
        for _ in range(CLIENTS):
            client = clients.enter_context(ask(port))
            statuses.append(client.recv(12))
        refused = statuses.count(b"HTTP/1.1 503")
        assert statuses.count(b"HTTP/1.1 200") + refused == CLIENTS
        assert CLIENTS - SERVED_MAX <= refused <= CLIENTS - PENDING_MIB_MAX // PAGE_MIB
        assert resident_mib(server) < RESIDENT_MIB_MAX
        assert server.get("/api/tags")[0] == 200
    wait_for(lambda: server.responds("/api/documents", 200), "the memory of clients that have gone")


def test_a_client_that_reads_nothing_is_cut_off(start: Callable[..., Running], filled: Mapping[str, str]) -> None:
    settings = {"GATEPOST_BODY_SECONDS": "0.5", "GATEPOST_PAGE_BYTES_MAX": str(PAGE_MIB * 2**20)}
    server = start("serve", "--port", "0", "--workers", "1", environ={**filled, **settings})
    with ask(server.ready().port) as client:
        began = time.monotonic()
        assert client.recv(12) == b"HTTP/1.1 200"
        wait_for(lambda: "/api/documents" in server.output, "the line of the request")
        assert time.monotonic() - began < 30
        received = 0
        with contextlib.suppress(ConnectionError):
            while part := client.recv(1_000_000):
                received += len(part)
        assert received < SYSTEM_MIB * 2**20
    assert "Traceback" not in server.output
