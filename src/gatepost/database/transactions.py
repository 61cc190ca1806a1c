"""The unit of work: one transaction on one connection, its session if one is asked for, and what follows the commit."""

import asyncio
import contextlib
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple, cast

from asyncpg.exceptions import InFailedSQLTransactionError
from sqlalchemy import Executable, ScalarResult
from sqlalchemy.exc import InvalidRequestError, PendingRollbackError
from sqlalchemy.orm import SessionTransaction

from gatepost.background import is_failure
from gatepost.database.connection import PooledConnection, Record
from gatepost.database.failures import unavailable
from gatepost.database.guards import GuardedSession, TransactionAborted
from gatepost.database.outcomes import is_in_doubt, outcome_unknown
from gatepost.database.row_locks import RowLocks
from gatepost.database.sessions import ONLY_READS, RequestSession, Sessions
from gatepost.database.statements import Statement
from gatepost.events import AfterCommitFailed, Events

AfterCommit = Callable[[], Awaitable[None] | None]

READ_COMMITTED = "read committed"

REPEATABLE_READ = "repeatable read"

SERIALIZABLE = "serializable"

ISOLATION_LEVELS = (READ_COMMITTED, REPEATABLE_READ, SERIALIZABLE)

COMMIT_SECONDS = 5.0
"""How long a cancelled request still waits for the reply to its COMMIT; then the connection is given up."""


CAUGHT = (
    "It was caught after the row had been written, so nothing of the transaction was committed. Wrap what may be "
    "refused in `async with self.session.begin_nested():`."
)
"""Added to a refusal that is raised again instead of a commit."""


class Refusal(NamedTuple):
    """What refuses rows that are written, and the savepoints that were open then."""

    error: Exception
    savepoints: list[SessionTransaction]


class SwallowedError(RuntimeError):
    """A statement failed, the service went on as if nothing had happened, and nothing can be committed."""

    def __init__(self) -> None:
        super().__init__(
            "a statement of this transaction failed and its error was caught without a savepoint, so nothing of it "
            "was committed. Wrap what may fail in `async with self.session.begin_nested():`."
        )


class WriteInReadOnly(RuntimeError):
    """An endpoint that only reads tried to write; PostgreSQL refused it."""

    def __init__(self) -> None:
        super().__init__(
            "an endpoint declared with @get tried to write; it runs READ ONLY, and nothing was written. Declare it "
            "with @post, @put, @patch or @delete."
        )


class TransactionBroken(RuntimeError):
    """The service left the transaction in a state in which it cannot be committed as a whole."""


class TransactionCounts:
    """How many transactions that had begun were committed, and how many were not."""

    __slots__ = ("committed", "rolled_back")

    def __init__(self) -> None:
        self.committed = 0
        self.rolled_back = 0


