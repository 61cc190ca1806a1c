"""Whether a statement that failed was carried out: done, undone, or unknown.

The outcome is unknown from the moment the first byte of COMMIT, or of a writing statement outside BEGIN, was handed to
the transport until the reply to that message was read. The code that sends such a message marks its connection
(`PooledConnection.writer`) for just that span, and asks here what a failure inside it means. Outside the span nothing
was written (`docs/decisions/0017-the-outcome-is-told-as-it-is.md`).
"""

import asyncio

import asyncpg
from asyncpg import exceptions as pg

from gatepost.errors import OutcomeUnknown

UNKNOWN_STATES = frozenset({"57P01", "57P02", "57P03"})
"""SQLSTATEs after which the statement may have been carried out nevertheless. The same holds for 40003, which says so,
for class 08, and for any error that ends the session."""

_ENDS_SESSION = frozenset({"FATAL", "PANIC"})


def outcome_unknown() -> OutcomeUnknown:
    """The refusal of a write that may or may not have taken place."""
    return OutcomeUnknown("outcome_unknown", "It may have been written: look before you repeat it.")


def reply_of(error: BaseException) -> BaseException:
    """The error that PostgreSQL replied with, also where the connection was lost just after it."""
    # asyncpg raises ConnectionDoesNotExistError when the connection ends before the error that it has just received is
    # delivered; that error is then the cause, and still says what became of the statement.
    cause = error.__cause__
    if isinstance(error, pg.ConnectionDoesNotExistError) and isinstance(cause, asyncpg.PostgresError):
        return cause if _says_what_happened(cause) else error
    return error


def is_in_doubt(error: BaseException) -> bool:
    """Whether a statement that failed so, after it was handed to the transport, may have been carried out."""
    reply = reply_of(error)
    if isinstance(reply, asyncpg.PostgresError):
        return not _says_what_happened(reply)
    if isinstance(reply, asyncpg.InterfaceError):
        return False  # refused by the driver, before it sends anything
    # The network failed, the driver lost track of the protocol, or the wait was cut off: the statement may have
    # arrived.
    return isinstance(reply, OSError | asyncpg.InternalClientError | asyncio.CancelledError)


def keeps_session(error: BaseException) -> bool:
    """Whether PostgreSQL itself reports an error of a statement in a session that goes on. Then its SQLSTATE says
    nothing of the connection: a function or trigger may have chosen any."""
    # A pooler that has lost its server may say ERROR as well, but names no routine.
    is_of_statement = getattr(error, "severity_en", None) == "ERROR"
    return is_of_statement and getattr(error, "server_source_function", None) is not None


def _says_what_happened(error: asyncpg.PostgresError) -> bool:
    """Whether PostgreSQL itself reports that the statement was undone, in a session that goes on."""
    state = error.sqlstate or "08000"
    if state == "40003":
        return False
    severity = getattr(error, "severity_en", None)
    is_unclear = severity in _ENDS_SESSION or state in UNKNOWN_STATES or state.startswith("08")
    return keeps_session(error) or not is_unclear
