"""Whether a statement that failed was carried out: done, undone, or unknown.

The outcome is unknown from the moment the first byte of COMMIT, or of a writing statement outside BEGIN, was handed to
the transport until the answer to that message was read. The code that sends such a message marks its connection
(`PooledConnection.writer`) for just that span, and asks here what a failure inside it means. Outside the span nothing
was written (`docs/decisions/0017-the-outcome-is-told-as-it-is.md`).
"""

import asyncio

import asyncpg
from asyncpg import exceptions as pg

from gatepost.errors import OutcomeUnknown

UNKNOWN_STATES = frozenset({"40003", "57P01", "57P02", "57P03"})
"""SQLSTATEs after which the statement may have been carried out nevertheless. The same holds for class 08, and for any
error that ends the session."""

_ENDS_SESSION = frozenset({"FATAL", "PANIC"})


def outcome_unknown() -> OutcomeUnknown:
    """The refusal of a write that may or may not have taken place."""
    return OutcomeUnknown("outcome_unknown", "It may have been written: look before you repeat it.")


def answer_of(error: BaseException) -> BaseException:
    """The error that PostgreSQL answered with, also where the connection was lost just after it."""
    # asyncpg raises ConnectionDoesNotExistError when the connection ends before the error that it has just received is
    # delivered; that error is then the cause, and still says what became of the statement.
    cause = error.__cause__
    if isinstance(error, pg.ConnectionDoesNotExistError) and isinstance(cause, asyncpg.PostgresError):
        return cause if _says_what_happened(cause) else error
    return error


def is_in_doubt(error: BaseException) -> bool:
    """Whether a statement that failed so, after it was handed to the transport, may have been carried out."""
    answer = answer_of(error)
    if isinstance(answer, asyncpg.PostgresError):
        return not _says_what_happened(answer)
    if isinstance(answer, asyncpg.InterfaceError):
        return False  # refused by the driver, before it sends anything
    # The network failed, the driver lost track of the protocol, or the wait was cut off: the statement may have
    # arrived.
    return isinstance(answer, OSError | asyncpg.InternalClientError | asyncio.CancelledError)


def _says_what_happened(error: asyncpg.PostgresError) -> bool:
    """Whether PostgreSQL itself reports that the statement was undone, in a session that goes on."""
    state = error.sqlstate or "08000"
    severity = getattr(error, "severity_en", None)
    return severity not in _ENDS_SESSION and state not in UNKNOWN_STATES and not state.startswith("08")