class Transaction:
    """What services work in. Begun and ended by `Database.transact`, never by the work itself.

    `resource` is that of the request's path. `is_sending` is true while a statement is under way that PostgreSQL has to
    reply within the limit: not during a COMMIT, nor after the transaction has set its own limit. `is_committed` is
    true once PostgreSQL has confirmed the commit, or there was nothing to commit. `explained` is the last error of it
    that has become a problem already. `locked` are the rows that it has locked
    or written.

    BEGIN is sent before the first statement that may write, lock or set something. Until then each reading statement
    of ours is a transaction of its own, which at "read committed" sees the same, and has nothing to commit.
    """

    def __init__(
        self,
        connection: PooledConnection,
        sessions: Sessions,
        resource: str | None = None,
        *,
        may_write: bool = True,
        is_read_only: bool = False,
    ) -> None:
        """`may_write` is False for a request that promises to change nothing: its outcome is never in doubt. Where it
        `is_read_only` as well, PostgreSQL holds it to that."""
        self.resource = resource
        self.is_sending = False
        self.has_own_limit = False
        self.connect(connection)
        self._sessions = sessions
        self._session: RequestSession | None = None
        self._after_commit: list[AfterCommit] = []
        self._reads = 0
        self._may_write = may_write
        self.is_read_only = is_read_only
        self._has_written = False
        self._is_begun = False
        self._is_over = False
        self._refusals: list[Refusal] = []
        self.locked = RowLocks()
        self.is_committed = False
        self.explained: BaseException | None = None

    def connect(self, connection: PooledConnection) -> None:
        """From now on it is this connection that it works on."""
        self.connection = connection
        self.is_disconnected = False
        connection.holder = self

    @property
    def is_begun(self) -> bool:
        """Whether BEGIN was sent."""
        return self._is_begun

    @property
    def is_untouched(self) -> bool:
        """Whether nothing ties it to its connection: it has not begun, and has no session."""
        return not self._is_begun and self._session is None and not self.is_reading

    async def begin(self, isolation: str = READ_COMMITTED) -> None:
        """Open the transaction, where that has not been done."""
        self._check_open()
        if self._is_begun:
            return
        command = "BEGIN" if isolation == READ_COMMITTED else f"BEGIN ISOLATION LEVEL {isolation.upper()}"
        if self.is_read_only:
            command += " READ ONLY"
        was_sending, self.is_sending = self.is_sending, True
        try:
            await self.connection.raw.execute(command)
        finally:
            self.is_sending = was_sending
        self._is_begun = True

    @property
    def session(self) -> RequestSession:
        """The ORM session of this transaction, opened when it is first asked for."""
        self._check_open()
        if self._session is None:
            self._session = self._sessions.open(self.connection, self)
            sync = self._session.sync_session
            cast("GuardedSession", sync).after_undo = self._forget_undone
            if self._may_write and sync.dispatch.after_commit:
                self._after_commit.append(partial(sync.dispatch.after_commit, sync))
        return self._session

    def take_unmet(self) -> bool:
        """Whether the session sent an INSERT, UPDATE or DELETE that met no row since this was last asked."""
        if self._session is None:
            return False
        borrowed = self._session.side.borrowed
        is_unmet, borrowed.is_unmet = borrowed.is_unmet, False
        return is_unmet

    @property
    def is_reading(self) -> bool:
        """Whether a reading statement is under way."""
        return self._reads > 0

    async def read(self, statement: Statement, values: dict[str, Any]) -> list[Record]:
        """Run a compiled statement that does nothing but read; what the session has pending is written first, so that
        it is seen."""
        self._check_open()
        if self._session is not None:
            try:
                if self._session.in_nested_transaction():
                    await self._session.connection()  # SQLAlchemy sends SAVEPOINT with the first statement of its own
                await self._session.flush()
            except PendingRollbackError as error:
                raise TransactionAborted from error
        return await self.read_written(statement, values)

    async def read_written(self, statement: Statement, values: dict[str, Any]) -> list[Record]:
        """As `read`, but of what is written already: what the session has pending stays so."""
        self._reads += 1
        self.is_sending = True
        try:
            return await self.connection.fetch(statement, statement.arguments(values))
        except InFailedSQLTransactionError as error:
            raise TransactionAborted from error
        finally:
            self._reads -= 1
            self.is_sending = False

    async def load(self, statement: Executable, values: dict[str, Any]) -> ScalarResult[Any]:
        """Load objects into the session by a SELECT that does nothing but read; each comes once."""
        session = self.session
        self._reads += 1
        try:
            return (await session.scalars(statement, values, execution_options={ONLY_READS: True})).unique()
        finally:
            self._reads -= 1

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Record]:
        """Run a compiled statement that may write or lock; what the session has pending is written first, and what the
        statement changes is read again, so that the session shows no stale values."""
        await self.begin()
        if statement.written is not None:
            self._has_written = True
        records = await self.read(statement, values)
        if self._session is not None and statement.written is not None:
            await self._reread(self._session, statement.written)
        return records

    async def insert(self, statement: Statement, values: dict[str, Any]) -> list[Record]:
        """Run a compiled INSERT; what the session has pending is written first. Nothing is read again, because an
        INSERT changes no row that the session has."""
        await self.begin()
        self._has_written = True
        return await self.read(statement, values)

    def begin_statement(self, sql: str) -> None:
        """A statement of the session is about to be sent."""
        self.is_sending = True
        if "statement_timeout" in sql or "set_config" in sql:
            self.has_own_limit = True

    def end_statement(self) -> None:
        """It got its reply, or was broken off."""
        self.is_sending = False

    def refuse_commit(self, error: Exception) -> None:
        """Commit nothing from now on, because this refuses what is written already: code that catches it must not keep
        the rows. Where a savepoint was made before and is rolled back, they are gone, and the rest can be committed."""
        savepoints: list[SessionTransaction] = []
        if self._session is not None:
            savepoint = self._session.sync_session.get_nested_transaction()
            while savepoint is not None and savepoint.nested:
                savepoints.append(savepoint)
                savepoint = savepoint.parent
        self._refusals.append(Refusal(error, savepoints))

    def after_commit(self, callback: AfterCommit) -> None:
        """Call `callback` once the transaction is committed, and never if it is not."""
        self._after_commit.append(callback)

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Undo what is written in this block if it raises, and forget what was to be called after the commit."""
        session, kept = self.session, len(self._after_commit)
        try:
            async with session.begin_nested():
                yield
        except BaseException:
            del self._after_commit[kept:]
            raise

    async def commit(self) -> None:
        """Write what is pending and commit. Raises where a part of the transaction would be missing.

        A cancellation that arrives meanwhile is raised after the outcome: a commit that was sent may have happened,
        whatever the one who waits for it feels. Raises `OutcomeUnknown` where the reply did not come, and 503
        `database_read_only` before anything is sent where no commit can be confirmed.
        """
        await self._finish_session()
        if self.is_reading:
            raise TransactionBroken(
                "a service returned while one of its tasks was still reading: await that task first."
            )
        if not self._is_begun:
            self.is_committed = True
            return
        if not self.connection.raw.is_in_transaction():
            raise TransactionBroken("a service ended the transaction with its own SQL, behind SQLAlchemy's back.")
        wrote = self._may_write and (self._has_written or self._session_wrote())
        if wrote:
            self.connection.unconfirmed.check()
        sent = asyncio.ensure_future(self.connection.raw.execute("COMMIT"))
        self.connection.writer = asyncio.current_task() if wrote else None
        cancelled: asyncio.CancelledError | None = None
        try:
            try:
                outcome = await asyncio.shield(sent)
            except asyncio.CancelledError as error:
                cancelled = error
                outcome = await self._outcome(sent)
        except BaseException as error:
            if is_in_doubt(error):
                # A pooler may have lost its server and keep ours open: what is behind it now is not known.
                self.connection.raw.terminate()
                raise (outcome_unknown() if wrote else unavailable()) from error
            raise
        finally:
            self.connection.writer = None
        if self.connection.is_unconfirmed:
            raise outcome_unknown() if wrote else unavailable()
        self.is_committed = outcome == "COMMIT"
        if not self.is_committed and outcome != "ROLLBACK":
            # Only these two tags say what happened; who sends another is no PostgreSQL, or no longer in step with us.
            self.connection.raw.terminate()
            raise outcome_unknown() if wrote else unavailable()
        if cancelled is not None:
            raise cancelled
        if not self.is_committed:
            raise SwallowedError

    def close_session(self) -> None:
        """Let the session go, whatever became of the transaction."""
        self._is_over = True
        if self._session is not None:
            session, self._session = self._session, None
            try:
                if not (self.is_committed or session.side.borrowed.was_rolled_back):
                    session.sync_session.dispatch.after_rollback(session.sync_session)
            finally:
                self._sessions.close(self.connection, session)

    async def run_after_commit(self, events: Events) -> None:
        """Run the callbacks in order. One that raises is reported and stops none of the others, nor does a
        cancellation, which is raised at the end."""
        cancelled: BaseException | None = None
        for callback in self._after_commit:
            try:
                waited = callback()
                if inspect.isawaitable(waited):
                    await waited
            except BaseException as error:
                if not is_failure(error):
                    cancelled = error
                    continue
                events.emit(AfterCommitFailed(callback=getattr(callback, "__qualname__", repr(callback)), error=error))
        if cancelled is not None:
            raise cancelled

    async def _outcome(self, sent: "asyncio.Future[str]") -> str:
        """What became of a commit, however often the one who waits is cancelled; not for ever, though."""
        deadline = time.monotonic() + COMMIT_SECONDS
        while not sent.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait({sent}, timeout=max(0.0, deadline - time.monotonic()))
            if not sent.done() and time.monotonic() >= deadline:
                self.connection.give_up()
                deadline += COMMIT_SECONDS
        return sent.result()

    def _session_wrote(self) -> bool:
        return self._session is not None and self._session.side.borrowed.has_written

    def _check_open(self) -> None:
        if self._is_over:
            raise TransactionBroken(
                "the transaction is over: code that runs after the commit, or in another task, has no session. "
                "Open another one with `async with app.transaction()`."
            )

    def _forget_undone(self, undone: SessionTransaction) -> None:
        self._refusals = [each for each in self._refusals if undone not in each.savepoints]
        self.locked.clear()

    async def _finish_session(self) -> None:
        """Write what the session has pending, and see that it has given up nothing."""
        if self._refusals:
            error = self._refusals[0].error
            error.add_note(CAUGHT)
            raise error
        if self._session is None:
            return
        borrowed = self._session.side.borrowed
        if borrowed.was_rolled_back:
            raise SwallowedError
        if self._session.in_nested_transaction():
            raise TransactionBroken("a service left a savepoint open: write `async with self.session.begin_nested():`.")
        # SQLAlchemy's own commit would call the application's listeners, and this is instead of it.
        if self._may_write and self._session.sync_session.dispatch.before_commit:
            await self._session.run_sync(lambda session: session.dispatch.before_commit(session))
        await self._session.flush()
        if borrowed.was_rolled_back:
            raise SwallowedError

    async def _reread(self, session: RequestSession, table: Any) -> None:
        """Read again the loaded rows of a table that a compiled statement has written to; those that are gone are
        let go."""
        for row in list(session.identity_map.values()):
            if table in cast("Any", row).__mapper__.tables:
                try:
                    await session.refresh(row)
                except InvalidRequestError:
                    session.expunge(row)
