"""The admin listener of a real server: its metrics over all workers, who may ask, and who dies."""

import os
import re
import signal
import socket
import stat
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.acceptance.conftest import SECONDS_MAX, Command, Running, Start, monitor_of, wait_for

Environ = dict[str, str]
LINE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)$")


def admin(path: Path) -> httpx.Client:
    """A client of the admin socket."""
    return httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), base_url="http://admin", timeout=SECONDS_MAX)


def metrics(path: Path) -> dict[str, float]:
    """Every sample by name and labels."""
    with admin(path) as client:
        response = client.get("/metrics")
    assert response.status_code == 200
    found: dict[str, float] = {}
    for line in response.text.splitlines():
        if not line.startswith("#"):
            name, labels, value = LINE.match(line).groups()  # type: ignore[union-attr]
            found[f"{name}{{{labels}}}" if labels else name] = float(value)
    return found


COUNT = 'gatepost_request_duration_seconds_count{operation="notes.list",class="2xx"}'


@pytest.fixture
def served(shared: tuple[Running, Path]) -> tuple[Running, Path]:
    """A server of two workers whose application counts by itself, and its admin socket: shared by tests that leave it
    as it is, but for what it has counted."""
    server, path = shared
    wait_for(lambda: len(ready_workers(path)) == 2, "both workers")
    return server, path


@pytest.fixture(scope="module")
def shared(module_start: Start, module_production: Environ, module_project: Path) -> tuple[Running, Path]:
    return counting_server(module_start, module_production, module_project)


@pytest.fixture
def served_counting(start: Start, production: Environ, project: Path) -> tuple[Running, Path]:
    """Such a server that has counted nothing."""
    server, path = counting_server(start, production, project)
    wait_for(lambda: len(ready_workers(path)) == 2, "both workers")
    return server, path


def counting_server(start: Start, production: Environ, project: Path) -> tuple[Running, Path]:
    """A server, and its admin socket."""
    (project / "app.py").write_text(COUNTING.replace("MORE", ""))
    path = project / "admin.sock"
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(path),
        "GATEPOST_WORKERS": "2",
        "GATEPOST_RELEASE": "1.4.2",
        "GATEPOST_LIMIT_API": "10000",
    }
    return start("serve", "--port", "0", environ=environ).ready(), path


def ready_workers(path: Path) -> list[int]:
    """The numbers of the workers that are ready."""
    with admin(path) as client:
        return [worker["pid"] for worker in client.get("/readyz").json()["workers"] if worker["is_ready"]]


COUNTING = """
from sqlalchemy.orm import Mapped

from gatepost import App, Controller, Model, Resource, anyone, get


class Note(Model):
    __tablename__ = "notes"
    title: Mapped[str]


class Visits(Controller):
    path = "visits"

    @get("/{kind}", allow=anyone)
    async def show(self, kind: str) -> dict[str, str]:
        self.metrics.counter("visits", "Visits by kind.", labels=("kind",)).add(kind=kind)
        return {}
MORE

app = App(Resource(Note, read=anyone), controllers=[Visits])
"""

ONE_ROUTE_MORE = """
    @get("/of/all", allow=anyone)
    async def show_all(self) -> dict[str, str]:
        return {}
"""


def counters(path: Path) -> dict[str, float]:
    """Every sample that must never fall."""
    endings = ("_total", "_count", "_bucket", "_sum")
    return {key: value for key, value in metrics(path).items() if key.partition("{")[0].endswith(endings)}


def asked(path: Path, page: str) -> Any:
    """A page of JSON."""
    with admin(path) as client:
        return client.get(page).json()


