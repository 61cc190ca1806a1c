"""Errors that nobody expected, from a request of a real server to `gatepost errors`; one is resolved and comes back."""

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.acceptance.conftest import Command, Start, monitor_of, wait_for

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.record_tables import RECORD_TABLES

APP = """
from sqlalchemy import Select, String, func, or_, select
from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Model, Resource, anyone, get


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Reports(Controller):
    path = "reports"

    @get("/{number}", allow=anyone)
    async def report(self, number: int) -> int:
        return self.divide(number)

    def divide(self, number: int) -> int:
        if number == 7:
            raise LookupError("Bearer abcdefghijklmnop of ada")
        return 1 // (number - number)

    @get("/slow/notes", allow=anyone)
    async def slow(self) -> Select[tuple[Note]]:
        slept = func.pg_sleep(0.8).cast(String) == "word of the program"
        return select(Note).where(or_(slept, Note.title == "a")).limit(5)


app = App(Resource(Note, read=anyone), controllers=[Reports])
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def test_an_error_is_grouped_kept_resolved_and_comes_back(
    start: Start, production: dict[str, str], tmp_path: Path, command: Command, postgresql: EmbeddedPostgreSQL
) -> None:
    database = urlsplit(production["DATABASE_URL"]).path[1:]
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "GATEPOST_RELEASE": "2026.1",
        "GATEPOST_RECORDS_FOLDER": str(tmp_path / "records"),
        "GATEPOST_INSTANCE": "one",
    }
    server = start("serve", "--port", "0", environ=environ).ready()

    def errors(*words: str) -> Any:
        done = command("errors", *words, "--json", environ=environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    for number in range(10):
        assert server.get(f"/api/reports/{number}")[0] == 500
    wait_for(lambda: sum(error["count"] for error in errors("list")) == 10, "all of them")
    by_kind = {error["kind"]: error for error in errors("list")}
    assert {kind: error["count"] for kind, error in by_kind.items()} == {"ZeroDivisionError": 9, "LookupError": 1}
    division = by_kind["ZeroDivisionError"]
    assert (division["where"], division["releases"]) == ("app.Reports.divide", ["2026.1"])

    shown = errors("show", division["id"][:8])
    assert shown["samples"][0]["operation"] == "reports.report"
    assert "1 // (number - number)" in shown["samples"][0]["traceback"]
    printed = command("errors", "show", by_kind["LookupError"]["id"], environ=environ).stdout
    assert "app.Reports.divide" in printed
    own = printed.count('/app.py", line ')
    assert own >= 2
    assert (printed.count('  File "') == own, "frames of libraries; --full shows them" in printed) == (True, True)
    full = command("errors", "show", by_kind["LookupError"]["id"], "--full", environ=environ).stdout
    assert full.count('  File "') > own
    assert "abcdefghijklmnop" not in printed

    # The monitor dies, and the database gets its tables: nothing is lost, and all of it is copied.
    wait_for(lambda: (tmp_path / "records" / "one" / "errors").stat().st_blocks > 0, "the file")
    postgresql.execute("CREATE SCHEMA gatepost", database=database)
    for table in RECORD_TABLES.values():
        for statement in table.create:
            postgresql.execute(statement, database=database)
    monitor_of(server).kill()
    wait_for(lambda: len(errors("list")) == 2, "the same ones")

    def rows() -> list[str]:
        return postgresql.execute("SELECT fingerprint FROM gatepost.error_groups", database=database).split()

    wait_for(lambda: len(rows()) == 2, "their rows")
    resolved = errors("resolve", division["id"])
    assert (resolved["state"], resolved["only_here_because"]) == ("resolved", None)
    assert [error["kind"] for error in errors("list")] == ["LookupError"]
    assert server.get("/api/reports/1")[0] == 500
    wait_for(lambda: errors("show", division["id"])["returned_at"], "its return")
    assert f'"fingerprint":"{division["id"]}"' in server.output

    postgresql.execute("INSERT INTO notes (title) VALUES ('secret title')", database=database)
    assert server.get("/api/reports/slow/notes")[0] == 200, server.output[-3000:]

    def slow() -> list[dict[str, Any]]:
        return json.loads(command("db", "slow", "--json", environ=environ).stdout)

    wait_for(lambda: slow() and slow()[0]["plan"], "its plan")
    assert slow()[0]["longest_seconds"] >= 0.8
    assert "on notes" in slow()[0]["plan"]
    assert '"event":"statement_slow","statement":"' in server.output
    assert "subscriber_failed" not in server.output
    assert "on notes" in (shown := command("db", "slow", environ=environ).stdout)
    assert "word of the program" not in shown
    assert "secret" not in shown

    for name in ("ffff", "", "é/ \n"):
        refused = command("errors", "show", name, environ=environ)
        assert (refused.returncode, "There is no error" in refused.stderr) == (2, True)
    assert os.stat(tmp_path / "records" / "one" / "errors").st_mode & 0o007 == 0
