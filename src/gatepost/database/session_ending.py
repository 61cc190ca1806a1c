"""Stopping what a session of the database runs, or the session, and saying what became of it.

Outside the request path: of `gatepost db cancel`, and of the console.
"""

import asyncio
import time
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from gatepost.database.activity import SessionActivity, end_session, find_session, stop_statement
from gatepost.errors import ConfigurationError

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

OUTCOME_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.05
_RUNNING = frozenset({"active", "fastpath function call"})


class CancelReport(msgspec.Struct, frozen=True):
    """What became of a session: `done` says whether the statement or the session is over, `tried` whether PostgreSQL
    was asked to end it."""

    pid: int
    done: bool
    outcome: str
    session: SessionActivity
    tried: bool = True


async def stop_session(connection: "RawConnection", pid: int, *, terminates: bool) -> CancelReport:
    """Cancel the statement of a session, or end the session with `terminates`, and see what becomes of it. Raises
    ConfigurationError where there is no such session, and where the role may not stop it."""
    before = await find_session(connection, pid)
    if before is None:
        raise ConfigurationError(
            f"No session of this database has the process {pid}.",
            location="DATABASE_URL",
            hint="`gatepost db waits` lists those that wait and those that hold them up.",
        )
    if not terminates and before.state and before.state not in _RUNNING:
        outcome = f"Session {pid} runs no statement, it is {before.state}. --terminate ends it."
        return CancelReport(pid, False, outcome, before, tried=False)
    try:
        await (end_session if terminates else stop_statement)(connection, pid)
    except asyncpg.InsufficientPrivilegeError:
        raise ConfigurationError(
            f"The role of DATABASE_URL may not stop a session of the role {before.role}.",
            location="DATABASE_URL",
            hint=f"Connect as {before.role}, or GRANT pg_signal_backend TO the role.",
        ) from None
    if not before.state and not terminates:
        return CancelReport(pid, True, f"Asked PostgreSQL to cancel {_what(before)} of session {pid}.", before)
    deadline = time.monotonic() + OUTCOME_SECONDS_MAX
    while time.monotonic() < deadline:
        after = await find_session(connection, pid)
        if after is None or (not terminates and _is_over(before, after)):
            return CancelReport(pid, True, _outcome(before, is_ended=after is None), before)
        await asyncio.sleep(_POLL_SECONDS)
    hint = "Try again." if terminates else "--terminate ends the session."
    return CancelReport(
        pid, False, f"Session {pid} goes on with {_what(before)} after {OUTCOME_SECONDS_MAX:g} s. {hint}", before
    )


def _is_over(before: SessionActivity, after: SessionActivity) -> bool:
    """Whether a session runs no longer the statement that it ran."""
    began, begins = before.statement_seconds or 0, after.statement_seconds or 0
    return after.state not in _RUNNING or begins < began


def _outcome(before: SessionActivity, *, is_ended: bool) -> str:
    seconds = f", which had run for {before.statement_seconds or 0:.1f} s"
    if is_ended:
        return f"Ended session {before.pid} of {_whose(before)}, which had {_what(before)}. What it changed is undone."
    return f"Cancelled {_what(before)} of session {before.pid}, {_whose(before)}{seconds}."


def _what(session: SessionActivity) -> str:
    return session.operation or (f"`{session.sql}`" if session.sql else "a statement that the role may not see")


def _whose(session: SessionActivity) -> str:
    return f"{session.application or 'an unnamed application'} as {session.role}"
