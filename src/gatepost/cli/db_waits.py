"""`gatepost db waits` and `gatepost db cancel`: print what `database/activity.py` finds, and what became of a
session."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from gatepost.cli.doctor_database import connected
from gatepost.cli.output import print_json, print_table
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success, print_warning

if TYPE_CHECKING:
    from gatepost.database.activity import DatabaseActivity, SessionActivity
    from gatepost.database.connection import RawConnection

T = TypeVar("T")

OUTCOME_SECONDS_MAX = 5.0
_POLL_SECONDS = 0.05
_RUNNING = frozenset({"active", "fastpath function call"})


class CancelReport(msgspec.Struct, frozen=True):
    """What `--json` prints: `done` says whether the statement or the session is over."""

    pid: int
    done: bool
    outcome: str
    session: "SessionActivity"


def print_waits(long_seconds: float, *, as_json: bool) -> bool:
    """Print waits and long transactions; True where there are any."""
    from gatepost.database.activity import read_activity

    found = on_database(lambda connection: read_activity(connection, long_seconds))
    if as_json:
        print_json(found)
    else:
        _print(found, long_seconds)
    return bool(found.waits or found.long_transactions or found.prepared)


def cancel_session(pid: int, *, terminates: bool, as_json: bool) -> bool:
    """Cancel the statement of a session, or end the session, and print what became of it; True where it is over."""
    report = on_database(lambda connection: _cancel(connection, pid, terminates=terminates))
    if as_json:
        print_json(report)
    elif report.done:
        print_success(report.outcome)
    else:
        print_warning(report.outcome)
    return report.done


def on_database(work: "Callable[[RawConnection], Coroutine[Any, Any, T]]") -> T:
    """What `work` finds on a connection to the database of the settings."""
    from gatepost.database.database import Database
    from gatepost.events import Events

    async def run() -> T:
        async with connected(Database(str(settings.database.url), settings.database, Events())) as connection:
            return await work(connection)

    with database_settings() as settings:
        return asyncio.run(run())


async def _cancel(connection: "RawConnection", pid: int, *, terminates: bool) -> CancelReport:
    import asyncpg

    from gatepost.database.activity import end_session, find_session, stop_statement

    before = await find_session(connection, pid)
    if before is None:
        raise ConfigurationError(
            f"No session of this database has the process {pid}.",
            location="DATABASE_URL",
            hint="`gatepost db waits` lists those that wait and those that hold them up.",
        )
    if not terminates and before.state and before.state not in _RUNNING:
        outcome = f"Session {pid} runs no statement, it is {before.state}. --terminate ends it."
        return CancelReport(pid, False, outcome, before)
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


def _is_over(before: "SessionActivity", after: "SessionActivity") -> bool:
    """Whether a session runs no longer the statement that it ran."""
    began, begins = before.statement_seconds or 0, after.statement_seconds or 0
    return after.state not in _RUNNING or begins < began


def _outcome(before: "SessionActivity", *, is_ended: bool) -> str:
    seconds = f", which had run for {before.statement_seconds or 0:.1f} s"
    if is_ended:
        return f"Ended session {before.pid} of {_whose(before)}, which had {_what(before)}. What it changed is undone."
    return f"Cancelled {_what(before)} of session {before.pid}, {_whose(before)}{seconds}."


def _what(session: "SessionActivity") -> str:
    return session.operation or (f"`{session.sql}`" if session.sql else "a statement that the role may not see")


def _whose(session: "SessionActivity") -> str:
    return f"{session.application or 'an unnamed application'} as {session.role}"


def _print(found: "DatabaseActivity", long_seconds: float) -> None:
    if found.waits:
        columns = ("pid", "waits for", "seconds", "lock", "operation", "application", "role", "client", "state", "SQL")
        print_table(
            columns,
            [
                (
                    each.pid, ", ".join(map(str, each.waits_for)), _seconds(each.waiting_seconds), each.lock,
                    each.operation, each.application, each.role, each.client, each.state, each.sql,
                )
                for each in found.waits
            ],
        )  # fmt: skip
    else:
        print_success("No session waits for another one.")
    if found.long_transactions:
        names = ("pid", "transaction", "statement", "operation", "application", "role", "client", "state", "SQL")
        print_table(
            names,
            [
                (
                    each.pid, _seconds(each.transaction_seconds), _seconds(each.statement_seconds), each.operation,
                    each.application, each.role, each.client, each.state, each.sql,
                )
                for each in found.long_transactions
            ],
        )  # fmt: skip
    else:
        print_success(f"No transaction is open for {long_seconds:g} s or longer.")
    for prepared in found.prepared:
        print_warning(
            f"The prepared transaction {prepared.name!r} of {prepared.role} is open for {prepared.seconds:.0f} s and "
            "keeps its locks: ROLLBACK PREPARED or COMMIT PREPARED ends it."
        )
    if found.hides_statements:
        print_warning("The role may not see the statements of other roles: GRANT pg_read_all_stats TO it.")


def _seconds(seconds: float | None) -> str | None:
    return None if seconds is None else f"{seconds:.1f}"
