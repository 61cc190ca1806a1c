"""`/logs`: the lines of the files with filters and places, and the counts of the history."""

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from gatepost.events import Events
from gatepost.gateway.buckets import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.logging.lines import Category
from gatepost.logging.reading import LineFilter, last_lines
from gatepost.metrics.families import LOG_LINES, LOG_LINES_LOST
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.log_pages import LogPages
from gatepost.monitor.page_table import Page, PageTable, Request
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports
from gatepost.settings import Settings

LINES = [
    {"time": "2026-12-01T10:00:00.000Z", "level": "info", "category": "access", "route": "/api/books", "status": 200},
    {"time": "2026-12-01T10:00:01.000Z", "level": "error", "category": "error", "event": "<script>\u202e\x1b[2J"},
    {"time": "2026-12-01T10:00:02.000Z", "level": "warning", "category": "security", "client": "203.0.113.9"},
]


@pytest.fixture
def memory() -> MetricsMemory:
    """Where the process counts."""
    return MetricsMemory.shared("test-log-pages", 1)


@pytest.fixture
def pages(tmp_path: Path, memory: MetricsMemory) -> Iterator[PageTable]:
    """The pages of a server with log files."""
    yield from made(tmp_path, memory)


def made(folder: Path | None, memory: MetricsMemory) -> Iterator[PageTable]:
    """The pages of a server that writes its log there."""
    settings = Settings()
    log = dataclasses.replace(settings.log, folder=None if folder is None else str(folder))
    settings = dataclasses.replace(settings, log=log)
    files, reports, events, loop = RecordFiles(), Reports(), Events(), asyncio.new_event_loop()
    levels, buckets = LevelTable.shared("test-log-pages"), BucketTable.private(16)
    monitored = Monitored("shop:8000", None, settings, memory, levels, reports, buckets, files)
    changes = Changes(files.snapshot("changes"))
    context = MonitorContext(monitored, changes, RecordsDatabase(None, []), events, PageTable(events), loop)
    LogPages(context, HistoryRecords(context))
    if folder is not None:
        (folder / "combined.log").write_bytes(b"".join(map(encoded, LINES)) + b"not JSON\n")
        (folder / "security.log").write_bytes(encoded(LINES[2]))
    yield context.pages
    reports.close()
    loop.close()


def encoded(line: Mapping[str, Any]) -> bytes:
    """A line as it is in a file."""
    return msgspec.json.encode(line) + b"\n"


def get(pages: PageTable, path: str, accept: str = "") -> Page:
    """The response to a GET."""
    path, _, query = path.partition("?")
    return pages.find(Request("GET", path, accept, b"", "uid 0", dict(parse_qsl(query, keep_blank_values=True))))


def found(pages: PageTable, path: str) -> Any:
    """Its JSON, which is a page."""
    page = get(pages, path)
    assert page.status == 200, page.body
    return msgspec.json.decode(page.body)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", [*LINES, {"raw": "not JSON"}]),
        ("category=access", LINES[:1]),
        ("level=warning", LINES[1:]),
        ("route=/api/books", LINES[:1]),
        ("client=203.0.113.0/24", LINES[2:]),
        ("category=security", LINES[2:]),
        ("request=none", []),
        ("since=2026-12-01T10:00:01Z&level=debug", LINES[1:]),
        ("count=1", [{"raw": "not JSON"}]),
    ],
)
def test_lines_are_filtered_as_the_command_does(pages: PageTable, query: str, shown: list[Mapping[str, Any]]) -> None:
    assert found(pages, f"/logs?{query}")["lines"] == shown


def test_pages_follow_one_another(pages: PageTable, tmp_path: Path) -> None:
    first = found(pages, "/logs?count=2")
    second = found(pages, f"/logs?count=9&before={first['before']}")
    assert second["lines"] + first["lines"] == [*LINES, {"raw": "not JSON"}]
    assert second["before"] is None
    assert found(pages, f"/logs?after={first['newest']}")["lines"] == []


def test_ndjson_is_what_the_files_have(pages: PageTable, tmp_path: Path) -> None:
    page = get(pages, "/logs?level=info&count=2", "application/x-ndjson")
    assert (page.content_type, page.body) == (
        "application/x-ndjson",
        b"".join(last_lines(tmp_path, LineFilter(level="info"), 2)),
    )
    assert "gatepost-before" in page.headers


@pytest.mark.parametrize(
    "query",
    [
        *("category=x", "level=x", "count=0", "count=1001", "count=-1", "count=x", "since=x", "since=", "before=x"),
        *("after=1", "planet=earth", "since=99999999999999999999d", "since=9999-12-31T23:59:59-23:59", "count=²"),
    ],
)
def test_bad_queries_are_refused_with_a_sentence(pages: PageTable, query: str) -> None:
    page = get(pages, f"/logs?{query}")
    assert page.status == 422
    assert msgspec.json.decode(page.body)["detail"].endswith(".")


def test_a_server_without_log_files_says_so(memory: MetricsMemory) -> None:
    for pages in made(None, memory):
        page = get(pages, "/logs")
        assert (page.status, b"GATEPOST_LOG_FOLDER" in page.body) == (404, True)


def test_the_histogram_counts_levels_and_what_was_lost(pages: PageTable, memory: MetricsMemory) -> None:
    taken = memory.take()
    assert taken is not None
    written: list[tuple[tuple[Category, str], int]] = [(("access", "info"), 5), (("error", "error"), 2)]
    for labels, count in written:
        taken.add(taken.place(LOG_LINES, labels), count)
    taken.add(taken.place(LOG_LINES_LOST, ("files",)), 3)
    [step] = found(pages, "/logs/histogram?since=15m")["steps"]
    assert (step["levels"], step["lost"]) == ({"info": 5, "error": 2}, 3)
    [step] = found(pages, "/logs/histogram?since=15m&category=error")["steps"]
    assert step["levels"] == {"error": 2}
    assert get(pages, "/logs/histogram?since=x").status == 422
