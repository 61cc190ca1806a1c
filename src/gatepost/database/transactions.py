"""The unit of work: one transaction on one connection, its session if one is asked for, and what follows the commit."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from gatepost.database.pool import PooledConnection, Record
from gatepost.database.sessions import RequestSession, Sessions
from gatepost.database.statements import Statement
from gatepost.observations import AfterCommitFailed, Observations

AfterCommit = Callable[[], Awaitable[None] | None]

ISOLATION_LEVELS = ("read committed", "repeatable read", "serializable")


class SwallowedError(RuntimeError):
    """A statement failed, the service went on as if nothing had happened, and PostgreSQL refused to commit."""

    def __init__(self) -> None:
        super().__init__(
            "a statement of this transaction failed and its error was caught without a savepoint, so PostgreSQL "
            "rolled everything back. Wrap what may fail in `async with self.session.begin_nested():`."
        )


class Transaction:
    """What services work in. Begun and ended by `Database.transact`, never by the work itself."""

    __slots__ = ("_after_commit", "_session", "_sessions", "connection")

    def __init__(self, connection: PooledConnection, sessions: Sessions) -> None:
        self.connection = connection
        self._sessions = sessions
        self._session: RequestSession | None = None
        self._after_commit: list[AfterCommit] = []

    async def begin(self, isolation: str, *, orm: bool) -> None:
        """Open the transaction; `orm` makes a session possible."""
        if orm:
            await self._sessions.attach(self.connection)
        command = "BEGIN" if isolation == "read committed" else f"BEGIN ISOLATION LEVEL {isolation.upper()}"
        await self.connection.raw.execute(command)

    @property
    def has_session(self) -> bool:
        """True once somebody asked for the session."""
        return self._session is not None

    @property
    def session(self) -> RequestSession:
        """The ORM session of this transaction, opened when it is first asked for."""
        if self._session is None:
            self._session = self._sessions.open(self.connection)
        return self._session

    async def fetch(self, statement: Statement, values: dict[str, Any]) -> list[Record]:
        """Run a compiled statement; what the session has pending is written first, so that it is seen."""
        if self._session is not None:
            await self._session.flush()
        return await self.connection.fetch(statement, statement.arguments(values))

    def after_commit(self, callback: AfterCommit) -> None:
        """Call `callback` once the transaction is committed, and never if it is not."""
        self._after_commit.append(callback)

    async def commit(self) -> None:
        """Write what is pending and commit. A cancellation that arrives meanwhile waits for the outcome:
        a commit that was sent may have happened, whatever the one who waits for it feels."""
        if self._session is not None:
            await self._session.flush()
        sent = asyncio.ensure_future(self.connection.raw.execute("COMMIT"))
        try:
            outcome = await asyncio.shield(sent)
        except asyncio.CancelledError:
            await sent
            raise
        if outcome != "COMMIT":
            raise SwallowedError

    async def close_session(self) -> None:
        """Let the session go, whatever became of the transaction."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.finish()

    async def run_after_commit(self, observations: Observations) -> None:
        """Run the callbacks in order. One that raises is reported and stops none of the others."""
        for callback in self._after_commit:
            try:
                waited = callback()
                if inspect.isawaitable(waited):
                    await waited
            except Exception as error:
                failed = observations.emitter(AfterCommitFailed)
                if failed is not None:
                    failed(AfterCommitFailed(callback=getattr(callback, "__qualname__", repr(callback)), error=error))
