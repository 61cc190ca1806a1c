"""PostgreSQL is stopped while clients ask: what operators see meanwhile, who is told, and what is known of it later."""

import json
import os
import re
import threading
import time
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.conftest import NOTES, Command, Running, Start, wait_for
from tests.memory_folder import memory_folder
from tests.receivers import receiving

from gatepost.auth.keys import KEY_FILE, development_key
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.record_tables import RECORD_TABLES

AWAY_SECONDS = float(os.environ.get("GATEPOST_AWAY_SECONDS", "45"))
"""How long it is stopped."""
TOLD_SECONDS_MAX = 60.0
STEP_SECONDS = 10
REQUESTS_A_SECOND = 20
PAGES = (
    *("state", "history?since=1h", "traffic?since=1h", "heat?since=1h", "errors", "clients"),
    *("logs", "logs/histogram?since=1h", "system"),
)
"""What the pages Now, Traffic, Errors, Clients, Logs and System ask for."""
Environ = dict[str, str]


@pytest.fixture
def own_postgresql(tmp_path: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server that the test may stop."""
    with memory_folder(tmp_path / "cluster") as folder, EmbeddedPostgreSQL(folder) as server:
        server.execute(NOTES)
        tables = (each for table in RECORD_TABLES.values() for each in table.create)
        server.execute(";".join(["CREATE SCHEMA gatepost", *tables]))
        yield server


class Load:
    """A client that asks for notes, so many times a second: how often it got which status since it was last asked."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self._statuses: Counter[int] = Counter()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def statuses(self) -> Counter[int]:
        """Those since the last time."""
        found, self._statuses = self._statuses, Counter()
        return found

    def _run(self) -> None:
        while not self._over.wait(1 / REQUESTS_A_SECOND):
            self._statuses[self._server.get("/api/notes")[0]] += 1


def test_a_stopped_database_is_seen_told_and_remembered(
    start: Start, environ: Environ, tmp_path: Path, command: Command, own_postgresql: EmbeddedPostgreSQL
) -> None:
    development_key(tmp_path)
    with receiving() as received:
        settings = {
            **environ,
            "DATABASE_URL": own_postgresql.dsn("postgres"),
            "GATEPOST_SIGNING_KEY_FILE": str(tmp_path / KEY_FILE),
            "GATEPOST_DRAIN_DELAY_SECONDS": "0",
            "GATEPOST_LIMIT_API": "100000000",
            "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
            "GATEPOST_RECORDS_FOLDER": str(tmp_path / "records"),
            "GATEPOST_LOG_FOLDER": str(tmp_path / "logs"),
            "GATEPOST_INSTANCE": "web-1",
            "GATEPOST_ALERT_MAIL_TO": "ops@shop.example",
            "GATEPOST_SMTP_URL": f"smtp://127.0.0.1:{received.mail_port}",
        }
        server = start("serve", "--port", "0", "--workers", "2", environ=settings).ready()

        def top() -> Any:
            return json.loads(command("top", "--json", "--seconds", "10", environ=settings).stdout)

        with Load(server) as load:
            time.sleep(3 * STEP_SECONDS)
            assert set(load.statuses()) == {200}
            assert top()["status"] == "ok"

            own_postgresql.stop()
            stopped_at = time.monotonic()
            wait_for(lambda: top()["status"] != "ok", "that top says so")
            before = _failures(tmp_path / "admin.sock")
            wait_for(lambda: _failures(tmp_path / "admin.sock") > before, "failures in the metrics, while they happen")
            wait_for(lambda: "[page] database at web-1" in received.subjects, "a mail")
            assert time.monotonic() - stopped_at <= TOLD_SECONDS_MAX
            with _console(start, settings) as browser:  # which is opened only now
                assert browser.get("/console").status_code == 200
                for page in PAGES:
                    response = browser.get(f"/console/api/{page}")
                    assert (page, response.status_code) == (page, 200), response.text
                assert browser.get("/console/api/state").json()["status"] != "ok"
                assert browser.get("/console/api/traffic?since=1h").json()["errors"] > 0
                assert browser.get("/console/api/logs").json()["lines"]
            time.sleep(max(0.0, stopped_at + AWAY_SECONDS - time.monotonic()))
            assert set(load.statuses()) <= {200, 503}  # 200: before it was stopped

            own_postgresql.start()
            wait_for(lambda: server.get("/readyz")[0] == 200, "readiness")
            wait_for(lambda: top()["errors"] == 0, "ten seconds without a failure")
            # The state is that of the last minute, in which there were failures until now.
            wait_for(lambda: top()["status"] == "ok", "that top says so")
            load.statuses()
            time.sleep(2)
            assert set(load.statuses()) == {200}

        steps = wait_for(
            lambda: _steps_without_gap(own_postgresql, AWAY_SECONDS + 3 * STEP_SECONDS), "the whole history"
        )
        assert max(later - earlier for earlier, later in pairwise(steps)) < 1.5 * STEP_SECONDS


@contextmanager
def _console(start: Start, settings: Environ) -> Generator[httpx.Client]:
    """A browser that `gatepost console` has let in."""
    command = start("console", "--json", environ=settings)
    printed = wait_for(lambda: re.search(r"\{.*\}", command.output, re.DOTALL), "an address")
    address = json.loads(printed[0])["address"]
    with httpx.Client(base_url=address.partition("/console")[0], follow_redirects=True, timeout=60) as browser:
        assert browser.get(address).status_code == 200
        yield browser
    command.close()


def _failures(socket: Path) -> float:
    """Requests that got a 5xx, as Prometheus reads them."""
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket)), base_url="http://admin") as client:
        lines = client.get("/metrics").text.splitlines()
    counts = [line for line in lines if line.startswith("gatepost_request_duration_seconds_count") and '"5xx"' in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in counts)


def _steps_without_gap(postgresql: EmbeddedPostgreSQL, seconds: float) -> list[float] | None:
    """The moments of the steps that the database has, once they are as many as the time had."""
    query = f"SELECT at FROM gatepost.history WHERE step_seconds = {STEP_SECONDS} ORDER BY at"
    found = [datetime.fromisoformat(line).timestamp() for line in postgresql.execute(query).splitlines()]
    return found if len(found) >= seconds // STEP_SECONDS else None
