"""The history and the changes of a server whose PostgreSQL is stopped for half a minute under load, whose monitor is
killed meanwhile, and which is then started again as another release on a migrated database."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Command, Running, Start, monitor_of, wait_for
from tests.conftest import FAST_AND_FORGETFUL
from tests.memory_folder import memory_folder

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.monitor.request_sums import sums_by_operation
from gatepost.record_tables import RECORD_TABLES
from gatepost.records.step_decoding import decoded
from gatepost.records.steps import Step

LIST = "notes.list"
AWAY_SECONDS = 30.0
STARTED_SECONDS = 25.0
"""How long after the start of a step it is in the database, on a busy machine."""


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgreSQL]:
    """A server of its own, because it is stopped."""
    with (
        memory_folder(tmp_path_factory.mktemp("postgresql")) as folder,
        EmbeddedPostgreSQL(folder, settings=FAST_AND_FORGETFUL) as server,
    ):
        yield server


@pytest.fixture
def database_url(postgresql: EmbeddedPostgreSQL) -> str:
    """A database with the tables of monitors, and at a revision."""
    postgresql.execute("CREATE DATABASE watched")
    statements = ["CREATE SCHEMA gatepost", *(each for table in RECORD_TABLES.values() for each in table.create)]
    statements += ["CREATE TABLE alembic_version (version_num text)", "INSERT INTO alembic_version VALUES ('aaa1')"]
    postgresql.execute(";".join(statements), database="watched")
    return postgresql.dsn("watched")


class Load:
    """Asks for notes, without end; `statuses` counts the responses."""

    def __init__(self, server: Running) -> None:
        self.statuses: Counter[int] = Counter()
        self._server = server
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ends.wait(0.3):
            with suppress(OSError):
                self.statuses[self._server.get("/api/notes")[0]] += 1


def page(environ: dict[str, str], path: str) -> httpx.Response:
    """A page of the admin socket."""
    transport = httpx.HTTPTransport(uds=environ["GATEPOST_ADMIN_SOCKET"])
    with httpx.Client(transport=transport, base_url="http://admin", timeout=SECONDS_MAX) as client:
        return client.get(path)


def kinds(environ: dict[str, str]) -> list[str]:
    """The kinds of the changes, the oldest first."""
    return [each["kind"] for each in page(environ, "/changes").json()["changes"]][::-1]


def test_an_outage_leaves_no_gap_and_changes_tell_the_story(
    start: Start, production: dict[str, str], tmp_path: Path, command: Command, postgresql: EmbeddedPostgreSQL
) -> None:
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "GATEPOST_RECORDS_FOLDER": str(tmp_path / "records"),
        "GATEPOST_INSTANCE": "here",
        "GATEPOST_RELEASE": "one",
    }
    assert urlsplit(production["DATABASE_URL"]).path == "/watched"
    server = start("serve", "--port", "0", environ=environ).ready()

    def top(*words: str) -> Any:
        done = command("top", *words, "--json", environ=environ)
        assert done.returncode in {0, 1}, done.stderr
        return json.loads(done.stdout)

    def rows() -> list[Step]:
        text = postgresql.execute(
            "SELECT encode(data, 'hex') FROM gatepost.history WHERE step_seconds = 10 ORDER BY at", database="watched"
        )
        return [decoded(bytes.fromhex(line)) for line in text.split()]

    with Load(server) as load:
        wait_for(rows, "the first step")
        postgresql.stop()
        stopped_at = time.time()
        wait_for(lambda: load.statuses[503] > 8, f"responses 503: {load.statuses}")
        shown = top()
        assert shown["status"] != "ok"
        assert shown["errors"] > 0
        assert "fail (5xx)" in json.dumps(shown["problems"]) or shown["status"] == "down"
        assert command("top", environ=environ).returncode == 1
        assert page(environ, "/metrics").status_code == 200
        assert [each["name"] for each in top("instances")["instances"]] == ["here"]
        monitor_of(server).kill()
        wait_for(lambda: time.time() > stopped_at + AWAY_SECONDS, "the end of the outage")
        shown = top()
        assert shown["errors"] > 8
        assert "cannot" in shown["records"] or "refused" in shown["records"] or "stay" in shown["records"]
        postgresql.start()
        started_at = time.time()
        served = load.statuses[200]
        wait_for(lambda: load.statuses[200] > served, "the database")
        wait_for(lambda: rows()[-1].until > started_at + STARTED_SECONDS, "a step after it")
    statuses = load.statuses
    server.send(signal.SIGHUP)
    wait_for(lambda: "SIGHUP" in page(environ, "/changes").text, "the reload")
    server.send(signal.SIGTERM)
    assert server.wait() == 0

    found = rows()
    assert found[0].since < stopped_at - 1
    for earlier, later in pairwise(found):
        assert abs(later.since - earlier.until) < 0.01
    figures = sums_by_operation(found)[LIST].figures()
    # Whether a client was still there when its response was made is known to the server alone.
    assert abs(figures.requests - statuses.total()) <= 3
    assert abs(figures.errors - statuses[503]) <= 3
    minutes = postgresql.execute("SELECT count(*) FROM gatepost.history WHERE step_seconds = 60", database="watched")
    assert int(minutes) >= 1
    check_next_release({**environ, "GATEPOST_RELEASE": "two"}, start, postgresql)


def check_next_release(environ: dict[str, str], start: Start, postgresql: EmbeddedPostgreSQL) -> None:
    """Start it again: all changes are there, in their order, and a migration is noticed."""
    start("serve", "--port", "0", environ=environ).ready()
    wait_for(lambda: "release" in kinds(environ), "the other release")
    postgresql.execute("UPDATE alembic_version SET version_num = 'bbb2'", database="watched")
    wait_for(lambda: "bbb2" in page(environ, "/changes").text, "the migration")
    said = kinds(environ)
    order = [said.index(kind) for kind in ("start", "database", "monitor_death", "reload", "stop", "release")]
    assert order == sorted(order)
    in_database = postgresql.execute("SELECT kind FROM gatepost.changes", database="watched").split()
    assert {"start", "stop", "reload", "monitor_death", "database"} <= set(in_database)
