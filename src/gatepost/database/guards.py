"""What a service must not do to the transaction of its request, refused with the reason and the way to do it.

A transaction that a service could end would let half a request be committed, or let the other half run without one.
Refused are SQLAlchemy's methods, at the session and at its connection, and SQL text that does the same.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NoReturn, cast

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from sqlalchemy.sql import Select

ADVICE = (
    "The transaction belongs to the request, which commits it before it responds and rolls it back when the service "
    "raises. Raise an error to roll back; use session.begin_nested() for a savepoint; use "
    "self.after_commit(callback) for what must follow the commit."
)

_BEFORE = r"[\s;]*(?:(?:--[^\n]*(?:\n|$)|/\*.*?\*/)[\s;]*)*"
_FIRST = re.compile(_BEFORE + r"(\w+)", re.DOTALL)
_ENDING = re.compile(
    _BEFORE + r"(COMMIT|END|ABORT|BEGIN|START\s+TRANSACTION|PREPARE\s+TRANSACTION|DISCARD"
    r"|ROLLBACK(?!\s+(?:(?:WORK|TRANSACTION)\s+)?TO\b))\b",
    re.IGNORECASE | re.DOTALL,
)
_LASTING = re.compile(_BEFORE + r"SET\s+(?!LOCAL\b|CONSTRAINTS\b|TRANSACTION\b)", re.IGNORECASE | re.DOTALL)
_KEPT = {
    "PREPARE": "The driver prepares every statement that is run, and keeps it: run the statement itself.",
    "EXECUTE": "The driver prepares every statement that is run, and keeps it: run the statement itself.",
    "DEALLOCATE": "The statements that are prepared on a connection belong to the driver, which closes them itself.",
    "LOAD": "A library stays loaded for all who use the connection: name it in session_preload_libraries.",
}
"""What would stay on the connection for others, and what to do instead."""

READABLE = "gatepost_readable"
"""The execution option of a SELECT under an actor's policy: it makes the statement that is sent, with conditions in
place of what `readable()` stands for."""

_WATCHED = frozenset({"COMMIT", "END", "ABORT", "BEGIN", "START", "DISCARD", "ROLLBACK", "SET", *_KEPT})


class TransactionIsManaged(RuntimeError):
    """A service tried to end the transaction that belongs to its request."""

    def __init__(self, what: str, advice: str = ADVICE) -> None:
        super().__init__(f"{what} is refused. {advice}")


class TransactionAborted(RuntimeError):
    """A statement was to follow one that failed, in the same transaction."""

    def __init__(self) -> None:
        super().__init__(
            "an earlier statement of this transaction failed, and PostgreSQL runs no other after it. Let the error end "
            "the transaction, or wrap what may fail in `async with session.begin_nested():`, which makes a savepoint."
        )


def check_command(sql: str) -> None:
    """Refuse SQL text that ends the transaction, or sets what would outlive it on a connection that others use."""
    first = _FIRST.match(sql)
    if first is not None and (command := first[1].upper()) in _WATCHED:
        _check_watched(sql, command)


def _check_watched(sql: str, command: str) -> None:
    if (found := _ENDING.match(sql)) is not None:
        raise TransactionIsManaged(f"the command {found[1].upper()}")
    if _LASTING.match(sql) is not None:
        raise TransactionIsManaged("SET", "The connection is shared: use SET LOCAL, which ends with the transaction.")
    if command in _KEPT:
        raise TransactionIsManaged(f"the command {command}", _KEPT[command])


def _refused(what: str) -> Any:
    """A method that only the request and the pool may call, in the place of SQLAlchemy's."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise TransactionIsManaged(what)

    return refuse


class GuardedSession(Session):
    """The synchronous session inside a service's `AsyncSession`, which `run_sync` hands out.

    Locking a row (`with_for_update`) writes what is pending and reads the row's present values, also for an object
    that is loaded already: SQLAlchemy alone would lock the row and keep the stale attributes.
    """

    around_flush: Callable[[], AbstractContextManager[None]] | None = None
    """What each flush is done in, where something is pending."""

    after_undo: Callable[[SessionTransaction], None] | None = None
    """Called after a transaction of the session, such as a savepoint, was rolled back."""

    def flush(self, objects: Any = None) -> None:
        """As `Session.flush`."""
        if self.around_flush is None or self._is_clean():
            super().flush(objects)
        else:
            with self.around_flush():
                super().flush(objects)

    def get(self, entity: Any, ident: Any, **options: Any) -> Any:
        """As `Session.get`."""
        return super().get(entity, ident, **self._fresh(options))

    def get_one(self, entity: Any, ident: Any, **options: Any) -> Any:
        """As `Session.get_one`."""
        return super().get_one(entity, ident, **self._fresh(options))

    def begin(self, nested: bool = False) -> Any:
        """Refused but for savepoints: the request has begun the transaction."""
        if not nested:
            raise TransactionIsManaged("session.begin()")
        return super().begin(nested=True)

    commit = _refused("session.commit()")
    rollback = _refused("session.rollback()")
    prepare = _refused("session.prepare()")
    close = _refused("session.close()")
    reset = _refused("session.reset()")
    invalidate = _refused("session.invalidate()")

    def _fresh(self, options: dict[str, Any]) -> dict[str, Any]:
        if options.get("with_for_update"):
            self.flush()
            options.setdefault("populate_existing", True)
        return options


class GuardedConnection(AsyncConnection):
    """What `await session.connection()` gives a service."""

    async def get_raw_connection(self) -> Any:
        """The driver's side: `driver_connection` is the asyncpg connection, for what only asyncpg can do (COPY)."""
        borrowed: Any = (await super().get_raw_connection()).dbapi_connection
        borrowed.pooled.needs_reset = True
        await borrowed.transaction.begin()
        return borrowed

    commit = _refused("connection.commit()")
    rollback = _refused("connection.rollback()")
    close = _refused("connection.close()")
    invalidate = _refused("connection.invalidate()")


def _refresh_what_is_locked(state: ORMExecuteState) -> None:
    statement = state.statement
    locks = isinstance(statement, Select) and statement._for_update_arg is not None  # pyright: ignore[reportPrivateUsage]
    if locks and not state.is_column_load:
        state.update_execution_options(populate_existing=True)


def _replace_readable(state: ORMExecuteState) -> None:
    replace: Callable[[Any], Any] | None = state.execution_options.get(READABLE)
    if replace is not None:
        state.statement = replace(state.statement)


def _tell_of_undo(session: Session, undone: SessionTransaction) -> None:
    after_undo = cast("GuardedSession", session).after_undo
    if after_undo is not None:
        after_undo(undone)


event.listen(GuardedSession, "after_soft_rollback", _tell_of_undo)
event.listen(GuardedSession, "do_orm_execute", _refresh_what_is_locked)
event.listen(GuardedSession, "do_orm_execute", _replace_readable)
