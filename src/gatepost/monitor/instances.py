"""The instances of an application: each writes into `gatepost.instances` that it is there, and reads who else is."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from gatepost.alerting.conditions import SILENT_SECONDS
from gatepost.background import stop_if_cancelled
from gatepost.events import InstanceNameTaken
from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.records_database import RecordsAway

BEAT_SECONDS = 10.0
FORGOTTEN_DAYS = 35
"""An instance that has been gone for so long is no longer listed: its history is gone as well."""

GONE_SECONDS = 86_400.0
"""After so long nobody misses it any more."""

LISTED_MAX = 500
"""So many are listed: those that run or are silent, then the others, the last ones first. Where each container has a
name of its own, five weeks of deployments leave thousands."""

HELD_SECONDS = 3 * BEAT_SECONDS
"""An instance that has not been ended keeps its name for so long after its last beat."""

# A server is known by when it started, to the microsecond.
_BEAT = """
WITH before AS (SELECT release FROM gatepost.instances WHERE name = $1)
INSERT INTO gatepost.instances (name, admin_address, release, version, started_at, beat_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (name) DO UPDATE SET admin_address = $2, release = $3, version = $4, started_at = $5, beat_at = now(),
  stopped_at = NULL
WHERE instances.started_at = $5 OR instances.stopped_at IS NOT NULL
  OR instances.beat_at < now() - make_interval(secs => $6)
RETURNING extract(epoch FROM clock_timestamp())::float8 AS there, (SELECT release FROM before) AS release_before
"""
_HOLDER = "SELECT admin_address, started_at, beat_at FROM gatepost.instances WHERE name = $1"
_LIST = """
SELECT name, admin_address, release, version, started_at, beat_at, stopped_at,
  extract(epoch FROM now() - beat_at)::float8 AS silent_seconds, count(*) OVER () AS known
FROM gatepost.instances
ORDER BY stopped_at IS NOT NULL OR beat_at < now() - make_interval(secs => $1), beat_at DESC LIMIT $2
"""
_MOMENTS = ("started_at", "beat_at", "stopped_at")
_STOP = "UPDATE gatepost.instances SET stopped_at = now() WHERE name = $1 AND started_at = $2"
_FORGET = "DELETE FROM gatepost.instances WHERE beat_at < now() - make_interval(days => $1)"


class InstanceBeats:
    """Writes the beats, and serves `/instances`. A name is one server's: where another one has that of this instance,
    that is said, and nothing is copied under it.

    `clock_offset_seconds` is how far the clock of the database is ahead of this machine's; None where it has not been
    asked. `has_tried` is set when the first beat has been written, or could not be; `release_before` is what the
    instance of this name was before that.
    """

    def __init__(self, context: MonitorContext) -> None:
        self._monitored = context.monitored
        self._database = context.database
        self._events = context.events
        self._started_at = datetime.fromtimestamp(context.monitored.started_at, UTC)
        self._other_beat_at: datetime | None = None
        self.clock_offset_seconds: float | None = None
        self.has_tried = asyncio.Event()
        self.release_before: str | None = None
        self._wait_for = context.wait_for
        context.database.expect_name()
        context.pages.add("GET", "/instances", self._page)

    async def run(self) -> None:
        """Write one every BEAT_SECONDS."""
        while True:
            try:
                await self._beat()
            except RecordsAway:
                self.clock_offset_seconds = None
                if not self._database.name_conflict:
                    # Where only the table is lacking, nobody can know whose the name is.
                    self._database.note_name(has_name=self._database.is_here)
            self.has_tried.set()
            stop_if_cancelled()
            await asyncio.sleep(BEAT_SECONDS)

    async def stop(self) -> None:
        """Say that the instance has been ended, where that can be said: nobody is to miss it."""
        with contextlib.suppress(RecordsAway):
            async with self._database.connection("instances") as connection:
                await connection.execute(_STOP, self._monitored.instance, self._started_at)

    async def _beat(self) -> None:
        of = self._monitored
        async with self._database.connection("instances") as connection:
            sent_at = time.time()
            found = await connection.fetchrow(
                _BEAT, of.instance, of.admin_address, of.release, version("gatepost"), self._started_at, HELD_SECONDS
            )
            if found is None:
                self._note_holder(await connection.fetchrow(_HOLDER, of.instance))
                return
            if not self.has_tried.is_set():
                self.release_before = found["release_before"]
            self.clock_offset_seconds = found["there"] - (sent_at + time.time()) / 2
            await connection.execute(_FORGET, FORGOTTEN_DAYS)
        self._other_beat_at = None
        self._database.note_name(has_name=True)

    def _note_holder(self, holder: Mapping[str, Any] | None) -> None:
        """Another server has the name. It runs if it has written a beat since the last look; else it was killed, and
        the name is free soon."""
        if holder is None:  # it has been forgotten meanwhile
            return
        beat_at, before = holder["beat_at"], self._other_beat_at
        self._other_beat_at = beat_at
        name, since = self._monitored.instance, shown_moment(holder["started_at"].timestamp())
        # One that was seen to run is taken for running until its name is free: its beats may come a little late.
        if not self._database.is_name_taken and (before is None or beat_at == before):
            self._database.note_name(
                has_name=False, conflict=f"The server that was {name} before has not said that it ended."
            )
            return
        where = "" if holder["admin_address"] is None else f", at {holder['admin_address']}"
        is_news = not self._database.is_name_taken
        conflict = (
            f"Another server, started at {since}{where}, is called {name} as well: give each a GATEPOST_INSTANCE of "
            "its own."
        )
        self._database.note_name(has_name=False, conflict=conflict, is_taken=True)
        if is_news:
            self._events.emit(InstanceNameTaken(name, since, holder["admin_address"]))

    def _page(self, request: Request) -> Page:
        try:
            found, left_out = self._wait_for(self._listed())
        except (RecordsAway, TimeoutError):
            found, left_out = [self._own()], 0
        return json_page(200, {"instances": found, "left_out": left_out, "records": self._database.state})

    async def _listed(self) -> tuple[list[dict[str, Any]], int]:
        """Those that are listed, and how many others there are."""
        async with self._database.connection("instances") as connection:
            rows = [dict(row) for row in await connection.fetch(_LIST, GONE_SECONDS, LISTED_MAX)]
        known = max((row.pop("known") for row in rows), default=0)
        found: list[dict[str, Any]] = []
        for row in rows:
            is_own = row["name"] == self._monitored.instance and row["started_at"] == self._started_at
            found.append(
                {
                    **row,
                    **{name: shown_moment_or_none(row[name]) for name in _MOMENTS},
                    "silent_seconds": round(row["silent_seconds"], 1),
                    "state": _state_of(row),
                    "is_this": is_own,
                    "clock_offset_seconds": self._clock_offset() if is_own else None,
                }
            )
        if not any(each["is_this"] for each in found):
            found.append(self._own())
        return sorted(found, key=lambda each: str(each["name"])), known - len(rows)

    def _own(self) -> dict[str, Any]:
        of = self._monitored
        return {
            "name": of.instance,
            "admin_address": of.admin_address,
            "release": of.release,
            "version": version("gatepost"),
            "started_at": shown_moment(self._started_at),
            "beat_at": None,
            "stopped_at": None,
            "silent_seconds": 0.0,
            "state": "running",
            "is_this": True,
            "clock_offset_seconds": None,
        }

    def _clock_offset(self) -> float | None:
        return None if self.clock_offset_seconds is None else round(self.clock_offset_seconds, 3)


def _state_of(row: Mapping[str, Any]) -> str:
    if row["stopped_at"] is not None:
        return "stopped"
    silent = row["silent_seconds"]
    return "gone" if silent > GONE_SECONDS else "silent" if silent > SILENT_SECONDS else "running"