def test_no_counter_falls_whatever_becomes_of_workers(project: Path, served_counting: tuple[Running, Path]) -> None:
    server, path = served_counting
    for _ in range(20):
        assert server.get("/api/notes")[0] == 200
        assert server.get("/api/visits/book")[0] == 200
    assert server.get("/api/nothing")[0] == 404
    # With those that waited for the server.
    wait_for(lambda: sum(each["requests"] for each in asked(path, "/clients")["addresses"]) >= 41, "the clients")
    found = metrics(path)
    assert found[COUNT] == 20
    assert found['gatepost_request_database_seconds_total{operation="notes.list",class="2xx"}'] > 0
    assert found['gatepost_response_body_bytes_total{operation="notes.list",class="2xx"}'] > 20 * 10
    assert found['gatepost_statements_total{statement="notes.list"}'] == 20
    assert found['gatepost_refusals_total{code="not_found"}'] == 1
    assert found['app_visits_total{kind="book"}'] == 20
    access_lines = 'gatepost_log_lines_total{category="access",level="info"}'
    wait_for(lambda: metrics(path).get(access_lines, 0) >= 41, "access lines")
    assert metrics(path)['gatepost_bucket_decisions_total{store="local"}'] >= 41
    assert [key for key in found if key.startswith("gatepost_build_info{") and 'release="1.4.2"' in key]
    [notes] = [each for each in asked(path, "/operations")["operations"] if each["operation"] == "notes.list"]
    assert (notes["count"], notes["errors"], len(notes["slowest"])) == (20, 0, 10)
    assert 0 < notes["seconds"]["p50"] <= notes["seconds"]["p99"]
    clients = asked(path, "/clients")
    [client] = clients["addresses"]
    assert (client["client"], client["refusals"], client["overcount"]) == ("127.0.0.1", 1, 0)

    steps = [counters(path)]
    before = ready_workers(path)
    for pid in before:
        assert found[f'gatepost_resident_memory_bytes{{pid="{pid}"}}'] > 10_000_000
        assert found[f'gatepost_worker_ready{{pid="{pid}"}}'] == 1
    psutil.Process(before[0]).kill()
    steps.append(counters(path))
    wait_for(lambda: len(set(ready_workers(path)) - {before[0]}) == 2, "the replacement")
    steps.append(counters(path))
    (project / "app.py").write_text(COUNTING.replace("MORE", ONE_ROUTE_MORE))
    before = ready_workers(path)
    server.send(signal.SIGHUP)
    while set(ready_workers(path)) & set(before):
        steps.append(counters(path))
        time.sleep(0.02)  # what has fallen stays so: the next look sees it as well
    assert server.get("/api/visits/of/all")[0] == 200
    assert server.get("/api/visits/book")[0] == 200
    steps.append(counters(path))
    for earlier, later in pairwise(steps):
        assert {key: (value, later.get(key)) for key, value in earlier.items() if later.get(key, -1.0) < value} == {}
    assert steps[-1][COUNT] == 20
    assert steps[-1]['app_visits_total{kind="book"}'] == 21
    assert steps[-1]["gatepost_worker_deaths_total"] == 1
    assert steps[-1]["gatepost_drains_total"] == 2
    [client] = asked(path, "/clients")["addresses"]
    assert client["requests"] >= 41
    assert {request["request_id"] for request in notes["slowest"]} == {
        request["request_id"]
        for each in asked(path, "/operations")["operations"]
        if each["operation"] == "notes.list"
        for request in each["slowest"]
    }


def test_values_that_clients_choose_are_bounded_and_said_once(served: tuple[Running, Path]) -> None:
    server, path = served
    for number in range(250):
        assert server.get(f"/api/visits/kind{number}")[0] == 200
    found = {key: value for key, value in metrics(path).items() if key.startswith("app_visits_total")}
    assert sum(found.values()) == 250
    assert len(found) <= 2 * 100 + 1
    assert found['app_visits_total{kind="other"}'] >= 50
    wait_for(lambda: "metric_limited" in server.output, "the line")
    assert server.output.count('"event":"metric_limited"') <= 2  # once in each worker


def test_the_monitor_is_replaced_and_nothing_is_lost(served: tuple[Running, Path]) -> None:
    server, path = served
    before = metrics(path).get(COUNT, 0)
    assert server.get("/api/notes")[0] == 200
    first = monitor_of(server)
    first.kill()
    assert server.get("/api/notes")[0] == 200
    # Whoever connects meanwhile waits: the socket is the master's.
    assert metrics(path)[COUNT] == before + 2
    assert monitor_of(server).pid != first.pid
    with admin(path) as client:
        application = client.get("/application").json()
    served = {row["operation"]: row for row in application["operations"]}
    assert (served["notes.list"]["path"], served["notes.list"]["allow"]) == ("/api/notes", "anyone")
    values = {row["variable"]: row["value"] for row in application["settings"]}
    assert (values["DATABASE_URL"], values["GATEPOST_WORKERS"]) == ("***", "2")
    assert "monitor_died" in server.output


