"""The database of one process: the one place that chooses a connection, and the one that knows of a commit."""

import asyncio
import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy import Table
from sqlalchemy.exc import DBAPIError, StatementError

from gatepost.database.codecs import CODECS
from gatepost.database.connection import PooledConnection, RawConnection, Record
from gatepost.database.epoch_row import read_epoch
from gatepost.database.error_details import is_raised, reason_of, written_table
from gatepost.database.failures import (
    DRIVER_FAILURES,
    Describe,
    is_lost,
    is_schema_change,
    is_transient,
    is_unnamed,
    problem_of,
    read_only,
    row_refused,
    suppressed_by_trigger,
    unavailable,
)
from gatepost.database.hosts import connect_first, split_hosts
from gatepost.database.outcomes import reply_of
from gatepost.database.pool import Pool
from gatepost.database.privileges import HIDES_ROWS, missing_privilege, refuses_row
from gatepost.database.read_only import ReadOnly, is_standby
from gatepost.database.recovery import RECOVER_SECONDS
from gatepost.database.schema_watch import Expected
from gatepost.database.session_state import DriverConnection
from gatepost.database.sessions import Sessions
from gatepost.database.statements import DIALECT, Statement
from gatepost.database.transactions import (
    READ_COMMITTED,
    REPEATABLE_READ,
    SERIALIZABLE,
    Transaction,
    TransactionCounts,
    WriteInReadOnly,
)
from gatepost.database.unconfirmed_commits import UnconfirmedCommits
from gatepost.dsn import address_of
from gatepost.epoch import Epoch
from gatepost.errors import Problem, ServiceUnavailable
from gatepost.events import (
    ConstraintViolated,
    DatabaseExhausted,
    Events,
    TransactionRetried,
    TriggerRefused,
    ValueRefused,
    WriteSuppressed,
)
from gatepost.response_backlog import ResponseBacklog
from gatepost.settings import DatabaseSettings

T = TypeVar("T")

IDLE_IN_TRANSACTION_SECONDS = 30
"""PostgreSQL ends a transaction that a stalled process left open this long."""


class Target(Enum):
    """Where a statement may run."""

    PRIMARY = "primary"

    __hash__ = object.__hash__  # looked up for every statement; that of `Enum` is written in Python


def _undescribed(broken: object) -> Problem | None:
    return None


