"""`RecordsDatabase`: the monitor's own connection, over which records are copied to the schema `gatepost`.

Off the request path. It is opened when it is needed, and given up at any failure: the records stay in the files of the
instance, and are copied when the database is back.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg import exceptions as pg

from gatepost.background import stop_if_cancelled
from gatepost.backoff import Backoff
from gatepost.database.connection_errors import connection_error
from gatepost.database.hosts import connect_first, split_hosts
from gatepost.dsn import address_of

STATEMENT_SECONDS = 5.0
LOCK_SECONDS = 2.0
CONNECT_SECONDS = 3.0
TABLES_SECONDS = 5.0
"""How long it takes to see that missing tables have been made."""

_FAILURES = (OSError, TimeoutError, ValueError, asyncpg.InterfaceError, pg.PostgresError)
_MISSING = """
    SELECT coalesce(array_agg(name), '{}') FROM unnest($1::text[]) AS name
    WHERE NOT coalesce((
      SELECT bool_and(has_table_privilege(table_class.oid, privilege))
      FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege, pg_class AS table_class
      WHERE table_class.relname = name AND table_class.relnamespace = to_regnamespace('gatepost')
    ), false)
"""

RecordsConnection = Any
"""A connection of asyncpg, typed by its stubs as a generic that does not exist at run time."""


class RecordsAway(Exception):
    """Records cannot be copied now; the message says why."""


class RecordsDatabase:
    """The database of `dsn`; without one it is always away. `tables` are those of the schema `gatepost` that this role
    has to read and write; `state` says to operators how it is."""

    def __init__(self, dsn: str | None, tables: Sequence[str]) -> None:
        self._dsns: Sequence[str] = () if dsn is None else split_hosts(dsn)
        self._tables = list(tables)
        self._connection: RecordsConnection = None
        self._backoff = Backoff(0.5, 10.0, jitter=0.2)
        self._lock = asyncio.Lock()
        self._retry_at = 0.0
        self.state = "There is no database." if dsn is None else "The database has not been asked yet."

    @property
    def is_here(self) -> bool:
        """Whether it was there when it was last used."""
        return self._connection is not None

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[RecordsConnection]:
        """The connection, for one user at a time. Raises RecordsAway, also for what fails within the block."""
        async with self._lock:
            if self._connection is None:
                await self._open()
            try:
                yield self._connection
            except _FAILURES as error:
                self._give_up(str(error) or type(error).__name__)
                raise RecordsAway(self.state) from error
            except BaseException:
                # Broken off in the middle: what it would reply next is nobody's.
                self._give_up("a statement was broken off")
                raise
            stop_if_cancelled()

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
            missing = await connection.fetchval(_MISSING, self._tables)
        except _FAILURES as error:
            connection.terminate()
            self._give_up(str(error))
            raise RecordsAway(self.state) from error
        if missing:
            connection.terminate()
            self._retry_at = time.monotonic() + TABLES_SECONDS
            names = ", ".join(f"gatepost.{name}" for name in sorted(missing))
            self.state = (
                f"Records stay with this instance: its role cannot write to {names}. `gatepost migrate up` makes them; "
                "where another role has, it grants SELECT, INSERT, UPDATE, DELETE on them and USAGE on the schema."
            )
            raise RecordsAway(self.state)
        self._backoff.reset()
        self.state = "Records are copied to the schema gatepost."
        self._connection = connection

    def _give_up(self, reason: str) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        self._retry_at = time.monotonic() + self._backoff.next_pause()
        self.state = f"Records stay with this instance: {reason.rstrip('.')}."


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
