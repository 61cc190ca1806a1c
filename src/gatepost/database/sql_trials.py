"""Asks PostgreSQL whether it takes the SQL of a declaration, before there is a request: what it refuses would be a 500.

Outside the request path: at the start of a process, in `gatepost doctor`, and as soon as a database is there that was
away when the process started. Which statements are tried is decided by `models`; no row is read.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from gatepost.background import background
from gatepost.database.connection import RawConnection
from gatepost.database.database import Database
from gatepost.database.failures import is_lost
from gatepost.database.schema_watch import FAILURES
from gatepost.database.statements import Statement
from gatepost.errors import ConfigurationError
from gatepost.events import DeclarationRefused, Events

BATCH = 50
"""Statements tried at a time, as one. Only where that is refused are they tried one by one."""

RETRY_SECONDS = 2.0

_OF_SQL = ("42", "22", "0A", "54")
"""Classes of SQLSTATE by which PostgreSQL refuses a statement because of what it says."""

_NOT_PERMITTED = "42501"
"""What the role may not do is for whoever runs the database."""

_MISSING = "42P01"
"""A relation that does not exist: as little as a missing view of the app (`schema_watch.py`) is it a reason not to
start."""

_OF_TYPE = (TypeError, AttributeError)
"""What a codec or a `TypeDecorator` raises for every value of a type that it does not take."""


class Trial(Protocol):
    """A statement to try (`models/sql_trials.py`)."""

    @property
    def select(self) -> "sa.Select[Any]": ...

    @property
    def select_constants(self) -> "Callable[[], sa.Select[Any]]": ...

    @property
    def refusal(self) -> Callable[[str, str | None], ConfigurationError]: ...

    @property
    def may_be_of_another_type(self) -> bool: ...


class TrialFindings(msgspec.Struct, frozen=True):
    """What PostgreSQL refuses: the mistakes, and what may be no mistake, because it is about a relation that may be
    made later."""

    refused: list[ConfigurationError]
    missing: list[ConfigurationError]


class SQLTrials:
    """Tries what `find` returns on a database."""

    def __init__(self, database: Database, find: Callable[[], Sequence[Trial]], events: Events) -> None:
        self._database = database
        self._find = find
        self._events = events
        self._task: asyncio.Task[None] | None = None

    async def run(self, *, is_reachable: bool) -> list[ConfigurationError]:
        """The mistakes, with what is missing beside them; missing relations alone are emitted. Without a reply it is
        tried again in the background, and what is found then is emitted."""
        found = await self._try() if is_reachable else None
        if found is None:
            self._task = background(self._try_again(), "try the SQL of the declaration", self._events)
            return []
        if found.refused:
            return [*found.refused, *found.missing]
        self.emit(found.missing)
        return []

    def emit(self, refused: Sequence[ConfigurationError]) -> None:
        """Say what is refused, in a process that serves all the same."""
        for error in refused:
            self._events.emit(DeclarationRefused(str(error)))

    def stop(self) -> None:
        """Try no more."""
        if self._task is not None:
            self._task.cancel()

    async def _try(self) -> TrialFindings | None:
        try:
            async with self._database.pool.lend() as connection:
                return await try_all(connection.raw, self._find(), self._database.schema.changed)
        except FAILURES:
            return None

    async def _try_again(self) -> None:
        found = None
        while found is None:
            await asyncio.sleep(RETRY_SECONDS)
            found = await self._try()
        self.emit([*found.refused, *found.missing])


async def try_all(raw: RawConnection, trials: Sequence[Trial], changed: Collection[str]) -> TrialFindings:
    """What is refused of these statements. Those that use a table in `changed` are left out: it is refused itself.

    Raises what the driver raises where PostgreSQL does not reply.
    """
    refused: dict[str, ConfigurationError] = {}
    missing: dict[str, ConfigurationError] = {}
    for begin in range(0, len(trials), BATCH):
        batch = trials[begin : begin + BATCH]
        if not await _all_pass(raw, batch):
            for trial in batch:
                error, is_missing = await _refusal(raw, trial, changed)
                if error is not None:  # often the same for other SQL of the same function
                    (missing if is_missing else refused).setdefault(str(error), error)
    return TrialFindings(list(refused.values()), list(missing.values()))


async def _all_pass(raw: RawConnection, trials: Sequence[Trial]) -> bool:
    try:
        statement = Statement(sa.union_all(*(trial.select for trial in trials)))
        await raw.fetch(statement.sql, *statement.arguments({}))
    except asyncpg.PostgresError as error:
        _raise_unless_of_sql(error)
        return False
    except (OSError, asyncpg.InternalClientError):
        raise
    except Exception as error:  # whatever a `TypeDecorator` raises, or the driver for a value
        if is_lost(error):
            raise
        return False
    return True


async def _refusal(
    raw: RawConnection, trial: Trial, changed: Collection[str]
) -> tuple[ConfigurationError | None, bool]:
    """What is refused of a statement, and whether that is a relation that does not exist."""
    try:
        statement = Statement(trial.select)
        if not statement.uses.isdisjoint(changed):
            return None, False
        await raw.prepare(statement.sql)
    except SQLAlchemyError as error:
        return trial.refusal(f"cannot be written as SQL: {error}", "Rewrite it."), False
    except asyncpg.PostgresError as error:
        _raise_unless_of_sql(error)
        if error.sqlstate == _NOT_PERMITTED:
            return None, False
        reason = f"is refused by PostgreSQL: {_sentence(error)}"
        return trial.refusal(reason, getattr(error, "hint", None)), error.sqlstate == _MISSING
    return await _refusal_of_values(raw, trial, statement), False


async def _refusal_of_values(raw: RawConnection, trial: Trial, statement: Statement) -> ConfigurationError | None:
    """The mistake of a value that cannot be sent: one that is the same for every actor, or of a type that the column
    does not take. That one sample of a value cannot be sent says nothing of others."""
    error = await _failure(raw, statement)
    if error is None:
        return None
    if not (_is_of_type(error) and not trial.may_be_of_another_type):
        error = await _failure(raw, Statement(trial.select_constants()))
        if error is None:
            return None
    hint = "Compare a column with a value of its own type."
    return trial.refusal(f"has a value that cannot be sent to PostgreSQL: {_sentence(error)}", hint)


async def _failure(raw: RawConnection, statement: Statement) -> Exception | None:
    """What is raised for the values of a statement that PostgreSQL takes."""
    try:
        await raw.fetch(statement.sql, *statement.arguments({}))
    except (OSError, asyncpg.InternalClientError):
        raise
    except Exception as error:
        if isinstance(error, asyncpg.PostgresError):
            _raise_unless_of_sql(error)
        if is_lost(error):
            raise
        is_of_values = not isinstance(error, asyncpg.PostgresError) or (error.sqlstate or "").startswith("22")
        return error if is_of_values else None
    return None


def _raise_unless_of_sql(error: asyncpg.PostgresError) -> None:
    if not (error.sqlstate or "").startswith(_OF_SQL):
        raise error


def _is_of_type(error: Exception) -> bool:
    return isinstance(error, _OF_TYPE) or isinstance(error.__cause__, _OF_TYPE)


def _sentence(error: Exception) -> str:
    text = str(error.args[0] if error.args else error).strip().rstrip(".")
    return f"{text}." if isinstance(error, asyncpg.PostgresError) else f"{type(error).__name__}: {text}."