class Database:
    """Connections, single statements and transactions.

    Every failure of PostgreSQL leaves here as a `Problem` where it is one (503, 504, 409, 422) and as itself where
    it is a mistake in the code. A write whose reply did not come leaves as `OutcomeUnknown`.
    """

    is_sending = True
    has_own_limit = False

    def __init__(
        self,
        dsn: str,
        settings: DatabaseSettings,
        events: Events,
        describe: Describe = _undescribed,
        expected: Expected | None = None,
    ) -> None:
        self.dsn = dsn
        self.address = address_of(dsn)
        self.connection_seconds_max = settings.connection_seconds_max
        self._dsns = split_hosts(dsn)
        self.resource: str | None = None
        self.epoch = Epoch()
        self._settings = settings
        self._events = events
        self._describe = describe
        self.emit_refused = events.emitter(ValueRefused)
        self._role = "..."
        self._sessions = Sessions()
        # What the gate counts of responses that clients have not yet taken.
        self.backlog = ResponseBacklog()
        self.transactions = TransactionCounts()
        self._startup = {
            "application_name": "gatepost",
            "timezone": "UTC",
            "intervalstyle": "iso_8601",
            "datestyle": "ISO",
            "bytea_output": "hex",
            "jit": "off",
            "default_transaction_isolation": READ_COMMITTED,
            "extra_float_digits": "1",
            "statement_timeout": _milliseconds(settings.statement_seconds),
            "lock_timeout": _milliseconds(settings.lock_seconds),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_SECONDS),
        }
        self._unconfirmed = UnconfirmedCommits(self.connect, events)
        self.pool = Pool(
            self.connect,
            settings,
            self._explain,
            events,
            expected=expected,
            address=self.address,
            unconfirmed=self._unconfirmed,
        )
        self.schema = self.pool.schema
        self.epoch.on_raise(self._refuse_waiting)
        self._run = {Target.PRIMARY: self.pool.run}
        self._run_checked = {Target.PRIMARY: self.pool.run_checked}
        self._read_only = ReadOnly(self.connect, self.pool.close_idle, events)

    async def connect(self) -> RawConnection:
        """A bare connection with our codecs and limits, within `connect_seconds`. The caller closes it."""
        connection: DriverConnection | None = None
        try:
            async with asyncio.timeout(self._settings.connect_seconds):
                connection = await connect_first(self._dsns, self._settings.connect_seconds, self._open)
                for name, (format, encoder, decoder) in CODECS.items():
                    await connection.set_type_codec(
                        name, schema="pg_catalog", encoder=encoder, decoder=decoder, format=format
                    )
                await self.read_epoch(connection)
        except BaseException as error:
            if connection is not None:
                connection.terminate()
            if isinstance(error, TimeoutError) and not str(error):
                words = f"PostgreSQL did not reply within {self._settings.connect_seconds:g} s"
                raise TimeoutError(words) from None
            raise
        self._read_only.note_opened(connection)
        return connection

    async def _open(self, dsn: str) -> DriverConnection:
        return await asyncpg.connect(dsn, server_settings=self._startup, connection_class=DriverConnection)

    async def connect_listener(self) -> RawConnection:
        """A connection beside the pool's. While the pool has none because PostgreSQL refuses more, that is refused as
        well: what becomes free is for the pool."""
        self._leave_to_pool()
        return await self.connect()

    async def read_epoch(self, raw: RawConnection) -> None:
        """Note the epoch of the database that this connection is to."""
        self.epoch.note(await read_epoch(raw))

    async def read_epoch_by_pool(self) -> None:
        """Note it by a connection of the pool: those that are open tell of it no more by themselves."""
        async with self.pool.lend(self) as connection:
            await self.read_epoch(connection.raw)

    def _refuse_waiting(self) -> None:
        """The database was restored. What waits for a connection has its cursor, its entity tag and its statement from
        the epoch before, and has changed nothing by it: its client sends it again."""
        self.pool.queue.fail_requests(unavailable)

    def _leave_to_pool(self) -> None:
        if self.pool.reachability.is_refused:
            raise pg.TooManyConnectionsError("what PostgreSQL gives is left to the pool, which has none")

    def note_beat(self, raw: RawConnection, *, refuses_writes: bool) -> None:
        """The listener's connection has replied, and told whether its server takes writes. Raises where it is to be
        given up, because the pool has none."""
        self._leave_to_pool()
        self._read_only.note_told(raw, refuses=refuses_writes)

    @property
    def is_read_only(self) -> bool:
        """Whether the server takes no writes at present: a standby, `default_transaction_read_only`, or a primary that
        waits for its standby."""
        return self._read_only.is_on or self._unconfirmed.is_known

    def find_writing(self, task: "asyncio.Task[Any]") -> Callable[[], None] | None:
        """What gives up the write whose reply a task awaits: then its outcome is unknown. None where it awaits none.

        For what ends requests: one whose COMMIT was sent is not cancelled, because that would not undo it."""
        found = next((item for item in (*self.pool.open, *self.pool.given_up) if item.writer is task), None)
        return None if found is None else found.give_up

    async def explain_failure(self, error: Exception) -> Problem | None:
        """The refusal that an unexpected error means where it comes of a schema that has changed; None for any
        other."""
        return await self.schema.explain(driver_error(error))

    async def close(self) -> None:
        """Close the connections that are idle, and the others when they come back."""
        self.schema.stop()
        await self._read_only.stop()
        await self._unconfirmed.stop()
        await self.pool.close()

    def for_resource(self, resource: str) -> "Database":
        """The same database, with the same pool, for the requests of one resource: what is lent counts for it."""
        made = copy.copy(self)
        made.resource = resource
        return made

    def describing(self, describe: Describe) -> "Database":
        """The same database, which describes violations of constraints in another way."""
        made = copy.copy(self)
        made._describe = describe
        return made

    def note_silence(self) -> None:
        """The database has been silent for too long: connections that idled meanwhile may be dead."""
        self.pool.give_up()

    def run(
        self, statement: Statement, arguments: Sequence[Any], on: Target = Target.PRIMARY
    ) -> Coroutine[Any, Any, list[Record]]:
        """Run one statement as its own transaction; what it writes is committed when this returns.

        The one place that chooses a database: a statement runs on the primary unless its caller says that it may run
        elsewhere. Raises `OutcomeUnknown` where a write was sent and no reply came.
        """
        return self._run[on](statement, arguments, self)  # no coroutine of its own: this is the hot path

    def run_unbounded(
        self, statement: Statement, arguments: Sequence[Any], on: Target = Target.PRIMARY
    ) -> Coroutine[Any, Any, list[Record]]:
        """`run` of a statement whose rows' bytes nothing bounds. Raises 503 `overloaded` while clients are to take too
        many."""
        return self._run_checked[on](statement, arguments, self, self.backlog.check)

    async def fetch(self, sql: str, *arguments: Any) -> list[Record]:
        """Run SQL text as its own transaction, outside the hot path."""
        async with self.pool.lend(self) as connection:
            return list(await connection.raw.fetch(sql, *arguments))

    async def transact(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        *,
        isolation: str = READ_COMMITTED,
        attempts: int = 1,
        may_write: bool = True,
        is_read_only: bool = False,
    ) -> T:
        """Run `work` in a transaction: committed when this returns, rolled back when it raises. Where it
        `is_read_only`, PostgreSQL refuses its writes, which raises `WriteInReadOnly`.

        Where it is not known which of the two happened, it raises `OutcomeUnknown`, unless the request promised to
        change nothing (`may_write`), and nothing is tried again. A deadlock or serialization failure runs the work
        again, `attempts` times in all; a schema changed by a migration in between runs it again once more, whatever
        `attempts` says.
        """
        attempt = 0
        schema_changes = 0
        while True:
            attempt += 1
            try:
                transaction = self.transaction(isolation, may_write=may_write, is_read_only=is_read_only)
                return await self._attempt(work, transaction)
            except BaseException as raised:
                error = driver_error(raised)
                if is_read_only and isinstance(error, pg.ReadOnlySQLTransactionError):
                    raise WriteInReadOnly from raised
                if is_schema_change(error) and schema_changes == 0:
                    schema_changes += 1
                elif not _may_succeed(raised, error) or attempt >= attempts + schema_changes:
                    problem = None if isinstance(raised, Problem) else self.problem_of(error)
                    if problem is None:
                        raise
                    raise problem from raised
                self._events.emit(TransactionRetried(reason=type(error).__name__, attempt=attempt))

    async def _attempt(
        self, work: Callable[[Transaction], Awaitable[T]], opened: AbstractAsyncContextManager[Transaction]
    ) -> T:
        finished: list[tuple[Transaction, T]] = []
        try:
            async with opened as transaction:
                finished.append((transaction, await work(transaction)))
        except asyncio.CancelledError:
            if not finished or not finished[0][0].is_committed:
                raise
            # It is written, and a request that was told otherwise would be repeated: its time ended too late.
            task = cast("asyncio.Task[Any]", asyncio.current_task())
            while task.cancelling():
                task.uncancel()
        return finished[0][1]

    @asynccontextmanager
    async def transaction(
        self, isolation: str = READ_COMMITTED, *, may_write: bool = True, is_read_only: bool = False
    ) -> AsyncGenerator[Transaction]:
        """One transaction, tried once: committed at the end of the block, rolled back when the block raises.

        Raises what the driver raises, and `OutcomeUnknown`; `transact` translates and tries again.
        """
        connection = self.pool.take() or await self.pool.acquire(self)
        transaction = Transaction(
            connection, self._sessions, self.resource, may_write=may_write, is_read_only=is_read_only
        )
        try:
            if isolation != READ_COMMITTED:
                await _begin(transaction, isolation, may_write=may_write)
            yield transaction
            await transaction.commit()
        except BaseException as error:
            await self._end(transaction, driver_error(error))
            raise
        await self._end(transaction, None)

    async def run_without_connection(self, transaction: Transaction, work: Awaitable[T]) -> T:
        """Await what takes long and needs no database, such as the hash of a password. Meanwhile the transaction gives
        its connection back, unless it has begun or has a session."""
        if not transaction.is_untouched:
            return await work
        self.pool.release(transaction.connection)
        transaction.is_disconnected = True
        result = await work
        transaction.connect(self.pool.take() or await self.pool.acquire(transaction))
        return result

    async def _end(self, transaction: Transaction, error: BaseException | None) -> None:
        """Give the connection back, whatever the end of the session raises (a service may listen to its events). What
        follows the commit follows also where the request was cancelled while it committed."""
        if transaction.is_begun:
            if transaction.is_committed:
                self.transactions.committed += 1
            else:
                self.transactions.rolled_back += 1
        try:
            transaction.close_session()
        finally:
            if transaction.is_disconnected:
                pass  # the connection is another's by now
            elif transaction.is_committed:
                self.pool.release(transaction.connection)
                await transaction.run_after_commit(self._events)
            else:
                await self._roll_back(transaction, error)

    async def _roll_back(self, transaction: Transaction, error: BaseException | None) -> None:
        connection = transaction.connection
        is_good = False
        try:
            if error is not None and error is not transaction.explained:
                self._look_at(connection, error, is_read_only=transaction.is_read_only)
            if error is not None and is_schema_change(error):
                self.pool.forget_schema()
            is_broken_off = error is not None and (is_lost(error) or not isinstance(error, Exception))
            if not (is_broken_off or transaction.is_reading or connection.raw.is_closed()):
                async with asyncio.timeout(RECOVER_SECONDS):
                    if connection.raw.is_in_transaction():
                        await connection.raw.execute("ROLLBACK")
                is_good = True
        except DRIVER_FAILURES:
            pass
        finally:
            if is_good:
                self.pool.release(connection)
            elif error is not None and is_lost(error):
                self.pool.discard(connection)
            else:
                self.pool.recover(connection)

    def problem_of(self, error: BaseException) -> Exception | None:
        """The refusal that an error of the driver or of SQLAlchemy means, or the mistake in the set-up that it shows;
        None where it is a mistake in the code."""
        error = driver_error(error)
        if isinstance(error, pg.ReadOnlySQLTransactionError) and self._read_only.is_on:
            return read_only()
        if isinstance(error, pg.InsufficientPrivilegeError) and not is_raised(error):
            return row_refused() if refuses_row(error) else missing_privilege(error, self._role)
        problem = problem_of(error, self._describe, shows_messages=self._settings.trigger_messages)
        if is_unnamed(error, problem):
            self._events.emit(ConstraintViolated(error.constraint_name, _table_of(error), reason_of(error)))
        elif isinstance(error, asyncpg.PostgresError) and getattr(problem, "code", "") == "refused_by_trigger":
            self._events.emit(TriggerRefused(_table_of(error), reason_of(error)))
        return problem

    def explain(self, transaction: Transaction, error: BaseException) -> Exception | None:
        """`problem_of` what failed in a transaction that goes on: a verb raises it where it happens."""
        error = driver_error(error)
        self._look_at(transaction.connection, error, is_read_only=transaction.is_read_only)
        transaction.explained = error
        if transaction.is_read_only and isinstance(error, pg.ReadOnlySQLTransactionError):
            return WriteInReadOnly()
        return self.problem_of(error)

    async def suppressed(self, table: "Table[Any]", transaction: Transaction | None) -> Problem:
        """The refusal of a write that PostgreSQL carried out on no row, although the row was there and every rule
        allowed it: a trigger returned NULL, or row level security hides the row from this command."""
        name = DIALECT.identifier_preparer.format_table(table)
        fetch = self.fetch if transaction is None else transaction.connection.raw.fetch
        if (await fetch(HIDES_ROWS, name))[0][0]:
            return row_refused()
        self._events.emit(WriteSuppressed(table=table.name))
        return suppressed_by_trigger()

    def _explain(self, connection: PooledConnection, error: BaseException) -> Exception | None:
        """What a statement outside of a transaction failed with, as `Pool` asks for it."""
        self._look_at(connection, error)
        return unavailable() if isinstance(error, OSError) else self.problem_of(error)

    def _look_at(self, connection: PooledConnection, error: BaseException, *, is_read_only: bool = False) -> None:
        """Note what an error tells of the server: that it takes no writes (unless our own transaction took none), has
        no room, or others hold a lock."""
        if isinstance(error, pg.ReadOnlySQLTransactionError):
            if not is_read_only:
                self._read_only.note_refused(connection.raw)
        elif isinstance(error, pg.InsufficientResourcesError) and not isinstance(error, pg.TooManyConnectionsError):
            self._events.emit(DatabaseExhausted(reason=f"{type(error).__name__}: {error.args[0]}"))
        elif isinstance(error, pg.LockNotAvailableError | pg.QueryCanceledError):
            self.pool.note_timeout(connection)
        elif isinstance(error, pg.InsufficientPrivilegeError) and not connection.raw.is_closed():
            self._role = connection.raw.get_settings().session_authorization


