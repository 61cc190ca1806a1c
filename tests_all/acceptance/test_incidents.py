"""A staged incident: requests fail after a reload, the monitor dies meanwhile, and they succeed again."""

import json
import signal
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import Command, Start, monitor_of, wait_for
from tests.acceptance.traffic import Traffic

from gatepost.monitor.history_records import STEP_SECONDS
from gatepost.monitor.incidents import SECONDS_MIN

Environ = dict[str, str]
APP = """
from pathlib import Path

from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Model, Resource, anyone, get


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Work(Controller):
    path = "work"

    @get("", allow=anyone)
    async def done(self) -> int:
        if Path("broken").exists():
            raise RuntimeError("It is made to fail.")
        return 1


app = App(Resource(Note, read=anyone), controllers=[Work])
"""


def test_what_is_wrong_since_when_and_after_which_change_is_one_sentence(
    start: Start, production: Environ, project: Path, command: Command
) -> None:
    (project / "app.py").write_text(APP)
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(project / "admin.sock"),
        "GATEPOST_RECORDS_FOLDER": str(project / "records"),
        "GATEPOST_INSTANCE": "here",
        "GATEPOST_LIMIT_API": "100000000",
        "GATEPOST_LOG": "none",
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
        "GATEPOST_ALERT_TIME_SCALE": "0.02",
    }
    server = start("serve", "--port", "0", environ=environ).ready()

    def state() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(command("top", "--json", environ=environ).stdout)
        return found

    with Traffic(server.port, "/api/work", clients=2, pause_seconds=0.02):
        wait_for(lambda: state()["requests"] > 20 and state()["status"] == "ok", "a server that is well")
        assert state()["incident"] is None
        server.send(signal.SIGHUP)
        wait_for(lambda: "reload" in [each["kind"] for each in state()["changes"]], "the reload")
        (project / "broken").touch()
        # One failure is an unexpected error; which requests fail is said of five.
        wait_for(lambda: (state()["incident"] or {}).get("operation"), "the incident")
        began = state()
        incident = began["incident"]
        assert began["status"] == "degraded"
        assert (incident["operation"], incident["route"], incident["code"]) == (
            "work.done",
            "GET /api/work",
            "internal_error",
        )
        assert 0 < incident["share"] <= 1
        # The tables of users, which this database lacks, are another change of the same minute.
        assert incident["change"]["kind"] in {"reload", "migration"}
        assert incident["recovered_at"] is None
        shown = command("top", environ=environ)
        assert shown.returncode == 1
        assert shown.stdout.startswith("here: Degraded since ")
        assert "of `GET /api/work` answer `internal_error`. Began " in shown.stdout
        monitor = monitor_of(server)
        monitor.kill()
        wait_for(lambda: monitor_of(server).pid != monitor.pid, "another monitor")
        assert state()["incident"]["since"] == incident["since"]
        # What is over sooner was none.
        wait_for(lambda: state()["incident"]["seconds"] > SECONDS_MIN + STEP_SECONDS, "an incident that counts")
        (project / "broken").unlink()
        wait_for(lambda: state()["incident"]["recovered_at"], "the end")
        over = state()
        assert over["status"] == "ok"
        assert over["sentence"].startswith("All is well. Recovered at ")
        assert over["incident"]["since"] == incident["since"]
        assert over["incident"]["seconds"] >= 1
