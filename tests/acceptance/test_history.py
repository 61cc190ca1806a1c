"""What a server was like, and is: its history over a killed monitor, and `gatepost top`."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import termios
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.acceptance.conftest import GATEPOST, SECONDS_MAX, Command, Start, monitor_of, wait_for

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.monitor.request_sums import sums_by_operation
from gatepost.record_tables import RECORD_TABLES
from gatepost.records.step_decoding import decoded

Environ = dict[str, str]
LIST = "notes.list"


def page(environ: Environ, path: str) -> Any:
    """A page of the admin socket."""
    transport = httpx.HTTPTransport(uds=environ["GATEPOST_ADMIN_SOCKET"])
    with httpx.Client(transport=transport, base_url="http://admin", timeout=SECONDS_MAX) as client:
        response = client.get(path)
        assert response.status_code == 200, response.text
        return response.json()


def counted(environ: Environ) -> int:
    """How many requests for notes the history has."""
    return sum(step["requests"] for step in page(environ, f"/history?since=10m&step=10s&operation={LIST}")["steps"])


def kinds(environ: Environ) -> list[str]:
    """The kinds of the changes, the oldest first."""
    return [each["kind"] for each in page(environ, "/changes")["changes"]][::-1]


def watched(environ: Environ) -> str:
    """What `gatepost top` shows on a terminal in a few seconds, until Ctrl-C."""
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (40, 140))
    with subprocess.Popen(
        [GATEPOST, "top"], stdin=follower, stdout=follower, env={**environ, "TERM": "xterm"}
    ) as process:
        os.close(follower)
        shown = b""
        while shown.count(b"here: ") < 2:
            shown += os.read(leader, 65_536)
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # at its end the terminal is gone
            while more := os.read(leader, 65_536):
                shown += more
    os.close(leader)
    assert process.returncode == 0
    return shown.decode()


def make_record_tables(postgresql: EmbeddedPostgreSQL, environ: Environ) -> None:
    """As `gatepost migrate up` makes them."""
    statements = ["CREATE SCHEMA gatepost", *(each for table in RECORD_TABLES.values() for each in table.create)]
    postgresql.execute(";".join(statements), database=urlsplit(environ["DATABASE_URL"]).path[1:])


def test_the_history_outlives_its_monitor_and_top_shows_it(
    start: Start, production: Environ, tmp_path: Path, command: Command, postgresql: EmbeddedPostgreSQL
) -> None:
    make_record_tables(postgresql, production)
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(tmp_path / "admin.sock"),
        "GATEPOST_RECORDS_FOLDER": str(tmp_path / "records"),
        "GATEPOST_INSTANCE": "here",
        "GATEPOST_RELEASE": "one",
        "GATEPOST_DRAIN_DELAY_SECONDS": "0",
    }
    server = start("serve", "--port", "0", environ=environ).ready()
    for _ in range(20):
        assert server.get("/api/notes?limit=5")[0] == 200
    assert server.get("/api/notes/nothing")[0] in {404, 422}
    wait_for(lambda: counted(environ) == 20, "20 requests")
    monitor_of(server).kill()
    assert server.get("/api/notes")[0] == 200
    # What is counted while there is no monitor is in the first step of the next one.
    wait_for(lambda: counted(environ) == 21, "all requests after a killed monitor")
    steps = page(environ, "/history?since=10m&step=10s")["steps"]
    moments = [datetime.fromisoformat(step["at"]).timestamp() for step in steps]
    assert max((later - earlier for earlier, later in pairwise(moments)), default=10) <= 20
    # Rounding to tens of seconds hides no gap: what the steps cover is all the time.
    covered = sum(step["covered_seconds"] for step in steps)
    assert covered >= moments[-1] - moments[0] - 1
    assert server.get("/api/notes")[0] == 200

    state = json.loads(command("top", "--json", environ=environ).stdout)
    assert state["instance"] == "here"
    assert state["release"] == "one"
    listed = next(each for each in state["operations"] if each["operation"] == LIST)
    assert listed["requests"] >= 1
    assert listed["database_seconds"] > 0
    assert state["sentence"].endswith(".")
    printed = command("top", environ=environ)
    assert printed.stdout.startswith("here: ")
    assert printed.returncode == (0 if state["status"] == "ok" else 1)
    for words in (("operations",), ("operation", LIST), ("database",), ("clients",), ("instances",)):
        shown = command("top", *words, environ=environ)
        assert (shown.returncode, shown.stderr) == (0, ""), words
        assert json.loads(command("top", *words, "--json", environ=environ).stdout)
    assert "never.asked" in command("top", "operation", "never.asked", environ=environ).stderr
    assert command("top", "operation", environ=environ).returncode == 2
    assert watched(environ).count("here: ") >= 2
    wait_for(lambda: [each["name"] for each in page(environ, "/instances")["instances"]] == ["here"], "its beat")
    instance = page(environ, "/instances")["instances"][0]
    assert abs(instance["clock_offset_seconds"]) < 5
    assert (instance["state"], instance["release"], instance["is_this"]) == ("running", "one", True)

    wait_for(lambda: {"start", "monitor_death"} <= set(kinds(environ)), "the changes")
    assert (tmp_path / "records" / "here" / "history").stat().st_size < 32 << 20
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    gone = command("top", "--json", environ=environ)
    assert (gone.returncode, "No server that you run" in gone.stderr) == (2, True)
    database = urlsplit(production["DATABASE_URL"]).path[1:]
    # The last step is written and copied at the end.
    rows = postgresql.execute(
        "SELECT encode(data, 'hex') FROM gatepost.history WHERE step_seconds = 10", database=database
    )
    steps = [decoded(bytes.fromhex(row)) for row in rows.split()]
    assert sums_by_operation(steps)[LIST].figures().requests == 22
    said = postgresql.execute("SELECT kind FROM gatepost.changes WHERE instance = 'here'", database=database)
    assert {"start", "stop", "monitor_death"} <= set(said.split())