def driver_error(error: BaseException) -> BaseException:
    """The error of asyncpg inside one of SQLAlchemy's, or behind a problem that was made of one: PostgreSQL's reply,
    where there was one."""
    if isinstance(error, Problem) and isinstance(error.__cause__, DBAPIError | asyncpg.PostgresError):
        error = error.__cause__
    if isinstance(error, StatementError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return reply_of(error)


def _may_succeed(raised: BaseException, error: BaseException) -> bool:
    """Whether the work may succeed if it is run again. What a service has made another problem of is its decision."""
    return is_transient(error) and isinstance(raised, DBAPIError | asyncpg.PostgresError | ServiceUnavailable)


def _table_of(error: asyncpg.PostgresError) -> str | None:
    return error.table_name or written_table(error)


async def _begin(transaction: Transaction, isolation: str, *, may_write: bool) -> None:
    """Begin at another isolation than usual. A standby has no "serializable": what only reads gets the strictest that
    there is, and what may write is refused (`database_read_only`)."""
    raw = transaction.connection.raw
    if isolation == SERIALIZABLE and not may_write and is_standby(raw):
        isolation = REPEATABLE_READ
    try:
        await transaction.begin(isolation)
    except pg.FeatureNotSupportedError as error:  # asked all the same: a session learns of a promotion by a reply
        if not is_standby(raw):
            raise
        raise read_only() from error


def _milliseconds(seconds: float) -> str:
    return str(round(seconds * 1000))
