"""The ORM on our connections: one engine, one SQLAlchemy connection kept per bare connection, guarded sessions.

The transaction belongs to the unit of work (`transactions.py`), never to the session: whatever SQLAlchemy would do to
begin, commit, roll back or reset stops at `BorrowedConnection`, and everything by which a service could end the
transaction says why it is refused (`guards.py`). Nothing here waits: a session costs its request nothing before it is
used.
"""

from collections.abc import Awaitable, Callable
from time import perf_counter_ns
from typing import Any, Protocol, cast

from asyncpg.exceptions import InFailedSQLTransactionError
from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection, PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool
from sqlalchemy.util.concurrency import await_, in_greenlet

from gatepost.database.compiler import SessionCompiler, leaves_nothing
from gatepost.database.connection import PooledConnection, RawConnection
from gatepost.database.guards import (
    GuardedConnection,
    TransactionAborted,
    TransactionIsManaged,
    check_command,
)
from gatepost.database.read_only_sql import only_reads
from gatepost.database.session_listeners import session_class
from gatepost.database.slow_statements import SessionStatement
from gatepost.database.statements import COLSPECS
from gatepost.exact_json import encode

ONLY_READS = "gatepost_only_reads"
"""The execution option of an internal statement that needs no transaction around it."""

PREPARED_MAX = 256
"""Statements that SQLAlchemy keeps prepared per connection, besides ours."""


class OwningTransaction(Protocol):
    """The transaction that a session works in: it begins with the first statement that needs it. `resource` is that of
    the request's path; None outside of requests."""

    @property
    def resource(self) -> str | None: ...

    async def begin(self) -> None: ...

    def begin_statement(self, sql: str) -> None:
        """A statement of the session is about to be sent."""
        ...

    def end_statement(self) -> None:
        """It got its reply, or was broken off."""
        ...


class BorrowedConnection(AsyncAdapt_asyncpg_connection):
    """SQLAlchemy's side of a bare connection whose state and transaction the pool and `Transaction` own.

    `only_reads` is set while a statement runs that needs none, `is_read` while one runs that changes no row;
    `has_written` once one was sent that may; `is_unmet` once an INSERT, UPDATE or DELETE met no row. `was_rolled_back`
    notes that SQLAlchemy believes the transaction to be gone (a flush failed and the error was swallowed): what was
    written before must not be committed then. `is_over` is set when the transaction has ended, so that closing the
    session sends nothing. `is_spoiled` is set where SQLAlchemy's idea of the transaction and ours went apart: the bare
    connection goes on, with a new one of these. `is_known` is set while the dialect runs a statement, which it has
    weighed; whatever else is sent, or handed out to send something, may leave anything on the connection.
    `statement_name` is what measurements call its statements.
    """

    transaction: OwningTransaction
    statement_name: str

    only_reads = is_read = is_known = False
    has_written = is_unmet = False
    was_rolled_back = is_over = is_spoiled = False

    def __init__(self, dbapi: Any, pooled: PooledConnection) -> None:
        cast("Any", super()).__init__(dbapi, pooled.raw, prepared_statement_cache_size=PREPARED_MAX)
        self.pooled = pooled
        self.isolation_level = "autocommit"

    def enter(self, transaction: OwningTransaction) -> None:
        """From now on statements belong to this transaction."""
        self.transaction = transaction
        self.statement_name = "session" if transaction.resource is None else f"{transaction.resource}.session"
        self.has_written = self.is_unmet = self.was_rolled_back = self.is_over = False

    def weigh(self, statement: str, context: Any) -> None:
        """Note what a statement of the dialect may leave on the connection."""
        if not leaves_nothing(statement, context):
            self.pooled.needs_reset = True
        self.is_known = True

    async def _start_transaction(self) -> None:
        """The adapter's own hook: it calls this before each statement."""
        if not self.is_known:
            self.pooled.needs_reset = True
        if not self.only_reads:
            await self.transaction.begin()
            self.has_written = self.has_written or not self.is_read

    @property
    def driver_connection(self) -> RawConnection:
        """The bare connection, for what only asyncpg can do. Nothing tells us what is sent over it."""
        self._hand_out()
        if in_greenlet():
            await_(self.transaction.begin())
        return cast("RawConnection", self._connection)

    def run_async(self, fn: Callable[[Any], Awaitable[Any]]) -> Any:
        """Run a function with the bare connection."""

        async def begun(raw: Any) -> Any:
            await self.transaction.begin()
            self._hand_out()
            return await fn(raw)

        return super().run_async(begun)

    def _hand_out(self) -> None:
        self.has_written = self.pooled.needs_reset = True
        cast("Any", self._connection).is_handed_out = True

    def commit(self) -> None:
        """Refused at any depth of SQLAlchemy: the request commits."""
        self.is_spoiled = True
        raise TransactionIsManaged("commit()")

    def rollback(self) -> None:
        """Only noted: the request rolls back."""
        self.was_rolled_back = True
        self.is_spoiled = self.is_spoiled or not self.is_over

    def set_isolation_level(self, level: str) -> None:
        """Refused: the transaction has begun."""
        if level != "autocommit":
            self.is_spoiled = True
            raise TransactionIsManaged("an isolation_level", "Set `isolation` on the service class instead.")

    def close(self) -> None:
        """The pool closes."""

    def terminate(self) -> None:
        """The pool closes."""


