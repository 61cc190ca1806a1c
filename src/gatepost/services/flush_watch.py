"""All flushes of one session: what is looked at before, and what they met.

A verb that an application writes flushes when it likes. What the default verbs do before they send a row and after it
is therefore done here, around each flush.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from sqlalchemy import inspect, null
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.util.concurrency import await_

from gatepost.actor import Actor
from gatepost.database.guards import GuardedSession
from gatepost.database.sessions import RequestSession
from gatepost.database.transactions import Transaction
from gatepost.errors import Forbidden


class AwaitedRow(NamedTuple):
    """A row that an own verb is about to write."""

    action: str
    row: Any
    actor: Actor


class Noted:
    """What the flushes of a block have met."""

    def __init__(self) -> None:
        self.is_unmet = False


CheckRow = Callable[[str, Any, Actor], Awaitable[None]]
"""Raises where the row of an action may not be written by an actor."""


class FlushWatch:
    """Watches the session of one transaction, once it is asked for."""

    def __init__(self, transaction: Transaction, check: CheckRow) -> None:
        self._transaction = transaction
        self._check = check
        self._awaited: list[AwaitedRow] = []
        # By identity of the draft, which is kept with them.
        self._nulls: dict[int, tuple[Any, Sequence[str]]] = {}
        self._noted = Noted()
        self._deleted: list[Any] = []
        self._is_checking = False

    @property
    def session(self) -> RequestSession:
        """The session, which is watched from now on."""
        session = self._transaction.session
        cast("GuardedSession", session.sync_session).around_flush = self._around_flush
        return session

    def keep_nulls(self, draft: Any, names: Sequence[str]) -> None:
        """Store NULL in these columns of the draft, unless a service gives them another value: to the ORM, None means
        the default of the column."""
        if names:
            self._nulls[id(draft)] = (draft, names)

    @contextmanager
    def awaiting(self, action: str, row: Any, actor: Actor, *, is_awaited: bool) -> Generator[None]:
        """Check the row before the first flush that sends it, in a block that writes it."""
        if is_awaited:
            self._awaited.append(AwaitedRow(action, row, actor))
        try:
            yield
        finally:
            if is_awaited:
                self.forget(row)

    def forget(self, row: Any) -> None:
        """The row is checked otherwise."""
        self._awaited = [each for each in self._awaited if each.row is not row]

    @contextmanager
    def noting_unmet(self) -> Generator[Noted]:
        """Note whether an INSERT, UPDATE or DELETE of a flush in this block meets no row. Statements of the
        application's own do not count."""
        outer, self._noted = self._noted, Noted()
        try:
            yield self._noted
        finally:
            self._noted = outer

    def has_deleted(self, row: Any) -> bool:
        """Whether the last flush was to delete the row."""
        return any(each is row for each in self._deleted)

    @contextmanager
    def _around_flush(self) -> Generator[None]:
        """Called by the session, in SQLAlchemy's greenlet."""
        if self._is_checking:
            yield
            return
        refusal = await_(self._check_pending()) if self._awaited else None
        session = self._transaction.session.sync_session
        self._deleted = list(session.deleted)
        nulls = self._write_nulls(session.new) if self._nulls else []
        self._transaction.take_unmet()
        try:
            yield
        except BaseException as error:
            for draft, name in nulls:
                draft.__dict__[name] = None
            if refusal is not None and isinstance(error, Exception):
                raise refusal from error  # what PostgreSQL says would reveal another row
            raise
        finally:
            self._noted.is_unmet = self._transaction.take_unmet() or self._noted.is_unmet
        for draft, name in nulls:
            set_committed_value(draft, name, None)

    async def _check_pending(self) -> Forbidden | None:
        """Check the rows that the flush is about to send. A policy may depend on what is sent together with a row: then
        it is evaluated on the written row, and what refuses it now is returned."""
        session = self._transaction.session
        pending = [*session.new, *session.dirty, *session.deleted]
        refusal: Forbidden | None = None
        for each in [each for each in self._awaited if any(row is each.row for row in pending)]:
            self._awaited.remove(each)
            try:
                await self._check_one(each, is_alone=len(pending) == 1)
            except Forbidden as error:
                if len(pending) == 1:
                    raise
                refusal = error
        return refusal

    async def _check_one(self, awaited: AwaitedRow, *, is_alone: bool) -> None:
        session = self._transaction.session
        self._is_checking = True
        try:
            if session.in_nested_transaction():
                await session.connection()  # SQLAlchemy sends SAVEPOINT with the first statement of its own
            await self._check(*awaited)
        except BaseException as error:
            if is_alone or not isinstance(error, Forbidden):
                _take_back(session, awaited.row)  # who catches the refusal must not write the row with the next flush
            raise
        finally:
            self._is_checking = False

    def _write_nulls(self, new: Any) -> list[tuple[Any, str]]:
        found: list[tuple[Any, str]] = []
        for draft in new:
            _, names = self._nulls.get(id(draft), (draft, ()))
            values = draft.__dict__
            found += [(draft, name) for name in names if name in values and values[name] is None]
        for draft, name in found:
            draft.__dict__[name] = null()
        return found


def _take_back(session: RequestSession, row: Any) -> None:
    """Let the session forget what is pending of a row."""
    if row in session.new:
        session.expunge(row)
        return
    changed = [each for each in inspect(row).attrs if each.history.has_changes()]
    for each in changed:
        before = each.history.deleted
        if before and each.key in inspect(row).mapper.column_attrs:
            set_committed_value(row, each.key, before[0])
        else:
            session.expire(row, [each.key])
