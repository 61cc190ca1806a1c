"""The console of a real server: through `gatepost console`, which needs the socket alone, and beside the API."""

import contextlib
import json
import os
import re
import signal
import socket
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tests.acceptance.conftest import (
    Running,
    Start,
    production_settings,
    run,
    wait_for,
    without_settings,
)

PASSWORD = "correct horse battery"
OPERATOR = f"uid {os.getuid()}"


class Server(NamedTuple):
    """A running server with log files, users of every kind, and what starts commands beside it."""

    running: Running
    socket: Path
    logs: Path
    environ: dict[str, str]
    start: Start

    def admin(self) -> httpx.Client:
        """A client of its admin socket."""
        return httpx.Client(transport=httpx.HTTPTransport(uds=str(self.socket)), base_url="http://admin", timeout=60)

    def security_lines(self, event: str) -> list[dict[str, Any]]:
        """Those of an event."""
        lines = map(json.loads, (self.logs / "security.log").read_text().splitlines())
        return [line for line in lines if line["event"] == event]

    def changes(self) -> list[str]:
        """What has changed, in words."""
        with self.admin() as admin:
            return [each["summary"] for each in admin.get("/changes").json()["changes"]]


@pytest.fixture(scope="module")
def server(module_project: Path, module_database_url: str, module_start: Start) -> Server:
    """The server that all tests here share; none of them changes what another sees."""
    path, logs = module_project / "admin.sock", module_project / "logs"
    environ = {
        **without_settings(),
        **production_settings(module_project, module_database_url),
        "GATEPOST_ENV": "development",
        "GATEPOST_ADMIN_SOCKET": str(path),
        "GATEPOST_LOG_FOLDER": str(logs),
    }
    for arguments in (("migrate", "make", "first"), ("migrate", "up")):
        done = run(*arguments, cwd=module_project, environ=environ)
        assert done.returncode == 0, done.stderr
    for name, role in (("user", ""), ("reader", "console"), ("writer", "console.write")):
        options = ("--role", role) if role else ()
        words = ("users", "create", f"{name}@shop.example", *options, "--password-stdin")
        done = run(*words, cwd=module_project, environ=environ, stdin=PASSWORD)
        assert done.returncode == 0, done.stderr
    running = module_start("serve", "--port", "0", environ=environ).ready()
    return Server(running, path, logs, environ, module_start)


@pytest.fixture
def opened(server: Server) -> Iterator[tuple[Running, dict[str, str]]]:
    """`gatepost console`, and what it has printed."""
    console = server.start("console", "--json", environ=server.environ)
    found = wait_for(lambda: re.search(r"\{.*\}", console.output, re.DOTALL), "an address")
    yield console, json.loads(found[0])
    console.close()


@contextlib.contextmanager
def signed_in(server: Server, who: str) -> Generator[httpx.Client]:
    """A browser whose user has signed in beside the API, where they may."""
    origin = f"http://127.0.0.1:{server.running.port}"
    with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=60) as client:
        if who != "anonymous":
            body = {"email": f"{who}@shop.example", "password": PASSWORD}
            status = client.post("/console/session", json=body).status_code
            assert status == (403 if who == "user" else 200)
        yield client


def test_the_command_opens_the_console_for_one_browser_and_closes_it_with_itself(
    server: Server, opened: tuple[Running, dict[str, str]]
) -> None:
    console, printed = opened
    assert printed["socket"] == str(server.socket)
    origin = printed["address"].partition("/console")[0]
    with httpx.Client(base_url=origin, headers={"origin": origin}, timeout=60) as browser:
        page = browser.get(printed["address"], follow_redirects=True)
        assert (page.status_code, page.url.path, page.url.query) == (200, "/console", b"")
        assert "<script" in page.text
        assert browser.get("/console/api/session").json()["name"] == OPERATOR
        changed = browser.put("/console/api/logs/levels/application", json={"level": "debug", "seconds": 60})
        assert changed.status_code == 200
    assert httpx.get(f"{origin}/console/api/state").status_code == 403
    wait_for(lambda: server.security_lines("log_level_changed"), "the line")
    assert server.security_lines("log_level_changed")[0]["operator"] == OPERATOR
    assert any(f"({OPERATOR})" in each for each in server.changes())
    console.send(signal.SIGINT)
    assert console.wait() == 130
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(origin.rpartition(":")[2]))) != 0


