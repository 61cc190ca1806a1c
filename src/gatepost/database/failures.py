"""What PostgreSQL and the driver raise, told apart: away, busy, too slow, worth another try, or a broken rule.

A broken constraint becomes a response through `describe`, which knows the declaration
(`models/constraint_violations.py`); this module knows only PostgreSQL's codes (appendix A of its manual) and asyncpg's
classes. PostgreSQL's own messages are for the log: they may quote a row, and are never sent to a client.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeGuard

import asyncpg
from asyncpg import exceptions as pg
from sqlalchemy.orm.exc import StaleDataError

from gatepost.database.error_details import given_columns
from gatepost.database.outcomes import keeps_session
from gatepost.errors import (
    Conflict,
    FieldError,
    Forbidden,
    GatewayTimeout,
    ServiceUnavailable,
    Unprocessable,
)


class Broken(NamedTuple):
    """What PostgreSQL names of a violation: the constraint with its table, or for NOT NULL the column of the table. The
    constraint of a domain has no table."""

    constraint: str | None
    column: str | None = None
    table: str | None = None
    schema: str | None = None
    given: frozenset[str] | None = None
    """The columns that the INSERT gave a value itself; None where it was another statement, or cannot be told."""


Describe = Callable[[Broken], Exception | None]
"""From what is broken to the refusal that its violation means, or to the mistake that it shows."""

REFUSED: tuple[type[BaseException], ...] = (
    pg.InvalidAuthorizationSpecificationError,  # includes a wrong password
    pg.InvalidCatalogNameError,
    pg.ProtocolViolationError,
)
"""PostgreSQL, or a pooler in front of it, does not let us in. While a server runs, it is as good as away."""

LOST: tuple[type[BaseException], ...] = (
    *REFUSED,
    asyncpg.InternalClientError,
    pg.CannotConnectNowError,
    pg.ConnectionDoesNotExistError,
    pg.ConnectionFailureError,
    pg.AdminShutdownError,
    pg.CrashShutdownError,
    pg.TooManyConnectionsError,
    pg.IdleInTransactionSessionTimeoutError,
)
"""The connection or the server is gone, unless the session goes on (`outcomes.keeps_session`).
(`asyncpg.InterfaceError` is too, but only when it says so. An `OSError` means that where a connection is opened;
anywhere else it is a service's own: a file, another host.)"""

DRIVER_FAILURES: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Whatever asyncpg raises for a connection that is lost, refused or silent (a timeout is an `OSError`)."""

TRANSIENT: tuple[type[BaseException], ...] = (pg.SerializationError, pg.DeadlockDetectedError)
"""The transaction lost against another one; run again, it can succeed."""

SCHEMA_CHANGED: tuple[type[Exception], ...] = (pg.InvalidCachedStatementError, pg.InternalServerError)
"""What `is_schema_change` looks at."""


def is_schema_change(error: BaseException) -> bool:
    """True where a migration ran since the statement was prepared; prepared again, it succeeds. The types of the
    result are others (0A000), or a type was dropped, and perhaps made anew, that the plan refers to by number."""
    if isinstance(error, pg.InvalidCachedStatementError):
        return True
    return isinstance(error, pg.InternalServerError) and "cache lookup failed for type" in str(error)


def is_lost(error: BaseException) -> bool:
    """True where the connection cannot be used any more."""
    if isinstance(error, asyncpg.InterfaceError):
        return "connection is closed" in str(error) or "connection has been released" in str(error)
    return isinstance(error, LOST) and not keeps_session(error)


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


def problem_of(error: BaseException, describe: Describe) -> Exception | None:  # noqa: PLR0911 - one for each kind of error
    """The refusal that an error of PostgreSQL or its driver means, or the mistake in the set-up that it shows; None
    where it is a mistake in the code, as every error of class 22 is that no client's value has caused."""
    if is_lost(error):
        return unavailable()
    match error:
        case pg.WithCheckOptionViolationError():
            return violates_rule()
        case pg.IntegrityConstraintViolationError():
            return _violation(error, describe)
        case pg.LockNotAvailableError():
            detail = "A lock that another transaction holds did not become free in time."
            return GatewayTimeout("database_timeout", detail)
        case pg.QueryCanceledError():
            return GatewayTimeout("database_timeout", "A statement took longer than its limit and was cancelled.")
        case pg.SerializationError() | pg.DeadlockDetectedError():
            return ServiceUnavailable("transaction_conflict", "Concurrent changes collided; nothing was written.")
        case pg.DiskFullError() | pg.ConfigurationLimitExceededError():
            detail = "The database has no room left; nothing was written."
            return ServiceUnavailable("database_full", detail, retry_after_seconds=5)
        case pg.OutOfMemoryError():
            detail = "The database has no memory left; nothing was written."
            return ServiceUnavailable("database_out_of_memory", detail)
        case StaleDataError():
            detail = "The row was changed by another request at the same time; read it again."
            return Conflict("version_conflict", detail)
        case _:
            return None


def violates_rule() -> Conflict:
    """The refusal of a row by a rule of the database that the declaration does not know."""
    return Conflict("violates_constraint", "The rows would violate a rule of the database.")


def row_refused() -> Forbidden:
    """The refusal of a row by row level security."""
    return Forbidden("forbidden", "A row security policy of the database refuses this.")


def is_unnamed(error: BaseException, problem: Exception | None) -> TypeGuard[asyncpg.PostgresError]:
    """True for a broken constraint, or the check option of a view, whose error names neither it nor a field."""
    return (
        isinstance(error, pg.IntegrityConstraintViolationError | pg.WithCheckOptionViolationError)
        and isinstance(problem, Conflict)
        and not problem.errors
        and problem.code in ("already_exists", "violates_constraint")
    )


def is_referred_to(error: pg.IntegrityConstraintViolationError) -> bool:
    """Whether the row that was to go is the one others refer to. PostgreSQL has one code for both sides of a foreign
    key and tells them apart only in its message; where that is translated, the other side is assumed."""
    return isinstance(error, pg.RestrictViolationError) or (
        isinstance(error, pg.ForeignKeyViolationError) and str(error).startswith("update or delete")
    )


def _violation(error: pg.IntegrityConstraintViolationError, describe: Describe) -> Exception:
    if is_referred_to(error):
        return Conflict("still_referenced", "Other rows refer to this one.")
    given = given_columns(error)
    broken = Broken(error.constraint_name, error.column_name, error.table_name, error.schema_name, given)
    described = describe(broken) if broken.constraint or broken.column else None
    if described is not None:
        return described
    if isinstance(error, pg.NotNullViolationError):
        detail = "A field that has no value cannot be null."
        return Unprocessable("invalid_body", detail, errors=[FieldError("", "not_nullable", detail)])
    if isinstance(error, pg.UniqueViolationError):
        return Conflict("already_exists", "Another row has these values already.")
    return violates_rule()