def test_a_level_of_the_log_is_changed_in_all_processes_for_a_while(
    start: Start, production: Environ, tmp_path: Path, command: Command
) -> None:
    path, folder = tmp_path / "admin.sock", tmp_path / "logs"
    environ = {
        **production,
        "GATEPOST_ADMIN_SOCKET": str(path),
        "GATEPOST_LOG_FOLDER": str(folder),
        "GATEPOST_LOG_LEVEL": "warning",
        "GATEPOST_WORKERS": "2",
    }
    server = start("serve", "--port", "0", environ=environ).ready()

    def access_lines() -> int:
        server.get("/api/notes")
        # Until it was ready it may have responded 503, which is an error.
        return (folder / "combined.log").read_text().count('"level":"info","category":"access","event":"request"')

    assert access_lines() == 0
    changed = command("logs", "level", "access", "info", "--for", "30m", environ=environ)
    assert changed.stdout.startswith("access writes from info on, until ")
    wait_for(access_lines, "an access line")

    def probe_lines() -> int:
        assert server.get("/livez")[0] == 200
        return (folder / "combined.log").read_text().count('"path":"/livez"')

    assert probe_lines() == 0
    assert command("logs", "level", "access", "debug", "--for", "30m", environ=environ).returncode == 0
    wait_for(probe_lines, "the line of a successful probe")
    assert '"level":"debug","category":"access","event":"request"' in (folder / "combined.log").read_text()
    act = f'"operator":"uid {os.getuid()}"'
    wait_for(lambda: act in (folder / "security.log").read_text(), "the line of who has done it")
    assert command("logs", "level", "access", "default", environ=environ).returncode == 0
    wait_for(lambda: access_lines() == access_lines(), "no more of them")
    for words in (("--for", "never"), ("--for", "99d")):
        assert command("logs", "level", "access", "debug", *words, environ=environ).returncode == 2
    none = command("logs", "level", "access", "debug", environ={**environ, "GATEPOST_ADMIN_SOCKET": str(path) + "x"})
    assert (none.returncode, "No server that you run" in none.stderr) == (2, True)
    with admin(path) as client:
        assert client.put("/logs/levels/access", json={"level": "loud"}).status_code == 422
        assert client.put("/logs/levels/access", content=b"no JSON").status_code == 422
        assert client.put("/logs/levels/gossip", json={"level": "info"}).status_code == 404
        assert client.put("/metrics").status_code == 405


def test_a_stopped_worker_is_seen(served: tuple[Running, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = served
    stopped = psutil.Process(ready_workers(path)[0])
    stopped.suspend()
    try:
        with admin(path) as client:
            wait_for(lambda: client.get("/livez").status_code == 503, "a silent worker")
            body = client.get("/livez").json()
            assert client.get("/readyz").status_code == 200
    finally:
        stopped.resume()
    assert {worker["pid"] for worker in body["workers"] if worker["silent_seconds"] > 10} == {stopped.pid}


def test_only_the_owner_and_the_group_can_open_the_socket(served: tuple[Running, Path]) -> None:
    _, path = served
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    with admin(path) as client:
        assert client.get("/nothing").status_code == 404
        assert client.post("/metrics").status_code == 405
        assert client.get("/startupz").status_code == 200
        text = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}).text
    assert text.endswith("# EOF\n")


def test_what_cannot_be_had_refuses_the_start(start: Start, production: Environ) -> None:
    # All that can be refused is in tests/unit/monitor/test_refused_listeners.py.
    server = start("serve", "--port", "0", environ={**production, "GATEPOST_ADMIN_SOCKET": "/proc/nowhere/admin.sock"})
    assert server.wait() == 2
    assert "/proc/nowhere/admin.sock cannot be made: " in server.output


