"""The database of one process: the one place that chooses a connection, and the one that knows of a commit."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from sqlalchemy.exc import DBAPIError

from gatepost.database.failures import (
    SCHEMA_CHANGED,
    TRANSIENT,
    Describe,
    is_lost,
    is_schema_change,
    problem_of,
    unavailable,
)
from gatepost.database.pool import Pool, PooledConnection, RawConnection, Record
from gatepost.database.sessions import Sessions
from gatepost.database.statements import Statement
from gatepost.database.transactions import READ_COMMITTED, Transaction
from gatepost.errors import Problem
from gatepost.exact_json import decode
from gatepost.observations import Observations, TransactionRetried
from gatepost.settings import DatabaseSettings

T = TypeVar("T")

IDLE_IN_TRANSACTION_SECONDS = 30
"""PostgreSQL ends a transaction that a stalled process left open this long."""


def _undescribed(broken: object) -> Problem | None:
    return None


class Database:
    """Connections, reads, single-statement writes and transactions.

    Every failure of PostgreSQL leaves here as a `Problem` where it is one (503, 504, 409, 422) and as itself where
    it is a mistake in the code.
    """

    def __init__(
        self, dsn: str, settings: DatabaseSettings, observations: Observations, describe: Describe = _undescribed
    ) -> None:
        self.dsn = dsn
        self._settings = settings
        self._observations = observations
        self._describe = describe
        self._retried = observations.emitter(TransactionRetried)
        self._sessions = Sessions()
        self.pool = Pool(
            self.connect, size=settings.pool_size, wait_seconds=settings.pool_wait_seconds, observations=observations
        )

    async def connect(self) -> RawConnection:
        """A bare connection with our codecs and limits. The caller closes it."""
        connection: RawConnection = await asyncpg.connect(
            self.dsn,
            timeout=self._settings.connect_seconds,
            server_settings={
                "application_name": "gatepost",
                "timezone": "UTC",
                "intervalstyle": "iso_8601",
                "datestyle": "ISO",
                "bytea_output": "hex",
                "jit": "off",
                "statement_timeout": _milliseconds(self._settings.statement_seconds),
                "lock_timeout": _milliseconds(self._settings.lock_seconds),
                "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_SECONDS),
            },
        )
        try:
            for name in ("json", "jsonb"):
                await connection.set_type_codec(name, schema="pg_catalog", encoder=str, decoder=decode, format="text")
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def close(self) -> None:
        """Close the connections that are idle, and the others when they come back."""
        await self.pool.close()

    def note_silence(self) -> None:
        """The database has been silent for too long: connections that idled meanwhile may be dead."""
        self.pool.drop_idle()

    async def read(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        """Run one reading statement. The one place that chooses the connection for a read."""
        pool = self.pool
        connection = pool.idle.pop() if pool.idle else await pool.acquire()
        prepared = connection.prepared.get(statement)
        try:
            # Every frame between here and the driver is entered again when the answer arrives: so there is none. A
            # connection that was lost while it idled is refused at once, before anything is sent.
            running = prepared.fetch(*arguments) if prepared is not None else connection.start(statement, arguments)
        except asyncpg.InterfaceError:
            pool.discard(connection)
            return await self.read(statement, arguments)
        try:
            try:
                records = await running
            except SCHEMA_CHANGED as error:
                if prepared is None:
                    raise
                records = await connection.fetch_anew(statement, arguments, error)
        except BaseException as error:
            problem = self._failed(connection, error)
            if problem is None:
                raise
            raise problem from error
        if pool.waiting or pool.is_closed:
            pool.hand_over(connection)
        else:
            pool.idle.append(connection)
        return records

    def write(self, statement: Statement, arguments: Sequence[Any]) -> Awaitable[list[Record]]:
        """Run one writing statement as a transaction of its own; it is committed when this was awaited."""
        return self.read(statement, arguments)

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        """Run SQL text as a transaction of its own, outside the hot path."""
        connection = self.pool.take() or await self.pool.acquire()
        try:
            records = await connection.raw.fetch(sql, *arguments)
        except BaseException as error:
            problem = self._failed(connection, error)
            if problem is None:
                raise
            raise problem from error
        self.pool.release(connection)
        return list(records)

    async def transact(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        *,
        isolation: str = READ_COMMITTED,
        attempts: int = 1,
    ) -> T:
        """Run `work` in a transaction: committed when this returns, rolled back when it raises.

        A deadlock or serialization failure runs the work again, `attempts` times in all; a schema changed by a
        migration in between runs it again once more, whatever `attempts` says.
        """
        attempt = 0
        schema_changes = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(work, isolation)
            except BaseException as raised:
                error = driver_error(raised)
                if is_schema_change(error) and schema_changes == 0:
                    schema_changes += 1
                elif not isinstance(error, TRANSIENT) or attempt >= attempts + schema_changes:
                    problem = problem_of(error, self._describe)
                    if problem is None:
                        raise
                    raise problem from raised
                if self._retried is not None:
                    self._retried(TransactionRetried(reason=type(error).__name__, attempt=attempt))

    async def _attempt(self, work: Callable[[Transaction], Awaitable[T]], isolation: str) -> T:
        async with self.transaction(isolation) as transaction:
            return await work(transaction)

    @asynccontextmanager
    async def transaction(self, isolation: str = READ_COMMITTED) -> AsyncGenerator[Transaction]:
        """One transaction, tried once: committed at the end of the block, rolled back when the block raises.

        Raises what the driver raises; `transact` translates and tries again.
        """
        connection = self.pool.take() or await self.pool.acquire()
        transaction = Transaction(connection, self._sessions)
        try:
            if isolation != READ_COMMITTED:
                await transaction.begin(isolation)
            yield transaction
            await transaction.commit()
        except BaseException as error:
            transaction.close_session()
            if not transaction.is_committed:
                await self._roll_back(transaction, driver_error(error))
                raise
            # Cancelled while it committed: what follows the commit follows all the same.
            self.pool.release(connection)
            await transaction.run_after_commit(self._observations)
            raise
        transaction.close_session()
        self.pool.release(connection)
        await transaction.run_after_commit(self._observations)

    async def _roll_back(self, transaction: Transaction, error: BaseException) -> None:
        connection = transaction.connection
        if is_schema_change(error):
            self._forget_schema()
        if is_lost(error) or isinstance(error, asyncio.CancelledError) or transaction.is_reading:
            self.pool.recover(connection)
            return
        try:
            if connection.raw.is_in_transaction():
                await connection.raw.execute("ROLLBACK")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            connection.raw.terminate()
        except BaseException:
            self.pool.recover(connection)
            raise
        self.pool.release(connection)

    def _forget_schema(self) -> None:
        self.pool.forget_schema()
        self._sessions.forget_schema()

    def problem_of(self, error: BaseException) -> Problem | None:
        """The refusal that an error of the driver or of SQLAlchemy means; None where it is a mistake in the code."""
        return problem_of(driver_error(error), self._describe)

    def _failed(self, connection: PooledConnection, error: BaseException) -> Problem | None:
        """Give the connection back in the state the failure left it in, and say what to answer."""
        if isinstance(error, asyncpg.PostgresError) and not is_lost(error):
            self.pool.release(connection)
        else:
            self.pool.recover(connection)
        return unavailable() if isinstance(error, OSError) else problem_of(error, self._describe)


def driver_error(error: BaseException) -> BaseException:
    """The error of asyncpg inside one of SQLAlchemy's."""
    if isinstance(error, DBAPIError) and error.orig is not None:
        return error.orig.__cause__ or error.orig
    return error


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
