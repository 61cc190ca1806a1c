"""`/database`: what PostgreSQL says, and how it was before it was away; and sessions that operators stop."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from sqlalchemy import MetaData

from gatepost.database.activity import read_activity
from gatepost.environment import load_settings
from gatepost.events import Events, SessionStopped
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.logging.levels import LevelTable
from gatepost.metrics.families import POOL_IN_USE, POOL_LIMIT, POOL_SIZE
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor import database_page
from gatepost.monitor.context import MonitorContext, Monitored
from gatepost.monitor.database_page import DatabasePage
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.page_table import Page, PageTable, Request
from gatepost.records.changes import Changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.records_database import RecordsDatabase
from gatepost.records.reports import Reports


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases without tables."""
    return MetaData()


@pytest.fixture
async def context(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MonitorContext]:
    """That of a monitor with the page, which asks each time."""
    monkeypatch.setattr(database_page, "ACTIVITY_SECONDS", 0)
    reports, files, events = Reports(), RecordFiles(), Events()
    memory = MetricsMemory.shared("test-database-page", 1)
    settings, levels = load_settings({"DATABASE_URL": database_url}), LevelTable.shared("levels")
    monitored = Monitored("one", None, settings, memory, levels, reports, BucketTable.shared("buckets"), files)
    changes, loop = Changes(files.snapshot("changes")), asyncio.get_running_loop()
    made = MonitorContext(monitored, changes, RecordsDatabase(database_url, []), events, PageTable(events), loop)
    DatabasePage(made, HistoryRecords(made))
    region = memory.take()
    assert region is not None
    region.set(region.place(POOL_SIZE, ("1",)), 4)
    region.set(region.place(POOL_LIMIT, ("1",)), 10)
    region.set(region.place(POOL_IN_USE, ("1",)), 3)
    yield made
    reports.close()


async def asked(context: MonitorContext, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of a page."""
    data = b"" if body is None else json.dumps(body).encode()
    page: Page = await asyncio.to_thread(context.pages.find, Request(method, path, "", data, "uid 7"))
    return page.status, json.loads(page.body)


@pytest.fixture
async def blocked(database_url: str) -> AsyncIterator[tuple[int, int]]:
    """The numbers of two sessions: one holds a lock, the other waits for it."""
    holder, waiter = [await asyncpg.connect(database_url) for _ in range(2)]
    await holder.execute("CREATE TABLE held (id int)")
    await holder.execute("BEGIN; LOCK TABLE held")
    waiting = asyncio.create_task(waiter.execute("SELECT * FROM held WHERE 'secret' = 'secret'"))
    pids = holder.get_server_pid(), waiter.get_server_pid()
    await holder.execute(
        f"DO $$ BEGIN WHILE cardinality(pg_blocking_pids({pids[1]})) = 0 LOOP PERFORM pg_sleep(0.01); END LOOP; END $$"
    )
    yield pids
    holder.terminate()
    await asyncio.gather(waiting, return_exceptions=True)
    waiter.terminate()


async def test_it_shows_what_the_commands_find(
    context: MonitorContext, blocked: tuple[int, int], database_url: str
) -> None:
    status, shown = await asked(context, "GET", "/database")
    assert (status, shown["is_here"], shown["error"]) == (200, True, None)
    assert shown["pool"] == {"connections": 4, "connections_max": 10, "in_use": 3, "waiting": 0}
    holder, waiter = blocked
    assert shown["tree"] == [{"pid": holder, "waiters": [{"pid": waiter, "waiters": []}]}]
    connection: Any = await asyncpg.connect(database_url)
    found = await read_activity(connection, 60)
    await connection.close()
    assert [each["pid"] for each in shown["waits"]["waits"]] == [each.pid for each in found.waits]
    assert "secret" not in json.dumps(shown)
    assert shown["sizes"] is None  # would wait for the lock
    await asked(context, "PUT", "/database/cancel", {"pid": holder, "terminate": True})
    sizes = (await asked(context, "GET", "/database"))[1]["sizes"]
    assert (sizes["bytes"] > 1_000_000, [each["table"] for each in sizes["tables"]]) == (True, ["held"])


async def test_an_operator_cancels_a_statement_and_ends_a_session(
    context: MonitorContext, blocked: tuple[int, int]
) -> None:
    acts: list[SessionStopped] = []
    context.events.subscribe(SessionStopped, acts.append)
    holder, waiter = blocked
    status, report = await asked(context, "PUT", "/database/cancel", {"pid": waiter})
    assert (status, report["done"], report["pid"]) == (200, True, waiter)
    status, report = await asked(context, "PUT", "/database/cancel", {"pid": holder, "terminate": True})
    assert (status, report["done"]) == (200, True)
    assert [(act.pid, act.is_ended, act.operator) for act in acts] == [
        (waiter, False, "uid 7"),
        (holder, True, "uid 7"),
    ]
    status, refused = await asked(context, "PUT", "/database/cancel", {"pid": holder})
    assert (status, "No session" in refused["detail"]) == (409, True)
    assert len(acts) == 2
    for body in ({"pid": "x"}, {"pid": waiter, "planet": 1}):
        assert (await asked(context, "PUT", "/database/cancel", body))[0] == 422


async def test_a_database_that_is_away_is_shown_as_it_was(
    context: MonitorContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (await asked(context, "GET", "/database"))[1]
    monkeypatch.setattr(context.database, "_dsns", ["postgresql://127.0.0.1:1/none"])
    away = (await asked(context, "GET", "/database"))[1]
    assert away["is_here"] is False
    assert "127.0.0.1:1" in away["error"]
    assert (away["as_of"], away["sizes"], away["waits"]) == (before["as_of"], before["sizes"], before["waits"])
    still = (await asked(context, "GET", "/database"))[1]
    assert still["away_since"] == away["away_since"]
    status, refused = await asked(context, "PUT", "/database/cancel", {"pid": 1})
    assert (status, "127.0.0.1:1" in refused["detail"]) == (503, True)
