"""What failed openings show: the database is unreachable, or it gives this process no more connections.

The pool asks before it opens, and reports the result. A database is away when the pool has no connection at
all: requests are refused at once, and one opening at a time probes, after a pause. Refused is a pool that has none
because PostgreSQL gives it none. Limited is one that may keep what it has: requests share those, and one opening at a
time tries whether there are more.
"""

import time

from asyncpg import exceptions as pg

from gatepost.backoff import Backoff, CircuitBreaker
from gatepost.events import ConnectionOpened, DatabaseLost, DatabaseRestored, Events, PoolLimited

BACKOFF_SECONDS = (0.05, 1.0)
"""First and longest pause between two tries to reach a database that is away."""

LIMITED_SECONDS = 1.0
"""Pause before the next opening, after one failed while the pool had other connections."""

SAME_LIMIT_SECONDS = 60.0
"""A limit that is found again within this time is the same one, and not said again."""


class Reachability:
    """The memory of one pool. `reason` is what the last opening raised while the database is away, or limited; the
    events say `address`."""

    def __init__(self, size_max: int, events: Events, address: str) -> None:
        self._size_max = size_max
        self.reason: Exception | None = None
        self._circuit = CircuitBreaker(Backoff(*BACKOFF_SECONDS, clock=time.monotonic), time.monotonic)
        self._silent_since: float | None = None
        self._said: set[bool] = set()
        self._found: int | None = None
        self._limited_at = float("-inf")
        self._events = events
        self._address = address

    @property
    def is_lost(self) -> bool:
        """True while the database is known to be away."""
        return self._circuit.is_open

    @property
    def is_refused(self) -> bool:
        """True while PostgreSQL is there, and gives this process no connection."""
        return self.is_lost and isinstance(self.reason, pg.InsufficientResourcesError)

    @property
    def is_silent(self) -> bool:
        """True while the database is away and does not even refuse: an opening takes all the time that it has."""
        return self.is_lost and isinstance(self.reason, TimeoutError)

    @property
    def is_doubtful(self) -> bool:
        """True from the beginning of a silence or an outage until a connection is opened."""
        return self.is_lost or self._silent_since is not None

    @property
    def pause(self) -> float:
        """In how many seconds the next opening may be tried while the database is away."""
        return self._circuit.pause

    @property
    def size_max(self) -> int:
        """How many connections there can be: those asked for, or those that there were when one more was refused."""
        return self._size_max if self._found is None else self._found

    def may_open(self, size: int, *, opening: int, has_any: bool) -> bool:
        """Whether to open one more. `size` counts the connections open or being opened, `opening` the latter alone.
        `has_any` is whether any is open."""
        if size >= self._size_max or ((self.is_lost or self._found is not None) and opening):
            return False
        if self.is_lost:
            return self._circuit.pause == 0
        return not has_any or self._found is None or time.monotonic() >= self._limited_at + LIMITED_SECONDS

    def note_silence(self, seconds: float) -> None:
        """The database has been silent for so long. Where nothing can be opened, that is when the outage began."""
        if not self.is_doubtful:
            self._silent_since = time.monotonic() - seconds

    def note_loss(self, error: Exception) -> None:
        """Nothing is open, and nothing can be opened. Said once, and once that PostgreSQL refuses; the pause before the
        next try is longer each time."""
        self.reason = error.with_traceback(None)
        self._found = None
        self._circuit.record_failure(self._silent_since)
        if self.is_refused not in self._said:
            self._said.add(self.is_refused)
            self._events.emit(
                self._limited(error, 0) if self.is_refused else DatabaseLost(_words(error), self._address)
            )

    def note_limit(self, error: Exception, size: int) -> None:
        """So many are open, and one more could not be opened."""
        now = time.monotonic()
        is_news, self._limited_at = now - self._limited_at > SAME_LIMIT_SECONDS, now
        self.reason = error.with_traceback(None)
        self._found = size
        if is_news:
            self._events.emit(self._limited(error, size))

    def note_success(self, size: int) -> None:
        """One was opened; `size` includes it."""
        seconds = self._circuit.record_success()
        if seconds is not None:
            self._events.emit(DatabaseRestored(seconds=round(seconds, 3)))
        if self._found is None or size > self._found:
            self._found = self.reason = None
        self._silent_since = None
        self._said.clear()
        self._events.emit(ConnectionOpened(size=size))

    def _limited(self, error: Exception, size: int) -> PoolLimited:
        return PoolLimited(size, _words(error), self._address)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error) or 'no reply in time'}"
