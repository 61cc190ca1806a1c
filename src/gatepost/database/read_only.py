"""Whether the server takes writes: a standby does not, nor one whose `default_transaction_read_only` is on.

PostgreSQL tells both of every session without being asked (it reports the settings at connect, and when a standby is
promoted), so reads pay nothing for it. A setting that is reloaded is told with the next reply: the listener's
heartbeat asks for it, so that it is known even while nothing writes. What a service has set on its own transaction is
not the server's state.

Where another server has taken over, or the setting has changed, only a new session sees it. So the pool's connections
are replaced, and while writes are refused one connection a second is opened to see whether they still are.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable

import asyncpg

from gatepost.background import background
from gatepost.database.connection import Connect, RawConnection
from gatepost.database.failures import DRIVER_FAILURES
from gatepost.events import DatabaseReadOnly, DatabaseWritable, Events

LOOK_SECONDS = 1.0
"""While writes are refused, a connection is opened at most so often to see whether they still are."""


class ReadOnly:
    """The state of one database, as its connections last told it.

    `connect` opens a connection and tells its state by `note_opened`. `close_idle` closes those connections of the pool
    for which its argument is true.
    """

    def __init__(
        self, connect: Connect, close_idle: Callable[[Callable[[RawConnection], bool]], None], events: Events
    ) -> None:
        self._connect = connect
        self._close_idle = close_idle
        self._events = events
        self._witness: RawConnection | None = None
        self._since: float | None = None
        self._has_closed_idle = False
        self._told: tuple[RawConnection, bool] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._looked_at = 0.0

    @property
    def is_on(self) -> bool:
        """Whether writes are refused at present."""
        witness = self._witness
        if witness is not None and not witness.is_closed() and refuses_writes(witness) is False:
            self._end()  # it was promoted
        return self._since is not None

    def note_opened(self, raw: RawConnection) -> None:
        """A connection was opened: it knows the present state."""
        if refuses_writes(raw):
            self._begin(raw)
        else:
            self._end()

    def note_refused(self, raw: RawConnection) -> None:
        """A write was refused with 25006. Where the server is the reason, and not the transaction itself, the
        connection is closed, and the idle ones with it, once per outage."""
        if refuses_writes(raw) is False:
            return
        self._begin(raw)
        if not self._has_closed_idle:
            self._has_closed_idle = True
            self._close_idle(lambda _idle: True)
        self._look()
        raw.terminate()

    def note_told(self, raw: RawConnection, *, refuses: bool) -> None:
        """The reply of a connection that is asked repeatedly. Only a change says something about the server: where the
        setting of a role or a database has changed, an older session keeps the old one."""
        told, self._told = self._told, (raw, refuses)
        if told != self._told:
            if refuses:
                self._begin(raw)
            elif told == (raw, True):
                self._end()
        if self.is_on and not is_standby(raw):
            self._look()  # sessions go on as they began, and requests may not come until this is over

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def _look(self) -> None:
        """See whether a new session takes writes, if none was opened for that just now."""
        if self._looking is None or (self._looking.done() and time.monotonic() - self._looked_at > LOOK_SECONDS):
            self._looked_at = time.monotonic()
            name = "look whether the database takes writes"
            self._looking = background(self._open_to_look(), name, self._events)

    async def _open_to_look(self) -> None:
        with contextlib.suppress(*DRIVER_FAILURES):
            (await self._connect()).terminate()  # `note_opened` was told what it found

    def _begin(self, raw: RawConnection) -> None:
        self._witness = raw
        if self._since is None:
            self._since = time.monotonic()
            self._has_closed_idle = False
            self._events.emit(DatabaseReadOnly(reason=_reason(raw)))

    def _end(self) -> None:
        self._witness = None
        if self._since is not None:
            seconds, self._since = round(time.monotonic() - self._since, 3), None
            # Sessions that go on as they began would be taken for the next outage.
            self._close_idle(lambda idle: refuses_writes(idle) is not False)
            self._events.emit(DatabaseWritable(seconds=seconds))


def refuses_writes(raw: RawConnection) -> bool | None:
    """What the session says of itself; None where a pooler in between does not pass it on, or it is closed."""
    states = [_setting(raw, name) for name in ("in_hot_standby", "default_transaction_read_only")]
    if "on" in states:
        return True
    return None if None in states else False


def is_standby(raw: RawConnection) -> bool:
    """Whether the session's server is a standby: its promotion will be told to the session."""
    return _setting(raw, "in_hot_standby") == "on"


def _setting(raw: RawConnection, name: str) -> str | None:
    try:
        return getattr(raw.get_settings(), name, None)
    except (asyncpg.InterfaceError, AttributeError):  # it is closed
        return None


def _reason(raw: RawConnection) -> str:
    if is_standby(raw):
        return "the server is a standby (in_hot_standby)"
    return "default_transaction_read_only is on"
