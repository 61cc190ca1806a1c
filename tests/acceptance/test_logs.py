"""What a server writes: the lines of a user's service belong to the request that caused them."""

import http.client
import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.conftest import Command, Running, Start, wait_for
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


def records(folder: Path, log: str) -> list[dict[str, Any]]:
    """The lines of a log file."""
    return [json.loads(line) for line in (folder / f"{log}.log").read_bytes().splitlines()]


def requests_in(path: Path) -> set[str]:
    """The ids of the requests whose access lines are in a file that is written."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return {line["request_id"] for line in lines if line["category"] == "access"}


def test_files_get_every_line_of_every_process_whatever_stdout_gets(
    start: Start, migrated: Environ, tmp_path: Path
) -> None:
    folder = tmp_path / "logs"
    environ = {**migrated, "GATEPOST_LOG": "none", "GATEPOST_LOG_FOLDER": str(folder), "GATEPOST_WORKERS": "2"}
    server = start("serve", "--port", "0", environ=environ).ready()
    ids = [create(server, f"title {number}") for number in range(20)]
    wait_for(lambda: set(ids) <= requests_in(folder / "combined.log"), "all lines of requests, which are the last")
    server.workers()[0].kill()
    wait_for(lambda: "worker_died" in (folder / "error.log").read_text(), "the line of the master")
    for _ in range(8):
        sign_in_wrongly(server)
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    assert "request" not in server.output
    combined = records(folder, "combined")
    requests = [line["request_id"] for line in combined if line["category"] == "access" and line["method"] == "POST"]
    assert set(ids) <= set(requests)
    noted = [line for line in combined if line["event"].startswith("noted title")]
    assert [(line["source"], line["category"]) for line in noted] == [("shop", "application")] * 20
    # Until it was ready it may have responded 503, which is an error.
    errors = [line for line in records(folder, "error") if line.get("path") != "/readyz"]
    assert [line["event"] for line in errors] == ["worker_died"]
    security = records(folder, "security")
    assert {line["event"] for line in security} == {"sign_in_failed", "limit_exceeded"}
    failed = [line for line in security if line["event"] == "sign_in_failed"]
    # Five attempts are admitted, by whichever worker: in each the first is written, and how many followed at its end.
    assert sum(line.get("repeated", 1) for line in failed) == 5
    assert all(line["source"] == "accounts" for line in failed)


def sign_in_wrongly(server: Running) -> None:
    """One attempt with a password that is not the user's."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    body = json.dumps({"email": "ada@example.com", "password": "not this one"})
    connection.request("POST", "/api/auth/login", body, {"content-type": "application/json"})
    assert connection.getresponse().status in {401, 429}
    connection.close()


def test_gatepost_logs_prints_what_is_asked_for(
    start: Start, migrated: Environ, tmp_path: Path, command: Command
) -> None:
    folder = tmp_path / "logs"
    environ = {**migrated, "GATEPOST_LOG_FOLDER": str(folder)}
    server = start("serve", "--port", "0", environ=environ).ready()
    request_id = create(server, "first")
    create(server, "second")
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    found = command("logs", "--request", request_id, "--json", environ=environ)
    events = [json.loads(line)["event"] for line in found.stdout.splitlines()]
    assert sorted(events) == ["committed first", "noted again", "noted first", "request"]
    shown = command("logs", "--category", "access", "-n", "1", environ=environ).stdout
    assert re.fullmatch(r"\S+Z info     201 POST /api/notes \d+\.\d ms client=127\.0\.0\.1 \[\S+\]\n", shown)
    assert command("logs", "--client", "127.0.0.0/8", "-n", "1", environ=environ).stdout == shown
    none = command("logs", "--client", "192.0.2.1", environ=environ)
    assert (none.returncode, none.stdout, "No line" in none.stderr) == (0, "", True)
    for wrong in (("--since", "never"), ("--client", "nobody")):
        assert command("logs", *wrong, environ=environ).returncode == 2
    missing = command("logs", "--folder", str(tmp_path / "none"), environ=environ)
    assert missing.returncode == 2
    assert "GATEPOST_LOG_FOLDER" in missing.stderr


def test_a_folder_that_cannot_be_written_refuses_the_start(start: Start, migrated: Environ, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    server = start("serve", "--port", "0", environ={**migrated, "GATEPOST_LOG_FOLDER": str(tmp_path / "file")})
    assert server.wait() == 2
    assert "GATEPOST_LOG_FOLDER" in server.output
