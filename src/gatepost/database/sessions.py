"""The ORM on our connections: one engine, one SQLAlchemy connection kept per bare connection, guarded sessions.

The transaction belongs to the unit of work (`transactions.py`), never to the session: what SQLAlchemy would send to
begin, commit, roll back or reset is left out by a dialect of our own, and a session's `commit`, `rollback` and
`close` say why they are refused.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn, cast

from sqlalchemy import create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.pool import NullPool

from gatepost.database.pool import PooledConnection, RawConnection

_borrowed: ContextVar[RawConnection] = ContextVar("gatepost_borrowed_connection")


class BorrowedDialect(PGDialect_asyncpg):
    """PostgreSQL through asyncpg, on a connection whose state and transaction are somebody else's."""

    supports_statement_cache = True

    def on_connect(self) -> Any:
        """Set nothing: the codecs of the connection are ours, and one set serves both ways."""
        return None

    def initialize(self, connection: Any) -> None:
        """Ask nothing: a round trip per engine tells no more than PostgreSQL 14 and later have in common."""
        self.server_version_info = (14, 0)
        self.default_schema_name = "public"
        self._backslash_escapes = False

    def do_begin(self, dbapi_connection: Any) -> None:
        """The unit of work has begun the transaction."""

    def do_commit(self, dbapi_connection: Any) -> None:
        """The unit of work commits."""

    def do_rollback(self, dbapi_connection: Any) -> None:
        """The unit of work rolls back."""

    def do_close(self, dbapi_connection: Any) -> None:
        """The pool closes."""


registry.register("postgresql.gatepost", __name__, "BorrowedDialect")


class TransactionIsOurs(RuntimeError):
    """A service tried to end the transaction that belongs to its request."""

    def __init__(self, method: str) -> None:
        super().__init__(
            f"session.{method}() is refused: the transaction belongs to the request, which commits it before it "
            "answers and rolls it back when the service raises. Raise an error to roll back; use "
            "session.begin_nested() for a savepoint; use self.after_commit(callback) for what must follow the commit."
        )


class RequestSession(AsyncSession):
    """The session a service gets: everything of `AsyncSession`, but ending the transaction.

    `with_for_update=True` always reads the row's present values, also for an object that is loaded already:
    SQLAlchemy alone would lock the row and keep the stale attributes.
    """

    async def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """As `AsyncSession.get`."""
        return await super().get(entity, ident, **_fresh(options))

    async def get_one(self, entity: Any, ident: Any, **options: Any) -> Any:
        """As `AsyncSession.get_one`."""
        return await super().get_one(entity, ident, **_fresh(options))

    async def commit(self) -> NoReturn:
        """Refused: the request commits."""
        raise TransactionIsOurs("commit")

    async def rollback(self) -> NoReturn:
        """Refused: the request rolls back when the service raises."""
        raise TransactionIsOurs("rollback")

    async def close(self) -> NoReturn:
        """Refused: the request closes its session."""
        raise TransactionIsOurs("close")

    async def finish(self) -> None:
        """Let go of the connection, by the unit of work, when the transaction has ended."""
        await super().close()


def _fresh(options: dict[str, Any]) -> dict[str, Any]:
    if options.get("with_for_update"):
        options.setdefault("populate_existing", True)
    return options


class Sessions:
    """Makes sessions on pooled connections. One per process."""

    def __init__(self) -> None:
        engine = create_engine(
            "postgresql+gatepost://", poolclass=NullPool, isolation_level="AUTOCOMMIT", creator=self._borrow
        )
        engine.dialect.skip_autocommit_rollback = True
        self._engine = AsyncEngine(engine)

    def _borrow(self) -> Any:
        async def lend() -> RawConnection:
            return _borrowed.get()

        connect = cast("Callable[..., Any]", cast("Any", self._engine.dialect).dbapi.connect)
        return connect(async_creator_fn=lend, prepared_statement_cache_size=256)

    async def attach(self, connection: PooledConnection) -> None:
        """Make the ORM's side of a pooled connection, once; it is kept as long as the connection."""
        if connection.orm is None:
            _borrowed.set(connection.raw)
            connection.orm = await self._engine.connect()

    def open(self, connection: PooledConnection) -> RequestSession:
        """A session on an attached connection, inside the transaction that is open there."""
        orm = cast("AsyncConnection", connection.orm)
        return RequestSession(bind=orm, expire_on_commit=False, autoflush=True)
