"""Every kind of answer of a running `gatepost serve`, byte by byte: its headers, and what they give away."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.acceptance.answer_kinds import KINDS, Kind
from tests.acceptance.conftest import Running

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.database.embedded import EmbeddedPostgreSQL

HERE = Path(__file__).parent
VOLATILE = {"date", "x-request-id", "ratelimit", "ratelimit-policy", "content-length"}


@dataclass
class Site:
    """The running server, and what its requests name."""

    port: int
    names: dict[str, str]

    def ask(self, kind: Kind) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, header lines and body of one answer."""
        method, path = kind.request.format(**self.names).split(" ", 1)
        lines = [f"{method} {path} HTTP/1.1", "host: shop.example", "connection: close"]
        lines += [line.format(**self.names) for line in kind.headers]
        if kind.body:
            lines.append(f"content-length: {len(kind.body)}")
        with socket.create_connection(("127.0.0.1", self.port), 20) as client:
            client.sendall(("\r\n".join(lines) + "\r\n\r\n" + kind.body).encode())
            received = b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = received.partition(b"\r\n\r\n")
        status, *headers = head.decode("latin-1").split("\r\n")
        pairs = [line.partition(": ")[::2] for line in headers]
        return int(status.split()[1]), [(name.lower(), value) for name, value in pairs], body


@pytest.fixture(scope="module")
def site(postgresql: EmbeddedPostgreSQL, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app, served in production, with short deadlines."""
    folder: Path = tmp_path_factory.mktemp("answers")
    shutil.copy(HERE / "answers_app.py", folder / "app.py")
    shutil.copy(HERE / "answers_setup.py", folder / "setup.py")
    name = f"answers_{uuid.uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name}")
    development_key(folder)
    environ = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("GATEPOST", "DATABASE_URL"))},
        "DATABASE_URL": postgresql.dsn(name),
        "GATEPOST_SIGNING_KEY_FILE": str(folder / KEY_FILE),
        "GATEPOST_LIMIT_API": "100000",
        "GATEPOST_BODY_SECONDS": "0.3",
        "GATEPOST_REQUEST_SECONDS": "2",
        "GATEPOST_CORS_ORIGINS": "https://shop.example",
    }
    setup = [sys.executable, "setup.py"]
    printed = subprocess.run(setup, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    server = Running(["serve", "--port", "0"], folder, environ, "serve")
    try:
        yield Site(server.ready().port, json.loads(printed.stdout))
    finally:
        server.close()
        postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_an_answer_carries_the_headers_of_its_kind_and_nothing_that_names_a_version(site: Site, kind: Kind) -> None:
    for _ in range(kind.asked_before):
        site.ask(kind)
    status, pairs, body = site.ask(kind)
    assert status == kind.status, body
    names = [name for name, _ in pairs]
    assert {name for name in names if names.count(name) > 1} <= {"vary"}

    headers = dict(pairs)
    headers["vary"] = ", ".join(sorted(value for name, value in pairs if name == "vary"))
    expected = kind.expected()
    assert headers.keys() - VOLATILE == expected.keys()
    assert [name for name, value in expected.items() if not re.fullmatch(value, headers[name])] == []
    assert "x-request-id" in headers
    assert ("ratelimit" in headers) == ("ratelimit-policy" in headers) == kind.is_limited

    given_away = f"{headers} {body.decode('latin-1')}"
    assert not re.search(r"granian|hyper|python|leaky|secret|traceback|\.py\b", given_away, re.IGNORECASE)
    if kind.request.startswith("HEAD") or status in (204, 304):
        assert body == b""