class BorrowedDialect(PGDialect_asyncpg):
    """PostgreSQL through asyncpg, on borrowed connections."""

    supports_statement_cache = True
    statement_compiler = SessionCompiler
    colspecs = COLSPECS

    def on_connect(self) -> Any:
        """Set nothing: the codecs of the connection are ours, and one set serves both ways."""
        return None

    def initialize(self, connection: Any) -> None:
        """Ask nothing: a round trip per engine tells no more than PostgreSQL 14 and later have in common."""
        self.server_version_info = (14, 0)
        self.default_schema_name = "public"
        self._backslash_escapes = False

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """As `_send`; notes whether an INSERT, UPDATE or DELETE met no row."""
        self._send(super().do_execute, cursor, statement, parameters, context)
        if context is not None and cursor.rowcount == 0 and (context.isinsert or context.isupdate or context.isdelete):
            cursor._adapt_connection.is_unmet = True

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """As `_send`."""
        self._send(super().do_executemany, cursor, statement, parameters, context)

    def do_execute_no_params(self, cursor: Any, statement: str, context: Any = None) -> None:
        """As `_send`."""
        self._send(super().do_execute_no_params, cursor, statement, context)

    def _send(self, execute: Callable[..., None], cursor: Any, statement: str, *rest: Any) -> None:
        """Run a statement, unless it would end the transaction or outlive it. The context comes last."""
        check_command(statement)
        context = rest[-1]
        borrowed: BorrowedConnection = cursor._adapt_connection
        borrowed.only_reads = context is not None and ONLY_READS in context.execution_options
        borrowed.is_read = borrowed.only_reads or only_reads(statement)
        borrowed.weigh(statement, context)
        borrowed.transaction.begin_statement(statement)
        measure = borrowed.pooled.measure
        sent_at = 0 if measure is None else perf_counter_ns()
        rows: int | None = None
        try:
            execute(cursor, statement, *rest)
            rows = max(0, cursor.rowcount)  # -1 where PostgreSQL does not say
        except Exception as error:
            if isinstance(error.__cause__, InFailedSQLTransactionError):
                raise TransactionAborted from error
            raise
        finally:
            borrowed.only_reads = borrowed.is_read = borrowed.is_known = False
            borrowed.transaction.end_statement()
            if measure is not None:
                measure(SessionStatement(borrowed.statement_name, statement), sent_at, rows)
                borrowed.pooled.meet(borrowed.statement_name, statement)

    def do_rollback_to_savepoint(self, connection: Any, name: str) -> None:
        """Undo back to a savepoint, as long as there is one."""
        if not connection.connection.dbapi_connection.is_over:
            cast("Any", super()).do_rollback_to_savepoint(connection, name)


