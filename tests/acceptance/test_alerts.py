"""Alerts of a real server: its database goes away, somebody hears of it by mail and post, operators act, it ends."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.acceptance.conftest import Command, Start, wait_for
from tests.acceptance.test_monitor import Environ, monitor_of
from tests.receivers import Received, receiving

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

SCALE = "0.02"
SECRET = "whsec_" + "c2hvcCBvZiB0aGUgZ2F0ZXBvc3Q6IGEgc2VjcmV0IQ=="


@pytest.fixture
def received() -> Iterator[Received]:
    with receiving() as found:
        yield found


@pytest.fixture
def alerting(production: Environ, received: Received, tmp_path: Path) -> Environ:
    """The settings of a server that tells of alerts, all whose times are a fiftieth."""
    return {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "GATEPOST_RECORDS_FOLDER": str(tmp_path / "records"),
        "GATEPOST_INSTANCE": "web-1",
        "GATEPOST_ALERT_TIME_SCALE": SCALE,
        "GATEPOST_ALERT_MAIL_TO": "ops@shop.example",
        "GATEPOST_SMTP_URL": f"smtp://127.0.0.1:{received.mail_port}",
        "GATEPOST_ALERT_WEBHOOK_URL": received.hook_url,
        "GATEPOST_ALERT_WEBHOOK_SECRET": SECRET,
    }


def test_a_database_that_is_away_is_told_silenced_resolved_and_over(
    start: Start, alerting: Environ, received: Received, postgresql: EmbeddedPostgreSQL, command: Command
) -> None:
    server = start("serve", "--port", "0", environ=alerting).ready()
    name = urlsplit(alerting["DATABASE_URL"]).path[1:]

    def alerts(*words: str) -> Any:
        return command("alerts", *words, environ=alerting)

    def listed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(alerts("list", "--all", "--json").stdout)["alerts"]
        return [alert for alert in found if alert["name"] == "database"]

    tested = alerts("test")
    assert (tested.returncode, tested.stdout.count(": arrived (")) == (0, 2), tested
    assert received.subjects == ["[test] alerts of web-1"]
    received.refuse = "599"
    assert alerts("test").returncode == 1
    received.refuse = ""
    received.mails.clear()
    received.posts.clear()
    quiet = alerts("list")
    assert (quiet.returncode, "Nothing is wrong." in quiet.stdout) == (0, True), quiet

    postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    postgresql.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
    wait_for(lambda: server.get("/readyz")[0] == 503, "that it is not ready")
    wait_for(lambda: received.subjects, "a mail")
    assert received.subjects == ["[page] database at web-1"]
    text = received.mails[0].get_payload(decode=True).decode()  # type: ignore[union-attr]
    assert "1 of 1 workers cannot reach the database" in text
    assert "Each instance that sees this sends it by itself." in text
    wait_for(lambda: ("alert.firing", "database") in received.posted(), "a post")
    (alert,) = listed()
    shown = alerts("show", alert["id"])
    assert (shown.returncode, "mail      delivered after 1 attempts" in shown.stdout) == (1, True), shown
    assert alerts("list").returncode == 1

    silenced = alerts("silence", "database", "--for", "1h", "--reason", "we know", "--json")
    assert json.loads(silenced.stdout)["by"] == f"uid {os.getuid()}"
    assert alerts("list").returncode == 0
    monitor = monitor_of(server)
    monitor.kill()
    wait_for(lambda: monitor_of(server).pid != monitor.pid, "another monitor")
    assert [(each["id"], each["state"], each["reason"]) for each in listed()] == [(alert["id"], "silenced", "we know")]
    resolved = alerts("resolve", alert["id"], "--reason", "we know it well")
    assert resolved.stdout.strip().endswith("database is resolved."), resolved
    wait_for(lambda: "[resolved] database at web-1" in received.subjects, "a mail of the end")
    unknown = alerts("resolve", "database", "--reason", "again")
    assert (unknown.returncode, "There is no such alert" in unknown.stderr) == (2, True)

    postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    wait_for(lambda: server.get("/readyz")[0] == 200, "readiness")
    wait_for(lambda: not listed()[0]["holds"], "that it is well")
    for words in (("silence", "disk", "--reason", "x", "--for", "never"), ("show", "no\nsuch"), ("silence", "disk")):
        assert alerts(*words).returncode == 2
    assert "alert_fired alert_id=" in server.output or '"event":"alert_fired"' in server.output
    assert [subject for subject in received.subjects if "database" in subject] == [
        "[page] database at web-1",
        "[resolved] database at web-1",
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"GATEPOST_ALERT_WEBHOOK_SECRET": "hidden"}, "GATEPOST_ALERT_WEBHOOK_SECRET: must be whsec_"),
        (
            {"GATEPOST_ENV": "production", "GATEPOST_SMTP_URL": "smtp://u:hidden@mail.example?tls=none"},
            "GATEPOST_SMTP_URL sends a password without TLS",
        ),
    ],
)
def test_settings_that_tell_nobody_or_everybody_refuse_the_start(
    start: Start, alerting: Environ, settings: Environ, words: str
) -> None:
    server = start("serve", "--port", "0", environ={**alerting, **settings})
    assert server.wait() == 2
    assert words in server.output
    assert "hidden" not in server.output
    assert "Traceback" not in server.output
