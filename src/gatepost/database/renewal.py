"""New connections in place of those whose server takes no writes.

Where another server has taken over, or `default_transaction_read_only` has changed, only a new session sees it. One
object per process, because all requests share the pool.
"""

import asyncio
import time

from gatepost.background import background
from gatepost.database.connection import Connect, RawConnection
from gatepost.database.failures import DRIVER_FAILURES
from gatepost.database.pool import Pool
from gatepost.database.read_only import ReadOnly, refuses_writes
from gatepost.events import Events

LOOK_SECONDS = 1.0
"""While writes are refused, a connection is opened at most so often to see whether they still are."""


class Renewal:
    """Closes what the pool has of such connections, and looks whether new ones are better."""

    def __init__(self, connect: Connect, pool: Pool, read_only: ReadOnly, events: Events) -> None:
        self._connect = connect
        self._pool = pool
        self._read_only = read_only
        self._events = events
        self._task: asyncio.Task[None] | None = None
        self._looked_at = 0.0

    def renew(self, raw: RawConnection) -> None:
        """A write was refused on this connection: it is closed, and the idle ones with it, once per outage."""
        if self._read_only.is_new():
            self._pool.close_idle(lambda idle: True)
        self.look()
        raw.terminate()

    def look(self) -> None:
        """See whether a new session takes writes, if none was opened for that just now."""
        if self._task is None or (self._task.done() and time.monotonic() - self._looked_at > LOOK_SECONDS):
            self._looked_at = time.monotonic()
            name = "look whether the database takes writes"
            self._task = background(self._look(), name, self._events)

    async def stop(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _look(self) -> None:
        try:
            raw = await self._connect()
        except DRIVER_FAILURES:
            return
        if not self._read_only.is_on:
            self._pool.close_idle(lambda idle: refuses_writes(idle) is not False)
        raw.terminate()