registry.register("postgresql.gatepost", __name__, "BorrowedDialect")


class ORMConnection:
    """What is kept for the ORM on a pooled connection."""

    __slots__ = ("_options", "borrowed", "connection")

    def __init__(self, connection: AsyncConnection, borrowed: BorrowedConnection) -> None:
        self.connection = connection
        self.borrowed = borrowed
        self._options = self._sync._execution_options

    @property
    def is_altered(self) -> bool:
        """Whether SQLAlchemy's connection has ended, or a service has left its mark there: options, notes, events."""
        sync = self._sync
        return bool(
            sync.in_transaction()
            or sync.closed
            or sync.invalidated
            or sync._execution_options is not self._options
            or sync._has_events
            or sync.connection.info
        )

    @property
    def _sync(self) -> Any:
        return self.connection.sync_connection


class RequestSession(AsyncSession):
    """The session a service gets: everything of `AsyncSession`, but ending the transaction (`GuardedSession`)."""

    def __init__(self, side: ORMConnection, sync_session_class: type[Session]) -> None:
        super().__init__(
            bind=side.connection,
            sync_session_class=sync_session_class,
            expire_on_commit=False,
            autoflush=True,
            close_resets_only=False,
        )
        self.side = side

    async def flush(self, objects: Any = None) -> None:
        """As `AsyncSession.flush`; costs nothing where nothing is pending."""
        if not self.sync_session._is_clean():  # pyright: ignore[reportPrivateUsage]
            await super().flush(objects)


class Sessions:
    """Makes sessions on pooled connections. One per process."""

    def __init__(self) -> None:
        # SQLAlchemy would take a lock around its first connection, which is waiting; there is nothing to find out.
        engine = create_engine(
            "postgresql+gatepost://",
            poolclass=NullPool,
            creator=self._lend,
            json_serializer=encode,
            hide_parameters=True,  # errors are logged, and the values of a statement are a client's
            _initialize=False,
        )
        engine.dialect.initialize(cast("Any", None))
        self._engine = AsyncEngine(engine)
        self._dbapi: Any = engine.dialect.dbapi
        self._lent: list[BorrowedConnection] = []
        self._session_class = session_class()

    def open(self, connection: PooledConnection, transaction: OwningTransaction) -> RequestSession:
        """A session on the connection, inside the transaction."""
        side = cast("ORMConnection | None", connection.orm)
        if side is None or side.connection.sync_connection.closed:  # type: ignore[union-attr]
            side = connection.orm = self._attach(connection)
        side.borrowed.enter(transaction)
        return RequestSession(side, self._session_class)

    @staticmethod
    def close(connection: PooledConnection, session: RequestSession) -> None:
        """Let go of the connection, when the transaction has ended. Nothing is sent."""
        side = session.side
        side.borrowed.is_over = True
        try:
            Session.close(session.sync_session)
        except BaseException:
            connection.orm = None
            raise
        if side.borrowed.is_spoiled or side.is_altered:
            connection.orm = None

    def _attach(self, connection: PooledConnection) -> ORMConnection:
        """Make the ORM's side of a pooled connection; it is kept as long as the connection."""
        borrowed = BorrowedConnection(self._dbapi, connection)
        self._lent.append(borrowed)
        orm = self._engine.sync_engine.connect()
        # SQLAlchemy's pool must not look after it: it would complain at every bare connection that is closed.
        orm.detach()
        return ORMConnection(GuardedConnection(self._engine, orm), borrowed)

    def _lend(self) -> BorrowedConnection:
        return self._lent.pop()
