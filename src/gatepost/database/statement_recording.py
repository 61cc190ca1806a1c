"""A database that is sent nothing: it notes the statements that a request would run.

Outside the request path: `gatepost explain` composes an app on it. The code that handles a request goes as far as it
can without rows; where it looks at the rows of a statement, it ends with `RowsUnknown`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, NoReturn, TypeVar, cast

from gatepost.database.connection import Record
from gatepost.database.database import Database, Target
from gatepost.database.sessions import Sessions
from gatepost.database.statements import Statement
from gatepost.database.transactions import READ_COMMITTED, Transaction

T = TypeVar("T")


class RowsUnknown(Exception):
    """What follows depends on the rows of a statement that has not run."""


class RecordedStatement(NamedTuple):
    """A statement with its arguments; `is_in_transaction` where it would not be a transaction of its own."""

    statement: Statement
    arguments: Sequence[Any]
    is_in_transaction: bool


class UnknownRows(list[Record]):
    """The reply to a statement that has not run. There are rows, as in every request that is not refused; looking at
    them raises `RowsUnknown`."""

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> NoReturn:
        raise RowsUnknown

    def __iter__(self) -> NoReturn:
        raise RowsUnknown

    def __getitem__(self, index: Any) -> NoReturn:
        raise RowsUnknown


class _RecordingConnection:
    """What a transaction sends its statements to. It is its own bare connection, for BEGIN."""

    def __init__(self, recorded: list[RecordedStatement]) -> None:
        self._recorded = recorded
        self.raw = self
        self.holder: Any = None
        self.has_begun = False

    async def execute(self, command: str) -> str:
        self.has_begun = True
        return command

    async def fetch(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        self._recorded.append(RecordedStatement(statement, arguments, self.has_begun))
        return UnknownRows()


class RecordingDatabase(Database):
    """Notes statements in `recorded` instead of running them. For statements of ours alone: what runs through
    SQLAlchemy's session has no connection here."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.recorded: list[RecordedStatement] = []

    def run(
        self, statement: Statement, arguments: Sequence[Any], on: Target = Target.PRIMARY
    ) -> Coroutine[Any, Any, list[Record]]:
        """Note a statement that would be a transaction of its own."""
        return self._note(statement, arguments)

    def run_unbounded(
        self, statement: Statement, arguments: Sequence[Any], on: Target = Target.PRIMARY
    ) -> Coroutine[Any, Any, list[Record]]:
        """As `run`."""
        return self._note(statement, arguments)

    async def _note(self, statement: Statement, arguments: Sequence[Any]) -> list[Record]:
        self.recorded.append(RecordedStatement(statement, arguments, is_in_transaction=False))
        return UnknownRows()

    async def transact(
        self,
        work: Callable[[Transaction], Awaitable[T]],
        *,
        isolation: str = READ_COMMITTED,
        attempts: int = 1,
        may_write: bool = True,
        is_read_only: bool = False,
    ) -> T:
        """Run the work once, on a transaction whose statements are noted."""
        async with self.transaction(isolation, may_write=may_write, is_read_only=is_read_only) as transaction:
            return await work(transaction)

    @asynccontextmanager
    async def transaction(
        self, isolation: str = READ_COMMITTED, *, may_write: bool = True, is_read_only: bool = False
    ) -> AsyncGenerator[Transaction]:
        """A transaction that never commits."""
        connection = cast("Any", _RecordingConnection(self.recorded))
        yield Transaction(connection, Sessions(), self.resource, may_write=may_write, is_read_only=is_read_only)
