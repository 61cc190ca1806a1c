"""An app that lets everybody in, so that it is the gate that refuses: `gatepost serve`, ready for raw bytes."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.acceptance.conftest import Running

from gatepost.auth.keys import KEY_FILE, development_key

APP = '''
"""A table that everybody may read and write, and an application beside it that repeats what it was sent."""
import json

from sqlalchemy import ARRAY, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import App, Model, Resource, anyone


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]
    document: Mapped[object | None] = mapped_column(JSONB)
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))


class Small(Model):
    __tablename__ = "smalls"
    title: Mapped[str]
    document: Mapped[object | None] = mapped_column(JSONB)


async def echo(scope, receive, send):
    """Repeats method, path, headers, client and body as JSON; `?bytes=` asks for a response of that many."""
    query = scope["query_string"]
    body = b""
    if any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"]):
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
    said = {
        "method": scope["method"],
        "path": scope["path"],
        "client": scope["client"][0],
        "scheme": scope["scheme"],
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
        "body": body.decode("latin-1"),
    }
    sent = b"x" * int(query[6:]) if query.startswith(b"bytes=") else json.dumps(said).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": sent})


app = App(
    Resource(Note, read=anyone, write=anyone),
    Resource(Small, read=anyone, write=anyone, body_bytes_max=300, json_depth_max=2, json_items_max=3),
    mount={"/echo": echo},
)
'''

MIGRATE = """
import asyncio, sys
from app import app
from gatepost.migrations.safe_changes import apply_lossless
asyncio.run(apply_lossless(sys.argv[1], app.metadata))
"""


@contextlib.contextmanager
def serving(folder: Path, database_url: str, *options: str, **settings: str) -> Iterator[Running]:
    """`gatepost serve` with this app in a folder, on an empty database; limits are out of the way."""
    (folder / "app.py").write_text(APP)
    migrate(folder, database_url)
    development_key(folder)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEPOST", "DATABASE_URL"))}
    environ = {
        **kept,
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "DATABASE_URL": database_url,
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "GATEPOST_LIMIT_API": "1000000000",
        "GATEPOST_SIGNING_KEY_FILE": str(folder / KEY_FILE),
        **settings,
    }
    server = Running(["serve", "--port", "0", *options], folder, environ, "raw_http_server")
    try:
        yield server.ready()
    finally:
        server.close()


def migrate(folder: Path, database_url: str) -> None:
    """Bring a database to the models of the app in a folder, in another process: `gatepost.Model` has one metadata."""
    subprocess.run([sys.executable, "-c", MIGRATE, database_url], cwd=folder, check=True)
