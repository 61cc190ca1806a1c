"""Commits that were given up while they waited for a standby: as long as one of them waits, none can be confirmed.

With synchronous replication a commit waits until a standby has it, and its backend does not notice that the client has
gone. Were writes sent on, each would leave one more such backend behind, until PostgreSQL takes no connection. Standbys
confirm commits in their order, so a write that is sent now would wait longer than those: it is refused instead, before
it is written.

The backends are not terminated. That would end their wait as though a standby had confirmed it, and everybody would
read what a promoted standby lacks (`docs/how-to/fail-over.md`).
"""

import asyncio
import time

from gatepost.background import background
from gatepost.database.connection import Connect, RawConnection
from gatepost.database.failures import DRIVER_FAILURES, read_only, unavailable
from gatepost.events import DatabaseReadOnly, DatabaseWritable, Events

LOOK_SECONDS = 0.25
"""How often it is seen whether they still wait."""

LOOK_SECONDS_MAX = 1.0
"""How long a look may take."""

REASON = "commits wait for a standby (synchronous_standby_names)"

_STILL_WAITING = "SELECT pid FROM pg_stat_activity WHERE pid = ANY($1::int[]) AND wait_event = 'SyncRep'"


class UnconfirmedCommits:
    """Those of this process. `connect` opens a connection, which looks at them as long as one waits.

    `is_on` says that writes are refused: as long as one waits, and from the moment that a write is given up until it is
    known why, so that no other is sent in between. It is known once one was seen waiting twice: where a standby is
    there, commits wait for it as well, but not for long. Behind a pooler that hides the numbers of backends none is
    ever seen.
    """

    def __init__(self, connect: Connect, events: Events) -> None:
        self._connect = connect
        self._events = events
        self._pids: set[int] = set()
        self._seen: set[int] = set()
        self._connection: RawConnection | None = None
        self._since: float | None = None
        self._looking: asyncio.Task[None] | None = None
        self.is_on = False

    @property
    def is_known(self) -> bool:
        """Whether one was seen waiting twice."""
        return self._since is not None

    def check(self) -> None:
        """Raise 503 `database_read_only` where a write that is sent now would wait as well, and
        `database_unavailable` where that is not yet known."""
        if self.is_on:
            raise read_only() if self.is_known else unavailable()

    def note_given_up(self, raw: RawConnection) -> None:
        """A write was sent over this connection, and its reply is waited for no longer."""
        self._pids.add(raw.get_server_pid())
        if self._looking is None or self._looking.done():
            self.is_on = True
            self._looking = background(self._look(), "look whether commits wait for a standby", self._events)

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    async def _look(self) -> None:
        try:
            while self._pids:
                try:
                    async with asyncio.timeout(LOOK_SECONDS_MAX):
                        self._connection = self._connection or await self._connect()
                        await self._look_by(self._connection)
                except DRIVER_FAILURES:
                    self._close()
                    self.is_on = self.is_known
                if self._pids:
                    await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._close()
            self.is_on = False

    async def _look_by(self, connection: RawConnection) -> None:
        looked_for = list(self._pids)
        waiting = {row[0] for row in await connection.fetch(_STILL_WAITING, looked_for)}
        self._pids.difference_update({*looked_for} - waiting)
        self.is_on = bool(waiting)
        is_second, self._seen = bool(waiting & self._seen), waiting
        if is_second and self._since is None:
            self._since = time.monotonic()
            self._events.emit(DatabaseReadOnly(reason=REASON))
        elif not waiting and self._since is not None:
            seconds, self._since = round(time.monotonic() - self._since, 3), None
            self._events.emit(DatabaseWritable(seconds=seconds))

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
