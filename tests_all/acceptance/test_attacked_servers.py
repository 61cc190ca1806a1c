"""Servers whose master is killed, whose records are damaged, or that share a database and, by mistake, a name."""

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from tests.acceptance.conftest import SECONDS_MAX, Command, Running, Start, is_alive, monitor_of, wait_for
from tests.acceptance.test_history import make_record_tables

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.records.record_files import OF_ONE_START, SIZES

Environ = dict[str, str]


def page(environ: Environ, path: str) -> Any:
    """A page of the admin socket."""
    transport = httpx.HTTPTransport(uds=environ["GATEPOST_ADMIN_SOCKET"])
    with httpx.Client(transport=transport, base_url="http://admin", timeout=SECONDS_MAX) as client:
        return client.get(path).json()


def named(production: Environ, folder: Path, name: str, instance: str | None = None) -> Environ:
    """The settings of one of several servers."""
    return {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(folder / f"{name}.sock"),
        "GATEPOST_RECORDS_FOLDER": str(folder / f"{name}-records"),
        "GATEPOST_INSTANCE": instance or name,
        "GATEPOST_WORKERS": "2",
    }


def requests_of(environ: Environ, instance: str) -> int:
    """How many requests for notes the history of an instance has."""
    found = page(environ, f"/history?since=10m&step=10s&operation=notes.list&instance={instance}")
    return sum(step["requests"] for step in found.get("steps", []))


def test_a_server_is_started_again_at_once_though_a_worker_of_a_killed_master_still_serves(
    start: Start, production: Environ, tmp_path: Path
) -> None:
    environ = named(production, tmp_path, "here")
    server = start("serve", "--port", "0", environ=environ).ready()
    wait_for(lambda: len(server.workers()) == 2, "both workers")
    for _ in range(3):
        assert server.get("/api/notes")[0] == 200
    waiting = server.ask_and_leave_waiting()
    below = server.children()
    assert len(below) == 3
    server.send(signal.SIGKILL)
    server.wait()
    again = start("serve", "--port", str(server.port), environ=environ).ready()
    assert sum(map(is_alive, below)) == 1, "the monitor and the worker that served nothing have ended"
    assert "kept in memory" not in again.output
    assert page(environ, "/readyz")["status"] == "ok"
    wait_for(lambda: [each["kind"] for each in page(environ, "/changes")["changes"]].count("start") == 2, "both starts")
    (tmp_path / "released").touch()
    assert waiting.getresponse().read() == b"released", "what is in flight is finished"
    wait_for(lambda: not any(map(is_alive, below)), "the last one's end")
    assert page(environ, "/readyz")["status"] == "ok"
    again.send(signal.SIGTERM)
    assert again.wait() == 0
    assert not Path(environ["GATEPOST_ADMIN_SOCKET"]).exists()


