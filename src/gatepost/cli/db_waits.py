"""`gatepost db waits` and `gatepost db cancel`: print what `database/activity.py` finds, and what became of a
session."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from gatepost.cli.doctor_database import connected
from gatepost.cli.operator_acts import leave_record
from gatepost.cli.output import print_json, print_table
from gatepost.cli.settings import database_settings
from gatepost.logging.console import print_success, print_warning

if TYPE_CHECKING:
    from gatepost.database.activity import DatabaseActivity
    from gatepost.database.connection import RawConnection

T = TypeVar("T")


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
    from gatepost.database.session_ending import stop_session

    report = on_database(lambda connection: stop_session(connection, pid, terminates=terminates))
    if report.tried:
        leave_record("db cancel", report.outcome)
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