def test_a_socket_that_nobody_asked_for_is_no_condition(start: Start, production: Environ, tmp_path: Path) -> None:
    taken = tmp_path / "runtime"
    taken.write_text("")
    server = start("serve", "--port", "0", environ={**production, "XDG_RUNTIME_DIR": str(taken)}).ready()
    assert "There is no admin socket" in server.output
    assert server.get("/livez")[0] == 200


def test_nothing_is_measured_where_nothing_is_wanted(start: Start, production: Environ, tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    environ = {**production, "GATEPOST_METRICS": "false", "GATEPOST_ADMIN_SOCKET": str(path)}
    server = start("serve", "--port", "0", environ=environ).ready()
    assert server.get("/api/notes")[0] == 200
    assert not path.exists()
    assert server.children() == server.workers()


def test_a_monitor_ends_with_its_master_and_leaves_a_socket_that_one_server_takes_over(
    start: Start, production: Environ, tmp_path: Path
) -> None:
    path = tmp_path / "admin.sock"
    environ = {**production, "GATEPOST_ADMIN_SOCKET": str(path)}
    killed = start("serve", "--port", "0", environ=environ).ready()
    monitor = monitor_of(killed)
    killed.send(signal.SIGKILL)
    wait_for(lambda: not monitor.is_running() or monitor.status() == psutil.STATUS_ZOMBIE, "its end")
    assert path.exists(), "who is killed removes nothing"
    first = start("serve", "--port", "0", environ=environ).ready()
    second = start("serve", "--port", "0", environ=environ)
    assert second.wait() == 2
    assert "another server" in second.output
    assert metrics(path) is not None
    first.send(signal.SIGTERM)
    assert first.wait() == 0
    assert not path.exists()


@pytest.fixture(scope="module")
def port_and_token(module_start: Start, module_production: Environ) -> tuple[int, str]:
    """An admin port, and its token."""
    environ = {**module_production, "GATEPOST_ADMIN_SOCKET": "none", "GATEPOST_ADMIN_BIND": "127.0.0.1:0"}
    server = module_start("serve", "--port", "0", environ=environ).ready()
    said = r"Metrics at http://127\.0\.0\.1:(\d+)/metrics, with the token (\S+) "
    found = wait_for(lambda: re.search(said, server.output), "the address")
    return int(found[1]), found[2]


def test_a_port_wants_its_token_and_refuses_pages_of_others(port_and_token: tuple[int, str]) -> None:
    port, token = port_and_token
    bearer = {"authorization": f"Bearer {token}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS_MAX) as client:
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.get("/metrics", headers={**bearer, "host": "evil.example"}).status_code == 403
        assert client.get("/metrics", headers={**bearer, "origin": "https://evil.example"}).status_code == 403
        assert client.get("/metrics", headers=bearer).status_code == 200


def said(port: int, data: bytes) -> bytes:
    """All that the port responds to these bytes."""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    "head",
    [
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n",
        "PUT /logs/levels/access HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n{auth}\r\n",
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nContent-Length: {length}\r\n{auth}\r\n",
        "GET /metrics HTTP/1.1\r\nHost: [\r\n{auth}\r\n",
    ],
)
def test_a_connection_serves_one_request(port_and_token: tuple[int, str], head: str) -> None:
    port, token = port_and_token
    auth = f"Authorization: Bearer {token}\r\n"
    hidden = f"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n{auth}\r\n"
    found = said(port, (head.format(length=len(hidden), auth=auth) + hidden).encode())
    assert found.count(b"HTTP/1.1 ") == 1
    assert re.match(rb"HTTP/1\.1 40[013] ", found)


def test_strangers_who_wait_keep_nobody_out(port_and_token: tuple[int, str]) -> None:
    port, token = port_and_token
    strangers = [socket.create_connection(("127.0.0.1", port), timeout=SECONDS_MAX) for _ in range(80)]
    try:
        for stranger in strangers:
            stranger.sendall(b"G")
        url = f"http://127.0.0.1:{port}/metrics"
        assert httpx.get(url, headers={"authorization": f"Bearer {token}"}, timeout=5).status_code == 200
    finally:
        for stranger in strangers:
            stranger.close()
