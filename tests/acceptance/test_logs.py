"""What a server writes: the lines of a user's service belong to the request that caused them."""

import http.client
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.acceptance.conftest import Running, Start, wait_for
from tests.acceptance.raw_http_server import migrate
from tests.databases import Databases

Environ = dict[str, str]
APP = '''
"""A service that logs as any Python code does, and a job that no request has asked for."""
import asyncio
import logging

import structlog
from sqlalchemy.orm import Mapped

from gatepost import Actor, App, Model, Resource, Service, anyone


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Notes(Service[Note]):
    async def before_create(self, draft: Note, actor: Actor) -> None:
        await asyncio.sleep(0.01)
        logging.getLogger("shop").info("noted %s", draft.title)
        structlog.get_logger("shop").warning("noted again", title=draft.title)
        self.after_commit(lambda: logging.getLogger("shop").info("committed %s", draft.title))


app = App(Resource(Note, read=anyone, write=anyone, service=Notes))
'''


@pytest.fixture(scope="module")
def migrated_url(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a database with the tables of APP."""
    folder = tmp_path_factory.mktemp("notes")
    (folder / "app.py").write_text(APP)
    with databases.opened() as url:
        migrate(folder, url)
        yield url


@pytest.fixture
def migrated(project: Path, production: Environ, migrated_url: str) -> Environ:
    """The environment of a server for APP on that database."""
    (project / "app.py").write_text(APP)
    return {**production, "DATABASE_URL": migrated_url}


def create(server: Running, title: str) -> str:
    """Create a note; the id of the request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/api/notes", json.dumps({"title": title}), {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.status == 201, response.read()
    connection.close()
    return response.getheader("x-request-id", "")


def test_lines_of_a_service_carry_the_id_of_their_request(start: Start, migrated: Environ) -> None:
    server = start("serve", "--port", "0", environ=migrated).ready()
    ids = {title: create(server, title) for title in ("first", "second")}
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    lines = [json.loads(line) for line in server.output.splitlines() if line.startswith("{")]
    for title, request_id in ids.items():
        events = [line["event"] for line in lines if line.get("request_id") == request_id]
        assert sorted(events) == sorted([f"noted {title}", "noted again", f"committed {title}", "request"])


def test_lines_of_a_service_carry_the_id_in_the_console_too(start: Start, migrated: Environ) -> None:
    server = start("serve", "--port", "0", environ={**migrated, "GATEPOST_LOG": "console"}).ready()
    request_id = create(server, "first")
    wait_for(lambda: f"[{request_id}]" in server.output, "the access line")
    assert re.search(rf"info +shop: noted first request_id={re.escape(request_id)}$", server.output, re.M)
    assert re.search(rf"warning shop: noted again .*request_id={re.escape(request_id)}", server.output)
