"""The app of `responses_app.py`, served in production on a database of its own, with short deadlines."""

import json
import os
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.conftest import Running
from tests.acceptance.response_kinds import Kind

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

HERE = Path(__file__).parent


@dataclass
class Site:
    """The running server, and what its requests name."""

    port: int
    names: dict[str, str]

    def ask(self, kind: Kind) -> tuple[int, list[tuple[str, str]], bytes]:
        """Status, header lines and body of one response."""
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


@contextmanager
def serving(postgresql: EmbeddedPostgreSQL, folder: Path) -> Iterator[Site]:
    """The running site, for the length of a block."""
    shutil.copy(HERE / "responses_app.py", folder / "app.py")
    shutil.copy(HERE / "responses_setup.py", folder / "setup.py")
    name = f"responses_{uuid.uuid4().hex}"
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