def test_damaged_records_end_nothing_and_are_named(
    start: Start, production: Environ, tmp_path: Path, command: Command
) -> None:
    environ = named(production, tmp_path, "here")
    folder = tmp_path / "here-records" / "here"
    server = start("serve", "--port", "0", environ=environ).ready()
    wait_for(lambda: page(environ, "/changes")["changes"], "a change")
    randomness = random.Random(3)
    damaged = sorted(SIZES.keys() - OF_ONE_START)
    for number, name in enumerate(damaged):
        path = folder / name
        with path.open("r+b") as file:
            if number % 2:
                file.truncate(SIZES[name] // 3)
            else:
                for place in range(0, SIZES[name], 2000):
                    file.seek(place)
                    file.write(randomness.randbytes(64))
    assert server.get("/api/notes")[0] == 200
    monitor_of(server).kill()  # its successor reads them
    wait_for(lambda: "records_unreadable" in server.output, "the line of a file")
    for path in ("/state", "/changes", "/errors", "/alerts", "/history?since=10m", "/statements", "/application"):
        assert "detail" not in page(environ, path), path
    assert command("top", "--json", environ=environ).returncode in {0, 1}
    server.send(signal.SIGTERM)
    assert server.wait() == 0
    for name in damaged:
        (folder / name).write_bytes(randomness.randbytes(SIZES[name]))
    again = start("serve", "--port", "0", environ=environ).ready()
    wait_for(lambda: again.output.count("records_unreadable") >= len(damaged) - 1, f"a line of each: {again.output}")
    assert page(environ, "/state")["status"] == "ok"
    assert "Traceback" not in server.output + again.output
    assert "task_failed" not in server.output + again.output


def test_two_servers_of_one_database_are_one_application_until_they_have_one_name(
    start: Start, production: Environ, tmp_path: Path, postgresql: EmbeddedPostgreSQL
) -> None:
    make_record_tables(postgresql, production)
    database = urlsplit(production["DATABASE_URL"]).path[1:]
    one, two = (named(production, tmp_path, name) for name in ("one", "two"))
    servers: list[Running] = []
    for environ, count in ((one, 7), (two, 5)):
        servers.append(start("serve", "--port", "0", environ=environ).ready())
        for _ in range(count):
            assert servers[-1].get("/api/notes")[0] == 200
    wait_for(lambda: {each["name"] for each in page(two, "/instances")["instances"]} == {"one", "two"}, "both")
    wait_for(lambda: requests_of(one, "all") == 12, "all requests at one")
    wait_for(lambda: requests_of(two, "all") == 12, "all requests at two")
    assert (requests_of(one, "one"), requests_of(one, "two")) == (7, 5)
    states = {each["name"]: each["state"] for each in page(one, "/instances")["instances"]}
    assert states == {"one": "running", "two": "running"}

    impostor = named(production, tmp_path, "impostor", instance="one")
    third = start("serve", "--port", "0", environ=impostor).ready()
    for _ in range(3):
        assert third.get("/api/notes")[0] == 200
    wait_for(lambda: '"event":"instance_name_taken"' in third.output, "the line")
    wait_for(lambda: "is called one as well" in page(impostor, "/state")["records"], "the state")
    wait_for(lambda: "instance-name" in {each["name"] for each in page(impostor, "/alerts")["alerts"]}, "the alert")
    assert page(one, "/state")["records"] == "Records are copied to the schema gatepost."
    assert requests_of(two, "one") == 7, "nothing of the other one is in it"

    servers[0].send(signal.SIGTERM)
    assert servers[0].wait() == 0
    wait_for(lambda: page(impostor, "/state")["records"] == "Records are copied to the schema gatepost.", "the name")
    servers[1].send(signal.SIGTERM)
    assert servers[1].wait() == 0
    stopped = postgresql.execute(
        "SELECT stopped_at IS NOT NULL FROM gatepost.instances ORDER BY name", database=database
    )
    assert stopped.split() == ["f", "t"]
    assert not [each for each in page(impostor, "/alerts")["alerts"] if each["name"] == "instance:two"]
    assert json.dumps(page(impostor, "/instances")).count('"running"') == 1
    assert os.path.exists(impostor["GATEPOST_ADMIN_SOCKET"])


def test_a_worker_that_is_stopped_at_its_start_keeps_no_other_from_starting(
    start: Start, production: Environ, tmp_path: Path
) -> None:
    environ = named(production, tmp_path, "here")
    server = start("serve", "--port", "0", environ=environ).ready()
    wait_for(lambda: len(page(environ, "/readyz")["workers"]) == 2, "both workers")
    for _ in range(2):
        first, second = server.workers()
        before = {first.pid, second.pid}
        first.kill()
        new = wait_for(lambda before=before: [each for each in server.workers() if each.pid not in before], "another")
        time.sleep(random.uniform(0.0, 0.3))
        new[0].suspend()
        for _ in range(3):
            assert "workers" in page(environ, "/livez")
        new[0].kill()
        wait_for(lambda: sum(each["is_ready"] for each in page(environ, "/readyz")["workers"]) == 2, "both again")
    assert server.get("/api/notes")[0] == 200
