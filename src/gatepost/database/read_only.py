"""Whether the server takes writes: a standby does not, nor one whose `default_transaction_read_only` is on.

PostgreSQL tells both of every session without being asked (it reports the settings at connect, and when a standby is
promoted), so reads pay nothing for it. A setting that is reloaded is told with the next answer: the listener's
heartbeat asks for it, so that it is known even while nothing writes. What a service has set on its own transaction is
not the server's state.
"""

import time

import asyncpg

from gatepost.database.connection import RawConnection
from gatepost.events import DatabaseReadOnly, DatabaseWritable, Events


class ReadOnly:
    """The state of one database, as its connections last told it."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._witness: RawConnection | None = None
        self._since: float | None = None
        self._is_new = False
        self._told: tuple[RawConnection, bool] | None = None

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

    def note_refused(self, raw: RawConnection) -> bool:
        """A write was refused with 25006. True where the server is the reason, and not the transaction itself."""
        if refuses_writes(raw) is False:
            return False
        self._begin(raw)
        return True

    def note_told(self, raw: RawConnection, *, refuses: bool) -> None:
        """The answer of a connection that is asked repeatedly. Only a change says something about the server: where the
        setting of a role or a database has changed, an older session keeps the old one."""
        told, self._told = self._told, (raw, refuses)
        if told == self._told:
            return
        if refuses:
            self._begin(raw)
        elif told == (raw, True):
            self._end()

    def is_new(self) -> bool:
        """True at the first call since writes are refused."""
        was_new, self._is_new = self._is_new, False
        return was_new

    def _begin(self, raw: RawConnection) -> None:
        self._witness = raw
        if self._since is None:
            self._since = time.monotonic()
            self._is_new = True
            self._events.emit(DatabaseReadOnly(reason=_reason(raw)))

    def _end(self) -> None:
        self._witness = None
        if self._since is not None:
            seconds, self._since = round(time.monotonic() - self._since, 3), None
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
