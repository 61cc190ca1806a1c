"""`ChangeRecords`: keeps what changes, and brings it to `gatepost.changes` of the database behind that."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec

from gatepost.alerting.texts import one_line
from gatepost.events import OperatorActed
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.monitor.query_values import moment_asked, text
from gatepost.records.changes import Change, shown_change
from gatepost.records.records_database import RecordsAway

COPY_SECONDS = 5.0
KEPT_DAYS = 35
SHOWN_MAX = 200
DETAIL_LENGTH_MAX = 300
ALL = "all"
"""Stands for all instances."""

_INSERT = """
INSERT INTO gatepost.changes (instance, at, number, kind, summary) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_ROWS = """
SELECT instance, at, kind, summary FROM gatepost.changes
WHERE at >= $1 AND at < $2 AND ($3::text IS NULL OR instance = $3) ORDER BY at DESC, number DESC LIMIT $4
"""
# Of all instances: those that are gone delete nothing.
_FORGET = "DELETE FROM gatepost.changes WHERE at < now() - make_interval(days => $1)"


class Asked(NamedTuple):
    """What a request wants: between which moments (seconds since the epoch), of which instance (None: this one), and
    whether it names the first moment."""

    since: float
    until: float
    instance: str | None
    is_bounded: bool


class Act(msgspec.Struct, forbid_unknown_fields=True):
    """The body that says what an operator has done."""

    act: Annotated[str, msgspec.Meta(pattern="^[a-z][a-z -]{0,39}$")]
    detail: str


class ChangeRecords:
    """Serves them at `/changes`, the newest first, and copies what is new every COPY_SECONDS.

    `?since=` and `?until=` bound them, `?instance=` names another instance, or `all`. Those of this one are read from
    its file, as long as that has them; the others from the database.
    """

    def __init__(self, context: MonitorContext) -> None:
        self._context = context
        self._instance = context.monitored.instance
        self._changes = context.changes
        self._database = context.database
        context.handle(Change, self._changes.add)
        context.pages.add("GET", "/changes", self._page)
        context.pages.add("PUT", "/acts", self._note_act)

    async def run(self) -> None:
        """Copy, without end."""
        while True:
            await asyncio.sleep(COPY_SECONDS)
            await self.copy()

    async def copy(self) -> None:
        """Copy what is new, where the database is there."""
        if new := self._changes.uncopied():
            with contextlib.suppress(RecordsAway):
                await self._copy(new)

    async def _copy(self, new: list[Change]) -> None:
        rows = [
            (self._instance, datetime.fromtimestamp(change.at, UTC), change.number, change.kind, change.summary)
            for change in new
        ]
        async with self._database.copying("changes") as connection:
            await connection.executemany(_INSERT, rows)
            await connection.execute(_FORGET, KEPT_DAYS)
        self._changes.copied(new)

    def _page(self, request: Request) -> Page:
        now = time.time()
        try:
            asked = _asked(request.query, now)
        except ValueError as error:
            return json_page(422, {"detail": str(error)})
        own = [change for change in self._changes.newest_first() if asked.since <= change.at < asked.until]
        found = [{"instance": self._instance, **shown_change(change)} for change in own[:SHOWN_MAX]]
        source = "file"
        if asked.instance not in {None, self._instance} or self._has_forgotten(asked):
            try:
                found, source = self._context.wait_for(self._rows(asked)), "database"
            except (RecordsAway, TimeoutError) as error:
                if asked.instance not in {None, self._instance}:
                    return json_page(503, {"detail": str(error) or "The database does not respond in time."})
        return json_page(200, {"instance": asked.instance or self._instance, "from": source, "changes": found})

    def _note_act(self, request: Request) -> Page:
        """What an operator has done by a command that needs no server."""
        try:
            act = msgspec.json.decode(request.body, type=Act)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})
        self._context.events.emit(OperatorActed(act.act, one_line(act.detail, DETAIL_LENGTH_MAX), request.operator))
        return json_page(200, {"operator": request.operator})

    def _has_forgotten(self, asked: Asked) -> bool:
        """Whether the file no longer has all that is asked for; without a moment, the last ones are."""
        if not asked.is_bounded or self._changes.has_all:
            return False
        return self._changes.newest_first()[-1].at > asked.since

    async def _rows(self, asked: Asked) -> list[dict[str, Any]]:
        name = None if asked.instance == ALL else asked.instance or self._instance
        since, until = (datetime.fromtimestamp(moment, UTC) for moment in (asked.since, asked.until))
        async with self._database.connection("changes") as connection:
            rows: list[Any] = await connection.fetch(_ROWS, since, until, name, SHOWN_MAX)
        return [
            {"instance": row["instance"], **shown_change(Change(row["kind"], row["summary"], row["at"].timestamp()))}
            for row in rows
        ]


def _asked(query: Mapping[str, str], now: float) -> Asked:
    oldest = now - KEPT_DAYS * 86_400
    since = moment_asked(query, "since", f"{KEPT_DAYS}d", now)
    until = moment_asked(query, "until", "0s", now)
    # A change of this very moment is one of those until now.
    return Asked(max(since, oldest), until if "until" in query else now + 1, text(query, "instance"), "since" in query)