def test_what_a_user_does_beside_the_api_is_written_in_their_name(server: Server) -> None:
    with signed_in(server, "writer") as browser:
        assert browser.get("/console/api/session").json()["may_write"] is True
        revealed = browser.put("/console/api/reveal", json={"page": "clients"})
        assert revealed.status_code == 200
    wait_for(lambda: server.security_lines("records_revealed"), "the line")
    [line] = server.security_lines("records_revealed")
    assert re.fullmatch(rf"user [0-9a-f-]{{36}}, by {OPERATOR}", line["operator"])
    assert any(line["operator"] in each for each in server.changes())
    with signed_in(server, "reader") as browser:
        refused = browser.put("/console/api/reveal", json={"page": "clients"})
        assert (refused.status_code, browser.get("/console/api/state").status_code) == (403, 200)
    assert len(server.security_lines("records_revealed")) == 1


PAGES = (
    *("state", "history?since=10m", "operations", "errors", "statements", "clients", "limits", "instances", "alerts"),
    *("application", "logs/levels", "changes", "logs", "logs/histogram", "database", "heat", "system"),
)
ACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    *(("logs/levels/access", {"level": None}), ("errors/0", {}), ("alerts/none", {"state": "resolved", "reason": "x"})),
    *(("limits/address/2001:db8::/64", {}), ("alert-test", {}), ("database/cancel", {"pid": 1}), ("reveal", {})),
)
WHO = ("anonymous", "user", "reader", "writer")


def test_every_page_and_every_act_is_for_those_who_may(server: Server) -> None:
    """Those who may get what the operator gets: the page, or why the act is none."""
    with server.admin() as operator:
        pages = {page: operator.get(f"/console/api/{page}").status_code for page in PAGES}
        acts = {path: operator.put(f"/console/api/{path}", json=body).status_code for path, body in ACTS}
    assert {page: status for page, status in pages.items() if status != 200} == {}
    assert {path: status for path, status in acts.items() if status not in {200, 404, 409, 422}} == {}
    assert acts["limits/address/2001:db8::/64"] == 200
    refused = {"anonymous": 401, "user": 401}
    for who in WHO:
        with signed_in(server, who) as browser:
            for page in PAGES:
                response = browser.get(f"/console/api/{page}")
                assert response.status_code == refused.get(who, 200), (who, page)
                assert response.status_code != 200 or response.headers["cache-control"] == "no-store"
            for path, body in ACTS:
                status = browser.put(f"/console/api/{path}", json=body).status_code
                assert status == refused.get(who, 403 if who == "reader" else acts[path]), (who, path)


def test_numbers_are_those_of_the_commands(server: Server, module_project: Path) -> None:
    def command(*words: str) -> Any:
        done = run(*words, "--json", cwd=module_project, environ=server.environ)
        return json.loads(done.stdout)

    with signed_in(server, "writer") as browser:
        pages = {name: browser.get(f"/console/api/{name}").json() for name in ("database", "errors", "application")}
    sizes = command("db", "sizes")
    tables = pages["database"]["sizes"]["tables"]
    assert {each["table"] for each in tables} == {each["table"] for each in sizes["tables"]}
    assert pages["database"]["waits"]["waits"] == command("db", "waits")["waits"] == []
    assert pages["errors"]["errors"] == command("errors", "list")
    settings = {row["variable"]: row["value"] for row in command("config", "show")}
    assert {row["variable"]: row["value"] for row in pages["application"]["settings"]} == {
        **settings,
        **{name: value for name, value in settings.items() if name == "GATEPOST_PORT"},
        "GATEPOST_PORT": "0",
    }
    lines = run("logs", "--category", "security", "--json", cwd=module_project, environ=server.environ).stdout
    with server.admin() as operator:
        shown = operator.get("/logs?category=security&count=50").json()["lines"]
    assert shown == [json.loads(line) for line in lines.splitlines()]


def test_advice_is_that_of_the_command(server: Server, module_project: Path) -> None:
    with server.admin() as operator:
        wait_for(lambda: operator.get("/database").json()["advice"] is not None, "the advice")
        shown = operator.get("/database").json()
    done = run("db", "advise", "--json", cwd=module_project, environ=server.environ)
    advice = json.loads(done.stdout)["advice"]
    assert shown["advice_error"] is None
    assert [each["statement"] for each in shown["advice"]] == [each["statement"] for each in advice]
