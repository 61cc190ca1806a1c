"""What the sessions of a database are doing: which wait for which, which transactions are long, and how to stop one.

Outside the request path: `gatepost db waits` and `gatepost db cancel` ask.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from gatepost.database.masked_sql import operation_of, without_literals

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

SQL_LENGTH_MAX = 200

_SESSIONS = """
    SELECT pid, coalesce(usename, '') AS role, coalesce(application_name, '') AS application,
           host(client_addr) AS client, coalesce(state, '') AS state,
           extract(epoch FROM clock_timestamp() - xact_start)::float8 AS transaction_seconds,
           extract(epoch FROM clock_timestamp() - query_start)::float8 AS statement_seconds,
           coalesce(query, '') AS query, query = '<insufficient privilege>' AS is_hidden,
           wait_event_type, wait_event, pg_blocking_pids(pid) AS blockers
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
      AND coalesce(backend_type, 'client backend') = 'client backend'
    ORDER BY xact_start, pid
"""
_WAITED_FOR = """
    SELECT pid, locktype AS kind, mode, extract(epoch FROM clock_timestamp() - waitstart)::float8 AS seconds,
           coalesce(relation, (SELECT held.relation FROM pg_locks AS held  -- the row whose writer it waits for
                               WHERE held.pid = waiting.pid AND held.locktype = 'tuple' LIMIT 1))::regclass::text
             AS relation
    FROM pg_locks AS waiting WHERE NOT granted
"""
_PREPARED = """
    SELECT gid, owner AS role, extract(epoch FROM clock_timestamp() - prepared)::float8 AS seconds
    FROM pg_prepared_xacts WHERE database = current_database() ORDER BY prepared
"""


class SessionActivity(msgspec.Struct, frozen=True, kw_only=True):
    """A session: what it runs or has run last, and since when, in seconds.

    `operation` is the name of its statement where Gatepost compiled it, such as `books.list`; `sql` the beginning of
    the statement with its values masked, None where the role may not see it. `waits_for` are the sessions that hold
    what it waits for (0 is a prepared transaction), `lock` says what that is, and `waiting_seconds` for how long.
    """

    pid: int
    role: str
    application: str
    client: str | None
    state: str
    operation: str | None
    sql: str | None
    transaction_seconds: float | None
    statement_seconds: float | None
    waits_for: list[int] = []
    lock: str | None = None
    waiting_seconds: float | None = None


class PreparedTransaction(msgspec.Struct, frozen=True):
    """A transaction of two-phase commit that no session has: it keeps its locks until someone ends it."""

    name: str
    role: str
    seconds: float


class DatabaseActivity(msgspec.Struct, frozen=True):
    """The sessions that wait and those that they wait for, the transactions that are open for long, prepared ones, and
    whether PostgreSQL hides statements from the role."""

    waits: list[SessionActivity]
    long_transactions: list[SessionActivity]
    prepared: list[PreparedTransaction]
    hides_statements: bool


async def read_activity(connection: "RawConnection", long_seconds: float) -> DatabaseActivity:
    """What is going on right now; `long_seconds` is how long a transaction has to be open to be listed."""
    locks = {row["pid"]: row for row in await connection.fetch(_WAITED_FOR)}
    rows = await connection.fetch(_SESSIONS)
    sessions = [_session(row, locks.get(row["pid"])) for row in rows]
    blocking = {pid for each in sessions for pid in each.waits_for}
    prepared = [PreparedTransaction(*row) for row in await connection.fetch(_PREPARED)]
    return DatabaseActivity(
        [each for each in sessions if each.waits_for or each.pid in blocking],
        [each for each in sessions if (each.transaction_seconds or 0) >= long_seconds],
        [each for each in prepared if each.seconds >= long_seconds or 0 in blocking],
        any(row["is_hidden"] for row in rows),
    )


async def find_session(connection: "RawConnection", pid: int) -> SessionActivity | None:
    """One session of the database; None where there is none of this number."""
    rows = await connection.fetch(_SESSIONS)
    return next((_session(row, None) for row in rows if row["pid"] == pid), None)


async def stop_statement(connection: "RawConnection", pid: int) -> bool:
    """Ask PostgreSQL to cancel the statement that a session runs; False where it is gone."""
    return bool(await connection.fetchval("SELECT pg_cancel_backend($1)", pid))


async def end_session(connection: "RawConnection", pid: int) -> bool:
    """Ask PostgreSQL to close a session; False where it is gone."""
    return bool(await connection.fetchval("SELECT pg_terminate_backend($1)", pid))


def _session(row: Any, lock: Any) -> SessionActivity:
    blockers: Sequence[int] = row["blockers"]
    sql = None if row["is_hidden"] else " ".join(without_literals(row["query"]).split())[:SQL_LENGTH_MAX]
    return SessionActivity(
        pid=row["pid"],
        role=row["role"],
        application=row["application"],
        client=row["client"],
        state=row["state"],
        operation=operation_of(row["query"]),
        sql=sql,
        transaction_seconds=row["transaction_seconds"],
        statement_seconds=row["statement_seconds"],
        waits_for=list(dict.fromkeys(blockers)),
        lock=None if lock is None or not blockers else _lock(lock),
        waiting_seconds=None if lock is None or not blockers else lock["seconds"],
    )


def _lock(row: Any) -> str:
    kind, relation = row["kind"], row["relation"]
    if kind in ("transactionid", "tuple") and relation is not None:
        return f"a row of {relation}"
    if kind == "relation":
        return f"{relation} ({row['mode']})"
    return "the end of a transaction" if kind == "transactionid" else str(kind)
