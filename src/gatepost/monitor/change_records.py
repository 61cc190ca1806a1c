"""`ChangeRecords`: keeps what changes, and brings it to `gatepost.changes` of the database behind that."""

import asyncio
import contextlib
from datetime import UTC, datetime
from itertools import islice

from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.changes import Change
from gatepost.records.moments import shown_moment
from gatepost.records.records_database import RecordsAway

COPY_SECONDS = 5.0
KEPT_DAYS = 35
SHOWN_MAX = 200

_INSERT = """
INSERT INTO gatepost.changes (instance, at, number, kind, summary) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
# Of all instances: those that are gone delete nothing.
_FORGET = "DELETE FROM gatepost.changes WHERE at < now() - make_interval(days => $1)"


class ChangeRecords:
    """Serves them at `/changes`, the newest first, and copies what is new every COPY_SECONDS."""

    def __init__(self, context: MonitorContext) -> None:
        self._instance = context.monitored.instance
        self._changes = context.changes
        self._database = context.database
        context.handle(Change, self._changes.add)
        context.pages.add("GET", "/changes", self._page)

    async def run(self) -> None:
        """Copy, without end."""
        while True:
            await asyncio.sleep(COPY_SECONDS)
            await self.copy()

    async def copy(self) -> None:
        """Copy what is new, where the database is there."""
        if new := list(self._changes.uncopied):
            with contextlib.suppress(RecordsAway):
                await self._copy(new)

    async def _copy(self, new: list[Change]) -> None:
        rows = [
            (self._instance, datetime.fromtimestamp(change.at, UTC), change.number, change.kind, change.summary)
            for change in new
        ]
        async with self._database.connection() as connection:
            await connection.executemany(_INSERT, rows)
            await connection.execute(_FORGET, KEPT_DAYS)
        self._changes.copied(new)

    def _page(self, request: Request) -> Page:
        found = [
            {
                "at": shown_moment(change.at),
                "kind": change.kind,
                "summary": change.summary,
            }
            for change in islice(self._changes.newest_first(), SHOWN_MAX)
        ]
        return json_page(200, {"changes": found})
