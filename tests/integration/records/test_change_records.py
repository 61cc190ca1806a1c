"""The page of changes: those of this instance from its file, what that no longer has and others from the database."""

import asyncio
import json
import time
from typing import Any

import asyncpg
from tests.integration.records.monitor_contexts import context_of

from gatepost.moments import shown_moment
from gatepost.monitor.change_records import SHOWN_MAX, ChangeRecords
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Request
from gatepost.records.changes import Change, change
from gatepost.records.reports import Reports


async def asked(context: MonitorContext, **query: str) -> tuple[int, dict[str, Any]]:
    request = Request("GET", "/changes", "", b"", "uid 7", query)
    page = await asyncio.to_thread(context.pages.find, request)
    return page.status, json.loads(page.body)


async def summaries(context: MonitorContext, **query: str) -> list[str]:
    status, found = await asked(context, **query)
    assert status == 200, found
    return [each["summary"] for each in found["changes"]]


async def test_changes_of_a_while_are_those_of_this_instance_or_of_all(database_url: str, reports: Reports) -> None:
    context, now = context_of(database_url, reports), time.time()
    records = ChangeRecords(context)
    for hours in (30, 3, 1):
        context.changes.add(Change("reload", f"{hours} hours ago", now - hours * 3600))
    context.changes.add(change("operator", "now (uid 7)", operator="uid 7"))
    await records.copy()
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO gatepost.changes VALUES ('two', now() - interval '2 hours', 1, 'start', 'of another')"
    )
    await connection.close()
    assert await summaries(context) == ["now (uid 7)", "1 hours ago", "3 hours ago", "30 hours ago"]
    assert await summaries(context, since="2h") == ["now (uid 7)", "1 hours ago"]
    until = shown_moment(now - 2 * 3600)
    assert await summaries(context, since="1d", until=until) == ["3 hours ago"]
    assert await summaries(context, since="4h", instance="all") == [
        "now (uid 7)", "1 hours ago", "of another", "3 hours ago",
    ]  # fmt: skip
    assert await summaries(context, instance="two") == ["of another"]
    _, own = await asked(context)
    assert (own["from"], own["changes"][0]["operator"], own["changes"][0]["instance"]) == ("file", "uid 7", "one")
    for query in ({"since": "yesterday"}, {"until": "never"}):
        status, refused = await asked(context, **query)
        assert (status, "is not a moment" in refused["detail"]) == (422, True)
    await context.database.close()


async def test_what_the_file_has_forgotten_is_read_from_the_database(database_url: str, reports: Reports) -> None:
    context, now = context_of(database_url, reports), time.time()
    records = ChangeRecords(context)
    context.changes.add(Change("start", "long ago", now - 3600))
    await records.copy()
    while context.changes.newest_first()[-1].summary == "long ago":
        context.changes.add(change("level", "again"))
    assert (await asked(context))[1]["from"] == "file"
    _, found = await asked(context, since="2h", until=shown_moment(now - 60))
    assert (found["from"], [each["summary"] for each in found["changes"]]) == ("database", ["long ago"])
    assert len(await summaries(context)) == SHOWN_MAX
    await context.database.close()


async def test_without_a_database_there_are_those_of_this_instance(reports: Reports) -> None:
    context = context_of("postgresql://127.0.0.1:1/nowhere", reports)
    ChangeRecords(context)
    context.changes.add(change("start", "here"))
    assert await summaries(context, since="1h") == ["here"]
    status, refused = await asked(context, instance="two")
    assert (status, "Records stay with this instance" in refused["detail"]) == (503, True)
