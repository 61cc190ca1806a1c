"""What PostgreSQL and the driver raise, told apart: away, busy, too slow, worth another try, or a broken rule.

What a code means is in `sqlstates.py`. A broken constraint becomes a response through `describe`, which knows the
declaration (`models/constraint_violations.py`). PostgreSQL's own messages are for the log: they may quote a row, and
are never sent to a client; the message of a trigger is sent where a setting says so.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeGuard, cast

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy.orm.exc import StaleDataError

from gatepost.database.error_details import (
    given_columns,
    is_of_deletion,
    is_of_read,
    is_raised,
    last_name,
    written_table,
)
from gatepost.database.outcomes import keeps_session
from gatepost.database.sqlstates import Meaning, meaning_of
from gatepost.errors import (
    Conflict,
    FieldError,
    Forbidden,
    GatewayTimeout,
    Problem,
    ServiceUnavailable,
    Unprocessable,
)

MESSAGE_LENGTH_MAX = 1000
"""Of a trigger's message that a response shows."""


class Broken(NamedTuple):
    """What PostgreSQL names of a violation: the constraint with its table, or for NOT NULL the column of the table. The
    constraint of a domain has no table."""

    constraint: str | None
    column: str | None = None
    table: str | None = None
    schema: str | None = None
    given: frozenset[str] | None = None
    """The columns that the INSERT gave a value itself; None where it was another statement, or cannot be told."""
    domain: str | None = None
    """The domain whose constraint it is; `table` is then the one that the statement writes to."""


Describe = Callable[[Broken], Exception | None]
"""From what is broken to the refusal that its violation means, or to the mistake that it shows."""

REFUSED: tuple[type[BaseException], ...] = (
    pg.InvalidAuthorizationSpecificationError,  # includes a wrong password
    pg.InvalidCatalogNameError,
    pg.ProtocolViolationError,
)
"""PostgreSQL, or a pooler in front of it, does not let us in. While a server runs, it is as good as away."""

