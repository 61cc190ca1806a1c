"""`gatepost top` at a listener whose pages are given: what it prints, how it exits, and what reaches a terminal."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatepost.cli.main import main
from gatepost.events import Events
from gatepost.monitor.admin import AdminServer, open_socket
from gatepost.monitor.page_table import Page, PageTable, Request, json_page

FIGURES = {
    "requests": 100,
    "errors": 3,
    "refusals": 2,
    "seconds": {"p50": 0.00123, "p95": 0.0345, "p99": 1.25},
    "seconds_total": 10.0,
    "database_seconds": 5.0,
    "pool_wait_seconds": 0.0,
    "bytes": 1000,
}
STATE: dict[str, Any] = {
    "instance": "here",
    "release": None,
    "status": "ok",
    "sentence": "All is well.",
    "problems": [],
    "window_seconds": 60.0,
    "gauges": {
        "pool_connections": 4.0,
        "pool_connections_in_use": 3.0,
        "pool_connections_max": 20.0,
        "pool_waiting": 0.0,
        "requests_in_flight": 2.0,
    },
    "counted": {"outages": 0, "away_seconds": 0.0, "retries": 0, "connections_opened": 1},
    "codes": {"not_found": 2.0},
    "operations": [{**FIGURES, "operation": "scrolls.list", "requests_per_second": 1.7, "share_of_time": 1.0}],
    "statements": [],
    "records": "Records are copied.",
    **FIGURES,
}
ALERT = {
    "state": "firing",
    "severity": "page",
    "sentence": "It fails.",
    "look_at": "gatepost errors list",
    "since": "2026-12-01T02:00:00Z",
}


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the listener responds, by path; it has no other pages."""
    found: dict[str, Any] = {"/state": STATE, "/changes": {"changes": []}}
    table = PageTable(Events())

    def respond(request: Request) -> Page:
        body = found.get(request.path)
        return json_page(404, {"detail": "nothing"}) if body is None else json_page(200, body)

    for path in ("/state", "/changes", "/alerts", "/instances", "/operations", "/history"):
        table.add("GET", path, respond)
    path = tmp_path / "admin.sock"
    monkeypatch.setenv("GATEPOST_ADMIN_SOCKET", str(path))
    server = AdminServer(open_socket(path), table.find, None)
    server.start()
    yield found
    server.shutdown()
    server.server_close()


def top(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """Its exit status and all that it prints."""
    with pytest.raises(SystemExit) as ended:
        main(["top", *words])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.out + shown.err


def test_the_state_is_printed_once_into_a_pipe(pages: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    status, shown = top(capsys)
    assert status == 0
    assert shown.startswith(
        "here: All is well.\nPool: 3 of at most 20 connections in use, 4 open, 0 requests wait for one;"
    )
    assert "Refusals and failures: not_found 2." in shown
    listed = next(" ".join(line.split()) for line in shown.splitlines() if "scrolls.list" in line)
    assert listed == "scrolls.list 100 3 2 1.23 ms 34.5 ms 1.25 s 100 % 50 %"


@pytest.mark.parametrize(
    "changed",
    [
        {"/state": {**STATE, "status": "degraded", "problems": ["One.", "Two."], "sentence": "One. And more."}},
        {"/alerts": {"alerts": [ALERT, {**ALERT, "state": "resolved"}]}},
    ],
)
def test_a_server_that_is_not_well_is_status_1(
    pages: dict[str, Any], capsys: pytest.CaptureFixture[str], changed: dict[str, Any]
) -> None:
    pages.update(changed)
    status, shown = top(capsys)
    assert status == 1
    assert ("  - Two." in shown) == ("/state" in changed)
    assert shown.count("It fails.") == ("/alerts" in changed)
    status, text = top(capsys, "--json")
    assert status == 1
    assert len(json.loads(text)["alerts"]) == ("/alerts" in changed)
    assert top(capsys, "operations")[0] == 0


def test_alerts_that_follow_from_another_come_after_it(
    pages: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    follower = {**ALERT, "sentence": "It follows.", "follows": "a1", "follows_name": "database"}
    ticket = {**ALERT, "severity": "ticket", "sentence": "For tomorrow."}
    pages["/alerts"] = {"alerts": [follower, ticket, ALERT]}
    _, shown = top(capsys)
    marked = [line.strip() for line in shown.splitlines() if line.startswith("  ! ")]
    assert marked == ["! page: It fails.", "! ticket: For tomorrow.", "! page: It follows. (follows from database)"]
    assert shown.count("look at: ") == 2


def test_without_requests_there_is_no_empty_table(pages: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    pages["/state"] = {**STATE, "operations": []}
    assert "No requests in the last 60 s." in top(capsys)[1]


def test_no_control_character_reaches_the_terminal(pages: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b[2J\x9b\u202e[bold]"
    pages["/changes"] = {"changes": [{"at": "2026-12-01T02:00:00.000Z", "kind": "operator", "summary": evil}]}
    pages["/state"] = {**STATE, "sentence": evil, "operations": [{**STATE["operations"][0], "operation": evil}]}
    pages["/instances"] = {
        "instances": [dict.fromkeys(("release", "version", "started_at", "clock_offset_seconds"), evil)
                      | {"name": evil, "state": "running", "silent_seconds": 1.0}],
        "records": evil,
    }  # fmt: skip
    for words in ((), ("operations",), ("database",), ("instances",)):
        _, shown = top(capsys, *words)
        assert r"\x1b[2J" in shown, words
        assert not {"\x1b", "\x9b", "\u202e"} & set(shown), words


def test_what_is_not_there_is_said(pages: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    pages["/operations"] = {"operations": []}
    assert top(capsys, "operation", "books.list") == (2, ANSWER)
    assert top(capsys, "operation")[0] == 2
    assert top(capsys, "books")[0] == 2
    assert top(capsys, "--seconds", "5")[0] == 2


ANSWER = (
    "Error: No operation 'books.list' has been asked for. `gatepost top operations` and `gatepost routes` list them.\n"
)
