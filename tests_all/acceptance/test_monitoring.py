"""Alerts from end to end: two instances under load, Debian's Prometheus and Alertmanager, a mail server and a receiver
of webhooks; and a PostgreSQL that is stopped under load."""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from prometheus import asked, content_with, watching
from tests.acceptance.conftest import NOTES, Command, Running, Start, run, wait_for
from tests.acceptance.traffic import Traffic
from tests.conftest import FAST_AND_FORGETFUL
from tests.receivers import Received, receiving

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.record_tables import RECORD_TABLES

Environ = dict[str, str]

TOKEN = "a-token-of-the-admin-ports"
SCALE = "0.01"
EXPORT = ("monitoring", "export", "--folder", "monitoring")
MAIL_SECONDS_MAX = 60.0
APP = '''
"""An endpoint that fails while there is a file, named after the instance."""
import os
from pathlib import Path

from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Model, Objective, Resource, anyone, get, seconds


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Work(Controller):
    path = "work"

    @get("", allow=anyone)
    async def done(self) -> int:
        if Path(os.environ["GATEPOST_INSTANCE"]).exists():
            raise RuntimeError("It is made to fail.")
        return 1


app = App(
    Resource(Note, read=anyone),
    controllers=[Work],
    objectives=[
        Objective("work", share=0.99, of=[Work], faster_than=seconds(2)),
        Objective("notes", share=0.99, of=[Note]),
    ],
)
'''


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as found:
        yield found


@pytest.fixture
def alerting(production: Environ, project: Path, received: Received) -> Environ:
    """What both instances have."""
    (project / "app.py").write_text(APP)
    return {
        **production,
        "GATEPOST_ALERT_MAIL_TO": "ops@shop.example",
        "GATEPOST_SMTP_URL": f"smtp://127.0.0.1:{received.mail_port}",
        "GATEPOST_ALERT_WEBHOOK_URL": received.hook_url,
        "GATEPOST_ALERT_WEBHOOK_SECRET": "whsec_c2hvcCBvZiB0aGUgZ2F0ZXBvc3Q6IGEgc2VjcmV0IQ==",
        "GATEPOST_LIMIT_API": "100000000",
        "GATEPOST_LOG": "none",
    }


def instance(start: Start, environ: Environ, name: str, folder: Path, **settings: str) -> Running:
    own = {"GATEPOST_INSTANCE": name, "GATEPOST_ADMIN_SOCKET": str(folder / f"{name}.sock")}
    return start("serve", "--port", "0", environ={**environ, **own, **settings}).ready()


def make_record_tables(server: EmbeddedPostgreSQL, database: str) -> None:
    """What `gatepost migrate up` makes for the monitors."""
    server.execute("CREATE SCHEMA gatepost", database=database)
    for table in RECORD_TABLES.values():
        for statement in table.create:
            server.execute(statement, database=database)


def admin_port(running: Running) -> str | None:
    """Where Prometheus scrapes it."""
    found = re.search(r"Metrics at http://(\S+)/metrics", running.output)
    return None if found is None else found[1]


def up(prometheus: int) -> list[Any]:
    """The instances that are scraped."""
    found: list[Any] = asked(prometheus, "/api/v1/query?query=up==1")["result"]
    return found


def is_told(manager: Received, status: str) -> bool:
    """Whether Alertmanager has mailed and posted that the objective is missed, or no longer."""
    mark = f"[{status.upper()}"
    is_mailed = any(mark in subject and "GatepostObjectiveMissed" in subject for subject in manager.subjects)
    posted = [json.loads(body) for _, body in manager.posts]
    return is_mailed and any(
        each["status"] == status and each["commonLabels"]["alertname"] == "GatepostObjectiveMissed" for each in posted
    )


def about_work(received: Received) -> list[str]:
    """The subjects of mails that the objective is missed."""
    return [subject for subject in received.subjects if subject.startswith("[page] objective:work at ")]


def of_database(received: Received) -> list[str]:
    """The subjects of mails about the database."""
    return [subject for subject in received.subjects if "] database at " in subject]


def test_the_rules_are_right_and_their_tests_can_fail(alerting: Environ, project: Path) -> None:
    folder = project / "monitoring"
    written = run(*EXPORT, "--webhook", "http://127.0.0.1:9/", cwd=project, environ=alerting)
    assert written.returncode == 0, written
    assert "SUCCESS" in content_with("promtool", "check", "rules", "gatepost-rules.yml", folder=folder)
    assert "duplicate" not in content_with("promtool", "check", "rules", "gatepost-rules.yml", folder=folder)
    assert "SUCCESS" in content_with("promtool", "test", "rules", "gatepost-rules-test.yml", folder=folder)
    assert "2 receivers" in content_with("amtool", "check-config", "alertmanager.yml", folder=folder)
    rules = (folder / "gatepost-rules.yml").read_text()
    for changed in (
        rules.replace('class!=\\"5xx\\"', 'class!=\\"4xx\\"'),
        rules.replace(" or 0 * sum(", " or 1 * sum("),
        rules.replace('le=\\"2.5\\"', 'le=\\"+Inf\\"'),
        rules.replace("gatepost_database_reachable", "gatepost_worker_ready"),
        rules.replace("min_over_time(", "max_over_time("),
        rules.replace(" >= 20)", " >= 20000)"),
    ):
        assert changed != rules
        (folder / "gatepost-rules.yml").write_text(changed)
        with pytest.raises(AssertionError, match="FAILED"):
            content_with("promtool", "test", "rules", "gatepost-rules-test.yml", folder=folder)


