"""One dedicated connection that LISTENs, and how long what it heard can be trusted.

A cache that drops rows when PostgreSQL notifies a change asks `trusted_until` before serving from the
cache. A heartbeat (`BEAT`) makes a round trip every 40 ms. PostgreSQL delivers every notification signalled
before a query ends ahead of that query's reply, so when a reply arrives, every change that was committed before
the heartbeat was SENT has been handed to `on_notification`. That holds for the next TRUST_SECONDS, counted from the
sending: a change committed after it cannot be older than that. Lost packets, a stalled event loop, a killed backend or
a silent peer all show as a heartbeat that does not return, and trust expires without any further action.

Not in the request path: one task per process. What is cached, and how it is loaded meanwhile, is left to the cache.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import asyncpg

from gatepost.background import background, report
from gatepost.backoff import Backoff
from gatepost.database.connection import RawConnection
from gatepost.database.connection_ages import RETRY_SECONDS, age_of
from gatepost.database.epoch_row import EPOCH_CHANNEL
from gatepost.database.failures import DRIVER_FAILURES
from gatepost.database.heartbeat_monitor import HEARTBEAT_TIMEOUT_SECONDS, HeartbeatMonitor, clock
from gatepost.database.read_only import is_standby
from gatepost.errors import ServiceUnavailable
from gatepost.events import Events

HEARTBEAT_SECONDS = 0.04
TRUST_SECONDS = 0.09
"""How long one heartbeat is trusted, from its sending. Below 100 ms, so that the response has time to leave."""

PING_SECONDS = 0.5
"""The pause between two heartbeats on a connection that is not trusted: they only tell that the database is there."""

PING_SECONDS_MAX = 1.0
"""How long the reply to such a heartbeat may take."""

DOUBT_SECONDS = 2.0
"""How often a connection that is not trusted is examined again."""

BACKOFF_SECONDS = (0.02, 2.0)
"""The first and the longest pause before the next connection. One that lived for longer than that was a good one."""

POOLED = "a pooler stands between this process and PostgreSQL: point DATABASE_URL at PostgreSQL itself"
UNNOTIFIED = (
    "the triggers that tell of changed users are missing or disabled: where Gatepost created the users' table, run "
    "`gatepost migrate up`; to another table `gatepost dev --migrate --extend` adds them, or name your own model of it "
    "in App(users=...)"
)
STANDBY = "the server is a standby, on which nothing can be listened to: point DATABASE_URL at the primary"
"""Why nothing can be trusted, for the log and for `gatepost doctor`."""

BEAT = "SELECT WHERE current_setting('transaction_read_only') = 'on'"
"""What a heartbeat asks: its reply has one row on a server that takes no writes, and none on another one."""

REFUSED_SECONDS = 1.0
"""How long it takes at most until a connection is tried again that PostgreSQL had refused because of a limit."""

_NO_CONNECTION: tuple[type[Exception], ...] = (ServiceUnavailable, *DRIVER_FAILURES)

Check = Callable[[RawConnection], Awaitable[bool]]


class ListenedDatabase(Protocol):
    """What a listener needs of the database, and tells it (`database.py`)."""

    @property
    def connection_seconds_max(self) -> float:
        """How old a connection may become."""
        ...

    async def connect_listener(self) -> RawConnection: ...

    async def read_epoch(self, raw: RawConnection) -> None:
        """Called on every connection once it listens, and each time that the epoch is raised (`epoch.py`)."""
        ...

    async def read_epoch_by_pool(self) -> None:
        """Called again and again while PostgreSQL refuses a connection to listen on: the pool may have some."""
        ...

    def note_beat(self, raw: RawConnection, *, refuses_writes: bool) -> None:
        """Called with each reply to a heartbeat; one of DRIVER_FAILURES that it raises gives the connection up."""
        ...

    def note_silence(self) -> None:
        """Called each time that PostgreSQL has fallen silent."""
        ...


class Listener:
    """Listens on one channel, and for a raised epoch, for the life of the process.

    `on_change` gets each payload; and None on every new connection, when it listens and before it is trusted:
    notifications in the gap were lost, so everything cached before is dropped. `check` says whether the database
    notifies at all (its triggers are there); while it returns False nothing is trusted. `on_doubt` gets the reason why
    nothing can be trusted, once until it is another one, or until there is none. `heartbeat` knows whether PostgreSQL
    replies at all. An old connection is given up once the next one is open (`connection_ages.py` says why).
    """

    def __init__(
        self,
        database: ListenedDatabase,
        channel: str,
        on_change: Callable[[str | None], None],
        check: Check,
        on_doubt: Callable[[str], None],
    ) -> None:
        self._database = database
        self._channel = channel
        self._on_change = on_change
        self._check = check
        self._on_doubt = on_doubt
        self._doubt: str | None = None
        self._connection: RawConnection | None = None
        self._next: asyncio.Task[RawConnection | None] | None = None
        self._renew_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._is_epoch_raised = False
        self.trusted_until = 0.0
        self.heartbeat = HeartbeatMonitor(database.note_silence, HEARTBEAT_TIMEOUT_SECONDS)

    @property
    def is_trusted(self) -> bool:
        """True while every change older than TRUST_SECONDS has been heard of."""
        return clock() < self.trusted_until

    async def start(self, events: Events) -> None:
        """Begin to listen; returns at once, whether the database is there or not."""
        if self._task is None:
            self._task = background(self._run(events), f"listener {self._channel}", events)

    async def stop(self) -> None:
        """Stop listening and close the connection."""
        self.heartbeat.stop()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        successor = await self._take_next()
        if successor is not None:
            successor.terminate()
        connection, self._connection, self.trusted_until = self._connection, None, 0.0
        if connection is not None:
            try:
                await connection.close(timeout=1)
            except DRIVER_FAILURES:
                connection.terminate()

    async def _run(self, events: Events) -> None:
        backoff = Backoff(*BACKOFF_SECONDS, calm_seconds=BACKOFF_SECONDS[1], clock=clock)
        while True:
            longest = BACKOFF_SECONDS[1]
            try:
                await self._listen(events)
            except asyncpg.InsufficientResourcesError:
                longest = REFUSED_SECONDS  # or it would seem to be silent
                self.heartbeat.record()  # PostgreSQL is there: the pool may well have connections
                await self._read_by_pool(events)
            except DRIVER_FAILURES:
                pass  # the pool reports that the database is away
            except Exception as error:
                report(f"listener {self._channel}", error, events)
            self._drop()
            await asyncio.sleep(min(backoff.next_pause(), longest))

    async def _listen(self, events: Events) -> None:
        """One connection's life. Returns or raises when it is of no use any more."""
        self._connection = connection = await self._take_next() or await self._database.connect_listener()
        self._renew_at = clock() + age_of(self._database.connection_seconds_max)
        connection.add_termination_listener(self._lapse)
        while not await self._is_beyond_doubt(connection):
            await self._ping(connection)
            if self._has_next(events):
                return
        async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECONDS):
            await connection.add_listener(self._channel, self._hear)
            await connection.add_listener(EPOCH_CHANNEL, self._note_raised)
            await self._database.read_epoch(connection)
        self._on_change(None)
        while not connection.is_closed() and not self._has_next(events):
            sent = clock()
            await self._beat(connection, HEARTBEAT_TIMEOUT_SECONDS)
            await self._read_raised(connection)
            self.trusted_until = sent + TRUST_SECONDS
            await asyncio.sleep(max(0.0, sent + HEARTBEAT_SECONDS - clock()))

    async def _read_by_pool(self, events: Events) -> None:
        """Read the epoch while the pool has connections and there is none to listen on: nothing is heard of it."""
        try:
            async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECONDS):
                await self._database.read_epoch_by_pool()
        except _NO_CONNECTION:
            pass  # it is tried again with the next connection that is refused
        except Exception as error:
            report(f"listener {self._channel}", error, events)

    def _has_next(self, events: Events) -> bool:
        """Whether the connection that takes the place of an old one is open; opens it where it is time."""
        if self._next is None:
            if clock() >= self._renew_at:
                self._next = background(self._open_next(), f"renew the listener {self._channel}", events)
            return False
        if not self._next.done():
            return False
        if not self._next.cancelled() and self._next.exception() is None and self._next.result() is not None:
            return True
        self._next, self._renew_at = None, clock() + RETRY_SECONDS
        return False

    async def _open_next(self) -> "RawConnection | None":
        try:
            return await self._database.connect_listener()
        except DRIVER_FAILURES:
            return None

    async def _take_next(self) -> "RawConnection | None":
        """The next connection, where one was opened; one that is still being opened is not waited for."""
        successor, self._next = self._next, None
        if successor is None:
            return None
        successor.cancel()
        await asyncio.wait([successor])
        return None if successor.cancelled() or successor.exception() is not None else successor.result()

    async def _ping(self, connection: RawConnection) -> None:
        """See for a while that the database is there: readiness asks for no more. Then read the epoch."""
        examine_at = clock() + DOUBT_SECONDS
        while clock() < examine_at:
            await self._beat(connection, PING_SECONDS_MAX)
            await asyncio.sleep(PING_SECONDS)
        async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECONDS):
            await self._database.read_epoch(connection)  # nothing is heard, so it is read again and again

    async def _beat(self, connection: RawConnection, seconds: float) -> None:
        async with asyncio.timeout(seconds):
            reply = await connection.execute(BEAT)
        self.heartbeat.record()
        self._database.note_beat(connection, refuses_writes=reply == "SELECT 1")

    async def _read_raised(self, connection: RawConnection) -> None:
        """Read the epoch where a notification says that it was raised; anybody may notify, so only the row counts."""
        while self._is_epoch_raised:
            self._is_epoch_raised = False
            async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECONDS):
                await self._database.read_epoch(connection)

    async def _is_beyond_doubt(self, connection: RawConnection) -> bool:
        async with asyncio.timeout(HEARTBEAT_TIMEOUT_SECONDS):
            doubt = await doubt_of(connection, self._check)
        self.heartbeat.record()
        if doubt is not None and doubt != self._doubt:
            self._on_doubt(doubt)
        self._doubt = doubt
        return doubt is None

    def _hear(self, _connection: Any, _pid: int, _channel: str, payload: object) -> None:
        self._on_change(str(payload))

    def _note_raised(self, *_message: object) -> None:
        self._is_epoch_raised = True
        self.trusted_until = 0.0

    def _lapse(self, _connection: Any) -> None:
        self.trusted_until = 0.0

    def _drop(self) -> None:
        connection, self._connection, self.trusted_until = self._connection, None, 0.0
        if connection is not None and not connection.is_closed():
            connection.terminate()


async def doubt_of(connection: RawConnection, check: Check) -> str | None:
    """Why nothing that is heard on a connection can be trusted: POOLED, STANDBY or UNNOTIFIED; None where it can."""
    backend = await connection.fetchval("SELECT pg_backend_pid()")
    if backend != connection.get_server_pid():
        return POOLED  # its backend is not ours, and may change under us
    if is_standby(connection):
        return STANDBY  # it refuses LISTEN until it is promoted
    return None if await check(connection) else UNNOTIFIED
