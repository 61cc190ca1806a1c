"""The pages of errors, and what is copied of them, whatever else the database holds or does."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from tests.integration.records.monitor_contexts import context_of

from gatepost.monitor import error_records
from gatepost.monitor.change_records import ChangeRecords
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.error_records import ErrorRecords
from gatepost.monitor.page_table import Request
from gatepost.records.changes import change
from gatepost.records.error_reports import ErrorsSeen
from gatepost.records.reports import Reports


async def shown(context: MonitorContext) -> list[str]:
    """What the list of errors has."""
    page = await asyncio.to_thread(context.pages.find, Request("GET", "/errors", "", b"", "uid 7"))
    assert page.status == 200
    return [error["id"] for error in json.loads(page.body)["errors"]]


async def test_errors_are_listed_whatever_others_have_written_and_however_slow_the_database_is(
    database_url: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = context_of(database_url, reports)
    ErrorRecords(context)
    context.handlers[ErrorsSeen](ErrorsSeen("a1b2", "KeyError", "shop.pay", "KeyError: gone", 1, 1.0, []))
    connection: Any = await asyncpg.connect(database_url)
    await connection.execute(
        "INSERT INTO gatepost.error_groups VALUES ('two', 'c3d4', now(), now(), 1, NULL, '\\x93a161'), "
        "('three', 'e5f6', now(), now(), 1, NULL, 'of another release')"
    )
    await connection.close()
    assert await shown(context) == ["a1b2"]
    nameless = Request("PUT", "/errors/", "", b"", "uid 7")
    assert (await asyncio.to_thread(context.pages.find, nameless)).status == 404
    monkeypatch.setattr(error_records, "OTHERS_SECONDS_MAX", 0.2)
    async with context.database.connection():  # another part waits for a reply
        assert await asyncio.wait_for(shown(context), 5) == ["a1b2"]
    await context.database.close()


async def test_no_words_of_operators_keep_changes_from_being_copied(database_url: str, reports: Reports) -> None:
    context = context_of(database_url, reports)
    records = ChangeRecords(context)
    context.changes.add(change("operator", "silenced because of \x00 and \ud800"))
    context.changes.add(change("operator", "next"))
    await records.copy()
    assert not context.changes.uncopied()
    await context.database.close()
