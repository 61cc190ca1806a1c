"""`/database` of the admin listener: the pool, who waits for whom, long transactions, sizes; and how to stop a session.

The same as `gatepost db waits`, `sizes`, `advise` and `cancel` find. PostgreSQL is asked at most every few seconds,
however many look. Where the database is away, the page shows how it was last, since when it is away, and why.
"""

import asyncio
import time
from contextlib import suppress
from itertools import count
from typing import Any, NamedTuple

import asyncpg
import msgspec

from gatepost.database.activity import DatabaseActivity, read_activity
from gatepost.database.session_ending import CancelReport, stop_session
from gatepost.database.sizes import read_sizes
from gatepost.errors import ConfigurationError
from gatepost.events import SessionStopped
from gatepost.metrics import families
from gatepost.moments import shown_moment
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.history_records import HistoryRecords
from gatepost.monitor.index_advice_runs import IndexAdviceRuns
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.records_database import RecordsAway, RecordsConnection

LONG_SECONDS = 60.0
"""As `gatepost db waits` says it where it is not told otherwise."""
SIZES = 20
ACTIVITY_SECONDS = 2.0
SIZES_SECONDS = 60.0
SIZES_LOCK_MS = 200
PATIENCE_SECONDS = 6.0
DEPTH_MAX = 50
"""Of the tree of waits."""

_POOL = {
    "connections": families.POOL_SIZE.name,
    "connections_max": families.POOL_LIMIT.name,
    "in_use": families.POOL_IN_USE.name,
    "waiting": families.POOL_WAITING.name,
}


class _Kept(NamedTuple):
    """What was found, and when (seconds since the epoch)."""

    found: Any
    at: float


class SessionChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body that stops the statement of a session, or with `terminate` the session."""

    pid: int
    terminate: bool = False


class WaitingSession(msgspec.Struct):
    """A session in the tree of waits, with those that wait for it."""

    pid: int
    waiters: "list[WaitingSession]" = []


class DatabasePage:
    """Serves it."""

    def __init__(self, context: MonitorContext, history: HistoryRecords) -> None:
        self._context = context
        self._database = context.database
        self._history = history
        self._advice = IndexAdviceRuns(context.monitored.reference, context.monitored.settings.database.url)
        self._lock = asyncio.Lock()
        self._activity: _Kept | None = None
        self._sizes: _Kept | None = None
        self._away: tuple[float, str] | None = None
        context.pages.add("GET", "/database", self._page)
        context.pages.add("PUT", "/database/cancel", self._cancel)

    def _page(self, request: Request) -> Page:
        self._context.wait_for(self._look())
        if self._away is None:
            self._advice.look()
        activity, sizes, away = self._activity, self._sizes, self._away
        gauges = self._history.unfinished().gauges
        return json_page(
            200,
            {
                "is_here": away is None,
                "away_since": None if away is None else shown_moment(away[0]),
                "error": None if away is None else away[1],
                "as_of": None if activity is None else shown_moment(activity.at),
                "pool": {
                    name: sum(seen.total for seen in gauges.get(family, {}).values()) for name, family in _POOL.items()
                },
                "waits": None if activity is None else activity.found,
                "tree": [] if activity is None else tree_of(activity.found),
                "sizes": None if sizes is None else sizes.found,
                "advice": self._advice.advice,
                "advice_error": self._advice.error,
                "is_advising": self._advice.is_running,
                "records": self._database.state,
            },
        )

    def _cancel(self, request: Request) -> Page:
        try:
            change = msgspec.json.decode(request.body, type=SessionChange)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})

        async def stopped() -> CancelReport:
            async with self._database.other_connection() as connection:
                return await stop_session(connection, change.pid, terminates=change.terminate)

        try:
            report = self._context.wait_for(stopped())
        except ConfigurationError as error:
            return json_page(409, {"detail": str(error)})
        except (RecordsAway, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return json_page(503, {"detail": str(error)})
        if report.tried:
            self._context.events.emit(SessionStopped(change.pid, change.terminate, report.outcome, request.operator))
        return json_page(200, report)

    async def _look(self) -> None:
        """Ask what is not known, or was found long ago. One at a time: those that come meanwhile see what it found."""
        async with self._lock:
            now = time.time()
            is_new = self._activity is not None and abs(now - self._activity.at) < ACTIVITY_SECONDS
            if is_new and self._away is None:
                return
            try:
                async with asyncio.timeout(PATIENCE_SECONDS), self._database.other_connection() as connection:
                    self._activity = _Kept(await read_activity(connection, LONG_SECONDS), now)
                    if self._sizes is None or abs(now - self._sizes.at) > SIZES_SECONDS:
                        await self._measure(connection, now)
            except (RecordsAway, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                said = str(error) or "The database does not respond in time."
                self._away = (now if self._away is None else self._away[0], said)
            else:
                self._away = None

    async def _measure(self, connection: RecordsConnection, now: float) -> None:
        """Read the sizes, unless a table is locked: that is when it matters most who waits for whom."""
        with suppress(asyncpg.PostgresError):
            await connection.execute(f"SET lock_timeout = {SIZES_LOCK_MS}")
            self._sizes = _Kept(await read_sizes(connection, SIZES), now)


def tree_of(activity: DatabaseActivity) -> list[WaitingSession]:
    """Who waits for whom, each session once: below the nearest one to the top that it waits for. At the top are those
    that wait for nobody, and of a ring of waits its first."""
    waits_for = {session.pid: session.waits_for for session in activity.waits}
    waiters: dict[int, list[int]] = {}
    for pid, others in waits_for.items():
        for other in others:
            waiters.setdefault(other, []).append(pid)
    tops = [pid for pid in waiters if not waits_for.get(pid)]
    placed: dict[int, WaitingSession] = {}
    found: list[WaitingSession] = []
    for top in [*tops, *waits_for]:
        if top in placed or top not in waiters:
            continue
        found.append(placed.setdefault(top, WaitingSession(top)))
        level = [top]
        for depth in count(1):
            level = [
                pid for above in level for pid in waiters.get(above, ()) if _place(pid, placed, placed[above], depth)
            ]
            if not level:
                break
    return found


def _place(pid: int, placed: dict[int, WaitingSession], above: WaitingSession, depth: int) -> bool:
    """Put a session below another, where it has no place yet; False where it has."""
    if pid in placed:
        return False
    session = WaitingSession(pid)
    above.waiters.append(session)
    placed[pid] = session if depth < DEPTH_MAX else above  # what waits for it is then beside it
    return True
