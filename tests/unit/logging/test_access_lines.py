"""Access lines: what is in them, and that no request can forge one."""

import json

import msgspec
import pytest

from gatepost.events import RequestFinished
from gatepost.logging.access import console_lines, json_lines

EVENT = RequestFinished(
    "r1", "GET", "/api/books", "/api/books", "books.list", 200, 0.0125, 0.004, 0.0, 20, 4096, "127.0.0.1", "u1", None
)
MOMENT = 1_700_000_000.25


def lines_of(*events: RequestFinished, form: str) -> list[bytes]:
    """What is written for the events."""
    render = json_lines() if form == "json" else console_lines(coloured=False)
    return [render(MOMENT, event) for event in events]


def test_a_json_line_has_the_time_the_level_and_every_field() -> None:
    [line] = lines_of(EVENT, form="json")
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "category": "access",
        "event": "request",
        "request_id": "r1",
        "method": "GET",
        "path": "/api/books",
        "route": "/api/books",
        "operation": "books.list",
        "status": 200,
        "seconds": 0.0125,
        "database_seconds": 0.004,
        "pool_wait_seconds": 0.0,
        "rows": 20,
        "bytes": 4096,
        "client": "127.0.0.1",
        "actor_id": "u1",
        "code": None,
    }


def test_a_failure_of_the_server_is_of_level_error() -> None:
    failed = msgspec.structs.replace(EVENT, status=500, code="internal_error")
    assert json.loads(lines_of(failed, form="json")[0])["level"] == "error"


def test_a_method_that_does_not_exist_is_no_failure_and_no_long_line() -> None:
    refused = msgspec.structs.replace(EVENT, status=501, method="A" * 60_000, code="method_not_implemented")
    line = json.loads(lines_of(refused, form="json")[0])
    assert line["level"] == "info"
    assert len(line["method"]) < 100


def test_a_console_line_tells_status_path_duration_and_code() -> None:
    refused = msgspec.structs.replace(EVENT, status=404, code="not_found")
    [line] = lines_of(refused, form="console")
    assert line.decode().split(" ", 1)[1] == "404 GET    /api/books 12.5 ms not_found [r1]\n"


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "path",
    [
        '/a\n{"level":"info","event":"request","status":200}',
        "/a\r\nforged",
        "/a\x1b[2J\x1b]0;title\x07",
        "/a\u2028b\u2029c\x85d",
        "/a\u202egnp.exe",
        "/a\ud800",
        "/a\x00b",
        "/" + "a" * 100_000,
    ],
)
def test_no_path_can_forge_a_line_or_move_the_cursor(form: str, path: str) -> None:
    [line] = lines_of(msgspec.structs.replace(EVENT, path=path), form=form)
    text = line.decode()
    assert len(text.splitlines()) == 1
    assert text[:-1].isprintable()
    assert text.endswith("\n")
    assert len(text) < 3000


def test_other_languages_can_be_read() -> None:
    [line] = lines_of(msgspec.structs.replace(EVENT, path="/api/книги/été"), form="json")
    assert json.loads(line)["path"] == "/api/книги/été"


def test_every_line_has_the_time_of_its_own_second() -> None:
    render = json_lines()
    written = [render(moment, EVENT) for moment in (1.0, 1.999, 2.0, 1.5, 3600.001)]
    assert [json.loads(line)["time"][14:] for line in written] == [
        "00:01.000Z",
        "00:01.999Z",
        "00:02.000Z",
        "00:01.500Z",
        "00:00.001Z",
    ]