DRIVER_FAILURES: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Whatever asyncpg raises for a connection that is lost, refused or silent (a timeout is an `OSError`)."""

SCHEMA_CHANGED: tuple[type[Exception], ...] = (pg.InvalidCachedStatementError, pg.InternalServerError)
"""What `is_schema_change` looks at."""


def is_schema_change(error: BaseException) -> bool:
    """True where a migration ran since the statement was prepared; prepared again, it succeeds. The types of the
    result are others (0A000), or a type was dropped, and perhaps made anew, that the plan refers to by number."""
    if isinstance(error, pg.InvalidCachedStatementError):
        return True
    return isinstance(error, pg.InternalServerError) and "cache lookup failed for type" in str(error)


def is_lost(error: BaseException) -> bool:
    """True where the connection cannot be used any more, which PostgreSQL may only say of a session that ends. (An
    `OSError` means that where a connection is opened; anywhere else it is a service's own: a file, another host.)"""
    if isinstance(error, asyncpg.InterfaceError):
        return "connection is closed" in str(error) or "connection has been released" in str(error)
    if not isinstance(error, asyncpg.PostgresError):
        return isinstance(error, asyncpg.InternalClientError)
    return meaning_of(error.sqlstate) in (Meaning.LOST, Meaning.EXPIRED) and not keeps_session(error)


def is_transient(error: BaseException) -> bool:
    """True where the transaction lost against another one; run again, it can succeed."""
    return _meaning(error) is Meaning.TRANSIENT


def is_unreadable(error: BaseException) -> bool:
    """True where the DSN itself is at fault; a certificate that is refused is a `ValueError` as well, but not that."""
    return isinstance(error, ValueError) and not isinstance(error, OSError)


def unavailable() -> ServiceUnavailable:
    """The refusal while the database is away."""
    return ServiceUnavailable("database_unavailable", "The database is unavailable; try again shortly.")


def no_connection() -> ServiceUnavailable:
    """The refusal while PostgreSQL is there, and gives this process no connection. It closes the client's connection:
    the next one may reach another worker, which has some."""
    return ServiceUnavailable(
        "database_unavailable",
        "PostgreSQL gives this process no connection, because a limit on them is reached; try again shortly.",
        headers=[(b"connection", b"close")],
    )


def read_only() -> ServiceUnavailable:
    """The refusal of a write while the server takes none."""
    return ServiceUnavailable(
        "database_read_only", "The database takes no writes at present; nothing was written.", retry_after_seconds=5
    )


def schema_changed() -> ServiceUnavailable:
    """The refusal of whatever uses a table that is not the one of the models."""
    detail = "The database does not have the tables that this server needs; nothing was read or written."
    return ServiceUnavailable("schema_changed", detail, retry_after_seconds=5)


def problem_of(error: BaseException, describe: Describe, *, shows_messages: bool = False) -> Exception | None:
    """The refusal that an error of PostgreSQL or its driver means, or the mistake in the set-up that it shows; None
    where it is a mistake in the code, as every error of class 22 is that no client's value has caused.

    `shows_messages` says that a response has the message of a trigger that refuses.
    """
    if isinstance(error, StaleDataError):
        return version_conflict()
    meaning = _meaning(error)
    if is_lost(error):
        return _too_slow() if Meaning.EXPIRED in (meaning, _meaning(error.__cause__)) else unavailable()
    if not isinstance(error, asyncpg.PostgresError):
        return None
    if meaning is Meaning.REFUSED or (meaning in (Meaning.STATEMENT, Meaning.PRIVILEGE) and is_raised(error)):
        return None if is_of_read(error) else _refused(error, describe, shows_message=shows_messages)
    if meaning is Meaning.CONSTRAINT:
        found = _violation(error, describe)
        return found or (
            _refused(error, describe, shows_message=shows_messages) if is_raised(error) else violates_rule()
        )
    make = _RESPONSES.get(cast("Meaning", meaning))
    return None if make is None else make()


def _meaning(error: BaseException | None) -> Meaning | None:
    """The meaning of an error of PostgreSQL. (The driver may raise that the connection was lost from what ended it.)"""
    return meaning_of(error.sqlstate) if isinstance(error, asyncpg.PostgresError) else None


def _too_slow() -> GatewayTimeout:
    return GatewayTimeout("database_timeout", "A statement took longer than its limit and was cancelled.")


def _locked() -> GatewayTimeout:
    return GatewayTimeout("database_timeout", "A lock that another transaction holds did not become free in time.")


def collided() -> ServiceUnavailable:
    return ServiceUnavailable("transaction_conflict", "Concurrent changes collided; nothing was written.")


def _full() -> ServiceUnavailable:
    detail = "The database has no room left; nothing was written."
    return ServiceUnavailable("database_full", detail, retry_after_seconds=5)


def _out_of_memory() -> ServiceUnavailable:
    return ServiceUnavailable("database_out_of_memory", "The database has no memory left; nothing was written.")


def _refused(error: asyncpg.PostgresError, describe: Describe, *, shows_message: bool) -> Unprocessable:
    """The refusal of a trigger, at the field whose column it names, if it does."""
    message = str(error.args[0]) if error.args else ""
    detail = message[:MESSAGE_LENGTH_MAX] if shows_message and message else "A trigger of the database refuses this."
    column, table = error.column_name, error.table_name or last_name(written_table(error) or "")
    named = describe(Broken(None, column, table, error.schema_name)) if column and table else None
    errors = [FieldError(item.pointer, "refused_by_trigger", detail) for item in getattr(named, "errors", ())]
    return Unprocessable("refused_by_trigger", detail, errors=errors)


def version_conflict() -> Conflict:
    """The refusal of a change to a row that has changed, or gone, meanwhile."""
    return Conflict("version_conflict", "The row was changed by another request at the same time; read it again.")


def violates_rule() -> Conflict:
    """The refusal of a row by a rule of the database that the declaration does not know."""
    return Conflict("violates_constraint", "The rows would violate a rule of the database.")


def suppressed_by_trigger() -> Conflict:
    """The refusal of a write that a trigger suppressed."""
    return Conflict("suppressed_by_trigger", "A trigger of the database suppressed this write.")


def row_refused() -> Forbidden:
    """The refusal of a row by row level security."""
    return Forbidden("forbidden", "A row security policy of the database refuses this.")


def is_unnamed(error: BaseException, problem: Exception | None) -> TypeGuard[asyncpg.PostgresError]:
    """True for a broken constraint, or the check option of a view, whose error names neither it nor a field."""
    return (
        isinstance(error, asyncpg.PostgresError)
        and meaning_of(error.sqlstate) in (Meaning.CONSTRAINT, Meaning.CHECK_OPTION)
        and isinstance(problem, Conflict)
        and not problem.errors
        and problem.code in ("already_exists", "violates_constraint")
    )


def still_referenced() -> Conflict:
    """The refusal to delete a row that others need."""
    return Conflict("still_referenced", "Other rows refer to this one.")


def is_referred_to(error: asyncpg.PostgresError) -> bool:
    """Whether the row that was to go is the one others refer to. PostgreSQL has one code for both sides of a foreign
    key, names the referring table on both, and tells them apart only in its message. Where that is translated, the
    statement tells: unless a table refers to itself, an INSERT or UPDATE of the named one is the other side."""
    if error.sqlstate != "23503":
        return error.sqlstate == "23001"
    message = str(error)
    if message.startswith(("update or delete", "insert or update")):
        return message.startswith("update or delete")
    table, named = written_table(error), error.table_name
    return is_of_deletion(error) or (table is not None and named is not None and last_name(table) != named)


def _violation(error: asyncpg.PostgresError, describe: Describe) -> Exception | None:
    if is_referred_to(error):
        return still_referenced()
    given = given_columns(error)
    broken = Broken(error.constraint_name, error.column_name, error.table_name, error.schema_name, given)
    domain: str | None = None if error.table_name else getattr(error, "data_type_name", None)
    if domain is not None:
        broken = Broken(error.constraint_name, None, last_name(written_table(error) or ""), None, given, domain)
    is_null = error.sqlstate == "23502"
    described = describe(broken) if broken.constraint or (broken.column and is_null) else None
    if described is not None:
        return described
    if is_null:
        detail = "A field that has no value cannot be null."
        return Unprocessable("invalid_body", detail, errors=[FieldError("", "not_nullable", detail)])
    if error.sqlstate == "23505":
        return Conflict("already_exists", "Another row has these values already.")
    if error.sqlstate == "23P01":
        return Conflict("already_exists", "Another row excludes these values.")
    return None


_RESPONSES: dict[Meaning, Callable[[], Problem]] = {
    Meaning.CHECK_OPTION: violates_rule,
    Meaning.TRANSIENT: collided,
    Meaning.LOCKED: _locked,
    Meaning.SLOW: _too_slow,
    Meaning.FULL: _full,
    Meaning.OUT_OF_MEMORY: _out_of_memory,
}
"""Of the meanings that need nothing but the code. Those that are not named here are mistakes, or decided before."""