def test_an_instance_that_fails_is_scraped_told_of_and_over(
    start: Start,
    alerting: Environ,
    project: Path,
    command: Command,
    received: Received,
    postgresql: EmbeddedPostgreSQL,
) -> None:
    make_record_tables(postgresql, urlsplit(alerting["DATABASE_URL"]).path[1:])
    environ = {**alerting, "GATEPOST_ALERT_TIME_SCALE": SCALE, "GATEPOST_ADMIN_TOKEN": TOKEN}
    folder = project / "monitoring"
    bind = {"GATEPOST_ADMIN_BIND": "127.0.0.1:0"}
    one, two = (instance(start, environ, name, project, **bind) for name in ("one", "two"))
    with receiving() as manager:
        own = {**environ, "GATEPOST_SMTP_URL": f"smtp://127.0.0.1:{manager.mail_port}"}
        exported = run(*EXPORT, "--webhook", manager.hook_url, cwd=project, environ=own)
        assert exported.returncode == 0, exported
        content_with("promtool", "test", "rules", "gatepost-rules-test.yml", folder=folder)
        targets = [wait_for(lambda running=running: admin_port(running), "its port") for running in (one, two)]
        with (
            watching(folder, targets, TOKEN) as prometheus,
            Traffic(one.port, "/api/work", clients=2, pause_seconds=0.02),
            Traffic(two.port, "/api/work", clients=2, pause_seconds=0.02),
        ):
            wait_for(lambda: len(up(prometheus)) == 2, "both to be scraped")
            time.sleep(3)
            assert not received.mails
            (project / "two").touch()
            began = time.monotonic()
            wait_for(lambda: "[page] objective:work at two" in received.subjects, "the mail of the monitor")
            wait_for(lambda: is_told(manager, "firing"), "the mail and post of Alertmanager")
            assert time.monotonic() - began < MAIL_SECONDS_MAX
            assert ("alert.firing", "objective:work") in received.posted()
            assert not any("objective:work at one" in subject for subject in received.subjects)
            (project / "two").unlink()
            wait_for(lambda: "[resolved] objective:work at two" in received.subjects, "the end")
            wait_for(lambda: is_told(manager, "resolved"), "the end by Alertmanager")
            received.mails.clear()
            for name in ("one", "two"):
                (project / name).touch()
            for name in ("one", "two"):
                at = {**environ, "GATEPOST_ADMIN_SOCKET": str(project / f"{name}.sock")}
                shown = lambda at=at: command("alerts", "show", "objective:work", environ=at).returncode  # noqa: E731
                wait_for(lambda shown=shown: shown() == 1, f"that it fires at {name}")
            wait_for(lambda: about_work(received), "a mail")
            time.sleep(3)
            assert len(about_work(received)) == 1, "what both share is told once"
        for process in two.children():
            process.kill()
        two.send(signal.SIGKILL)
        wait_for(lambda: "[page] instance:two at one" in received.subjects, "that somebody misses it")


def test_a_stopped_postgresql_is_mailed_within_a_minute_by_each_instance(
    start: Start, alerting: Environ, project: Path, received: Received, tmp_path: Path
) -> None:
    server = EmbeddedPostgreSQL(tmp_path / "own", settings=FAST_AND_FORGETFUL)
    server.start()
    try:
        server.execute(NOTES, database="gatepost")
        make_record_tables(server, "gatepost")
        environ = {**alerting, "DATABASE_URL": server.dsn("gatepost")}
        one, two = (instance(start, environ, name, project) for name in ("one", "two"))
        with Traffic(one.port, "/api/notes", clients=2, pause_seconds=0.02), Traffic(two.port, "/api/notes", clients=2):
            time.sleep(2)
            began = time.monotonic()
            server.stop()
            wait_for(lambda: len(of_database(received)) == 2, "a mail of each instance")
            seconds = time.monotonic() - began
            assert seconds < MAIL_SECONDS_MAX
            server.start()
            wait_for(lambda: len(of_database(received)) == 4, "the end")
            # Nothing else: that objectives are missed follows from it, and is told with it.
            assert sorted(received.subjects) == [
                f"[{mark}] database at {name}" for mark in ("page", "resolved") for name in ("one", "two")
            ]
            text = received.mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
            assert "Each instance that sees this sends it by itself." in text
    finally:
        server.stop()
