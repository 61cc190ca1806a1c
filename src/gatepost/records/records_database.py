"""`RecordsDatabase`: the monitor's own connection, over which records are copied to the schema `gatepost`.

Off the request path. It is opened when it is needed, and given up at any failure of the connection: the records stay in
the files of the instance, and are copied when the database is back, or takes what it refuses.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
from asyncpg import exceptions as pg

from gatepost.background import stop_if_cancelled
from gatepost.backoff import Backoff
from gatepost.database.connection_ages import age_of
from gatepost.database.connection_errors import connection_error
from gatepost.database.hosts import connect_first, split_hosts
from gatepost.dsn import address_of
from gatepost.records.lacking_tables import LackingTables, lacking_tables

STATEMENT_SECONDS = 5.0
LOCK_SECONDS = 2.0
CONNECT_SECONDS = 3.0
CONNECTION_SECONDS_MAX = 600.0
NAME_SECONDS = 4.0
"""How long copying waits to hear whose the name of the instance is, at the start."""

TABLES_SECONDS = 5.0
"""How long it takes to see that missing tables have been made."""

_FAILURES = (OSError, TimeoutError, ValueError, asyncpg.InterfaceError, pg.PostgresError)
RecordsConnection = Any
"""A connection of asyncpg, typed by its stubs as a generic that does not exist at run time."""


class RecordsAway(Exception):
    """Records cannot be copied now; the message says why."""


class RecordsDatabase:
    """The database of `dsn`; without one it is always away. `tables` are those of the schema `gatepost` that this role
    has to read and write. A part whose table is missing waits for it; the others go on.

    Nothing is copied while another server has the name of this instance: `name_conflict` is a sentence then.
    """

    def __init__(
        self, dsn: str | None, tables: Sequence[str], *, connection_seconds_max: float = CONNECTION_SECONDS_MAX
    ) -> None:
        self._dsns: Sequence[str] = () if dsn is None else split_hosts(dsn)
        self._tables = list(tables)
        self._connection: RecordsConnection = None
        self._connection_seconds_max = connection_seconds_max
        self._renew_at = 0.0
        self._backoff = Backoff(0.5, 10.0, jitter=0.2)
        self._lock = asyncio.Lock()
        self._retry_at = 0.0
        self._away = "There is no database." if dsn is None else "The database has not been asked yet."
        self._refusal = ""
        self._looked_at = 0.0
        self.lacking = LackingTables()
        self._name_is_known = asyncio.Event()
        self._has_name = True
        self.name_conflict = ""
        self.is_name_taken = False

    @property
    def is_here(self) -> bool:
        """Whether it was there when it was last used."""
        return self._connection is not None

    @property
    def state(self) -> str:
        """How it is, to operators."""
        if not self.is_here:
            return self._away
        if self.name_conflict:
            return f"Records stay with this instance. {self.name_conflict}"
        if not self.lacking.names:
            return self._refusal or "Records are copied to the schema gatepost."
        if len(self.lacking.names) == len(self._tables):
            return f"Records stay with this instance. {self.lacking.sentence}"
        return f"Records are copied to the schema gatepost, but for those of some tables. {self.lacking.sentence}"

    @property
    def gap(self) -> str:
        """What tables some records wait for, although the database is there; empty where all are copied."""
        return self.lacking.sentence if self.is_here else ""

    def expect_name(self) -> None:
        """Copy nothing before `note_name`: somebody looks whether the name is this server's alone."""
        self._has_name = False

    def note_name(self, *, has_name: bool, conflict: str = "", is_taken: bool = False) -> None:
        """Whether the name of this instance is this server's, as far as the database says; where it is not, why, and
        whether the one that has it is known to run."""
        self._has_name, self.name_conflict, self.is_name_taken = has_name, conflict, is_taken
        self._name_is_known.set()

    def stop_waiting(self) -> None:
        """Let nobody wait for `note_name` any more: the monitor ends."""
        self._name_is_known.set()

    @asynccontextmanager
    async def connection(self, *tables: str) -> AsyncGenerator[RecordsConnection]:
        """The connection, for one user at a time, who needs these tables. Raises RecordsAway, also for what fails
        within the block."""
        async with self._lock:
            if self._connection is not None and time.monotonic() >= self._renew_at:
                await self.close()  # the address may lead to another server by now
            if self._connection is None:
                await self._open()
            try:
                await self._look_for(tables)
                yield self._connection
            except RecordsAway:
                raise
            except pg.PostgresError as error:
                reason = str(error) or type(error).__name__
                if not self._is_usable():
                    self._give_up(reason)
                raise RecordsAway(_stays(reason)) from error
            except _FAILURES as error:
                self._give_up(_reason_of(error))
                raise RecordsAway(self.state) from error
            except BaseException:
                # Cancelled in the middle of a statement: the connection cannot be used again. The database is
                # well, so what a monitor does at its end need not wait.
                self._give_up("a statement was broken off")
                self._retry_at = 0.0
                raise
            stop_if_cancelled()

    @asynccontextmanager
    async def copying(self, *tables: str) -> AsyncGenerator[RecordsConnection]:
        """The connection, for writing what belongs to the instance of this name. Raises RecordsAway, also while it is
        not known to be this server's."""
        if not self._has_name and not self._name_is_known.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(NAME_SECONDS):
                    await self._name_is_known.wait()
        if not self._has_name:
            raise RecordsAway(self.state)
        try:
            async with self.connection(*tables) as connection:
                yield connection
        except RecordsAway as error:
            self._refusal = str(error)
            raise
        self._refusal = ""

    @asynccontextmanager
    async def other_connection(self) -> AsyncGenerator[RecordsConnection]:
        """A connection of its own, which needs no tables and is closed afterwards. Raises RecordsAway where there is
        none."""
        if not self._dsns:
            raise RecordsAway(self.state)
        try:
            connection = await connect_first(self._dsns, CONNECT_SECONDS, _connect)
        except _FAILURES as error:
            raise RecordsAway(str(connection_error(error, address_of(self._dsns[-1])))) from error
        try:
            yield connection
        finally:
            connection.terminate()
        stop_if_cancelled()

    async def close(self) -> None:
        """End the connection."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _open(self) -> None:
        if not self._dsns or time.monotonic() < self._retry_at:
            raise RecordsAway(self.state)
        try:
            connection = await connect_first(self._dsns, CONNECT_SECONDS, _connect)
        except _FAILURES as error:
            self._give_up(str(connection_error(error, address_of(self._dsns[-1]))))
            raise RecordsAway(self.state) from error
        try:
            self.lacking = await lacking_tables(connection, self._tables)
        except _FAILURES as error:
            connection.terminate()
            self._give_up(_reason_of(error))
            raise RecordsAway(self.state) from error
        except BaseException:
            connection.terminate()
            raise
        self._looked_at = time.monotonic()
        self._backoff.reset()
        self._renew_at = time.monotonic() + age_of(self._connection_seconds_max)
        self._connection = connection

    async def _look_for(self, tables: Sequence[str]) -> None:
        """Raise RecordsAway where one of these is lacking, as far as was seen in the last TABLES_SECONDS."""
        if self.lacking.names.isdisjoint(tables):
            return
        if time.monotonic() - self._looked_at > TABLES_SECONDS:
            self.lacking = await lacking_tables(self._connection, self._tables)
            self._looked_at = time.monotonic()
        if not self.lacking.names.isdisjoint(tables):
            raise RecordsAway(self.state)

    def _is_usable(self) -> bool:
        connection = self._connection
        return connection is not None and not connection.is_closed() and not connection.is_in_transaction()

    def _give_up(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        self._retry_at = time.monotonic() + self._backoff.next_pause()
        self._away = _stays(reason)


def _stays(reason: str) -> str:
    return f"Records stay with this instance: {reason.rstrip('.')}."


def _reason_of(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not str(error):
        return "the database does not respond in time"
    return str(error) or type(error).__name__


async def _connect(dsn: str) -> RecordsConnection:
    options = {
        "application_name": "gatepost monitor",
        "statement_timeout": f"{STATEMENT_SECONDS:g}s",
        "lock_timeout": f"{LOCK_SECONDS:g}s",
        "idle_in_transaction_session_timeout": "10s",
        "timezone": "UTC",
        "jit": "off",
    }
    return await asyncpg.connect(dsn, server_settings=options, command_timeout=2 * STATEMENT_SECONDS)
