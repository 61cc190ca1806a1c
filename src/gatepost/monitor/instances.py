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
from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page
from gatepost.records.records_database import RecordsAway

BEAT_SECONDS = 10.0
FORGOTTEN_DAYS = 35
"""An instance that has been gone for so long is no longer listed: its history is gone as well."""

GONE_SECONDS = 86_400.0
"""After so long nobody misses it any more."""

_BEAT = """
WITH before AS (SELECT release FROM gatepost.instances WHERE name = $1)
INSERT INTO gatepost.instances (name, admin_address, release, version, started_at, beat_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (name) DO UPDATE SET admin_address = $2, release = $3, version = $4, started_at = $5, beat_at = now(),
  stopped_at = NULL
RETURNING extract(epoch FROM clock_timestamp())::float8 AS there, (SELECT release FROM before) AS release_before
"""
_LIST = """
SELECT name, admin_address, release, version, started_at, beat_at, stopped_at,
  extract(epoch FROM now() - beat_at)::float8 AS silent_seconds
FROM gatepost.instances ORDER BY name
"""
_MOMENTS = ("started_at", "beat_at", "stopped_at")
_STOP = "UPDATE gatepost.instances SET stopped_at = now() WHERE name = $1"
_FORGET = "DELETE FROM gatepost.instances WHERE beat_at < now() - make_interval(days => $1)"


class InstanceBeats:
    """Writes the beats, and serves `/instances`.

    `clock_offset_seconds` is how far the clock of the database is ahead of this machine's; None where it has not been
    asked. `has_tried` is set when the first beat has been written, or could not be; `release_before` is what the
    instance of this name was before that.
    """

    def __init__(self, context: MonitorContext) -> None:
        self._monitored = context.monitored
        self._database = context.database
        self._started_at = datetime.now(UTC)
        self.clock_offset_seconds: float | None = None
        self.has_tried = asyncio.Event()
        self.release_before: str | None = None
        self._wait_for = context.wait_for
        context.pages.add("GET", "/instances", self._page)

    async def run(self) -> None:
        """Write one every BEAT_SECONDS."""
        while True:
            try:
                await self._beat()
            except RecordsAway:
                self.clock_offset_seconds = None
            self.has_tried.set()
            stop_if_cancelled()
            await asyncio.sleep(BEAT_SECONDS)

    async def stop(self) -> None:
        """Say that the instance has been ended, where that can be said: nobody is to miss it."""
        with contextlib.suppress(RecordsAway):
            async with self._database.connection() as connection:
                await connection.execute(_STOP, self._monitored.instance)

    async def _beat(self) -> None:
        of = self._monitored
        async with self._database.connection() as connection:
            sent_at = time.time()
            found = await connection.fetchrow(
                _BEAT, of.instance, of.admin_address, of.release, version("gatepost"), self._started_at
            )
            if not self.has_tried.is_set():
                self.release_before = found["release_before"]
            self.clock_offset_seconds = found["there"] - (sent_at + time.time()) / 2
            await connection.execute(_FORGET, FORGOTTEN_DAYS)

    def _page(self, request: Request) -> Page:
        try:
            found = self._wait_for(self._listed())
        except (RecordsAway, TimeoutError):
            found = [self._own()]
        return json_page(200, {"instances": found, "records": self._database.state})

    async def _listed(self) -> list[dict[str, Any]]:
        async with self._database.connection() as connection:
            rows: list[Mapping[str, Any]] = await connection.fetch(_LIST)
        found: list[dict[str, Any]] = []
        for row in rows:
            is_own = row["name"] == self._monitored.instance
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
        return found

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
