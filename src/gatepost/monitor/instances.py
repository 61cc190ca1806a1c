"""The instances of an application: each writes into `gatepost.instances` that it is there, and reads who else is."""

import asyncio
import contextlib
import time
from datetime import UTC, datetime
from importlib.metadata import version

from gatepost.monitor.context import MonitorContext
from gatepost.records.records_database import RecordsAway

BEAT_SECONDS = 10.0
FORGOTTEN_DAYS = 35
"""An instance that has been gone for so long is no longer listed: its history is gone as well."""

_BEAT = """
INSERT INTO gatepost.instances (name, admin_address, release, version, started_at, beat_at)
VALUES ($1, $2, $3, $4, $5, now())
ON CONFLICT (name) DO UPDATE SET admin_address = $2, release = $3, version = $4, started_at = $5, beat_at = now(),
  stopped_at = NULL
RETURNING extract(epoch FROM clock_timestamp())::float8
"""
_STOP = "UPDATE gatepost.instances SET stopped_at = now() WHERE name = $1"
_FORGET = "DELETE FROM gatepost.instances WHERE beat_at < now() - make_interval(days => $1)"


class InstanceBeats:
    """Writes the beats. `clock_offset_seconds` is how far the clock of the database is ahead of this machine's; None
    where it has not been asked."""

    def __init__(self, context: MonitorContext) -> None:
        self._monitored = context.monitored
        self._database = context.database
        self._started_at = datetime.now(UTC)
        self.clock_offset_seconds: float | None = None

    async def run(self) -> None:
        """Write one every BEAT_SECONDS."""
        while True:
            try:
                await self._beat()
            except RecordsAway:
                self.clock_offset_seconds = None
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
            there = await connection.fetchval(
                _BEAT, of.instance, of.admin_address, of.release, version("gatepost"), self._started_at
            )
            self.clock_offset_seconds = there - (sent_at + time.time()) / 2
            await connection.execute(_FORGET, FORGOTTEN_DAYS)
