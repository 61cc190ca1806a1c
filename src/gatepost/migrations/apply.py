"""How a database is changed without files, when there is something to change. Imports Alembic."""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from alembic.operations import Operations
from sqlalchemy import Connection, MetaData, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from gatepost.errors import ConfigurationError
from gatepost.migrations.applied import Applied, ApplyOptions, SchemaRefused
from gatepost.migrations.comparison import migration_context
from gatepost.migrations.connections import ADVISORY_LOCK, LOCK_TIMEOUT, hint_of, reason_of, run_on
from gatepost.migrations.definitions import read_definitions
from gatepost.migrations.differences import Difference
from gatepost.migrations.operations import RunSQL
from gatepost.migrations.plan import Plan, make_plan
from gatepost.migrations.record import (
    has_fingerprint,
    may_write_record,
    note_fingerprint,
    owned_keys,
    prepare_record,
    read_record,
)
from gatepost.migrations.recording import record_equal, record_made
from gatepost.migrations.refusals import Refusals

LOCKED, UNCOMMITTED_VALUE = "55P03", "55P04"
"""SQLSTATEs: another holds a lock; a value of an enum that this transaction has added."""

LOCK_SECONDS_MAX = 120.0
_POLL_SECONDS = 0.1


async def find_plan(dsn: str, metadata: MetaData, *, location: str = "The database schema") -> Plan:
    """What `apply_models` would do. Changes nothing."""
    return await run_on(dsn, lambda connection: make_plan(connection, metadata), location=location)


def lock_migrations(connection: Connection) -> None:
    """Take the lock of schema changes; held until the connection closes. Raises ConfigurationError where another one
    holds it for minutes.

    It is asked for again and again: CREATE INDEX CONCURRENTLY in a migration waits for every statement that has begun,
    and one that waits here would wait for the migration.
    """
    deadline = time.monotonic() + LOCK_SECONDS_MAX
    while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({ADVISORY_LOCK})").scalar():
        connection.commit()
        if time.monotonic() > deadline:
            raise ConfigurationError(
                f"Another process has been changing the schema for more than {LOCK_SECONDS_MAX:g} s.",
                location="DATABASE_URL",
                hint="Try again when it is done; `gatepost db waits` says what it waits for.",
            )
        await_only(asyncio.sleep(_POLL_SECONDS))
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    connection.commit()


def apply_models(connection: Connection, metadata: MetaData, fingerprint: str, options: ApplyOptions) -> Applied:
    """Apply what may be; the note that lets the next start skip this is written when nothing was refused."""
    lock_migrations(connection)
    if has_fingerprint(connection, fingerprint):
        connection.rollback()
        return Applied([], [])
    plan = make_plan(connection, metadata, embedded=options.embedded, extend=options.extend)
    if plan.users_refusal or (plan.refused and options.all_or_nothing):
        connection.rollback()
        raise _error_of_plan(plan)
    applied = Applied([], list(plan.refused), list(plan.kept))
    if not plan.allowed and not options.embedded and not may_write_record(connection):
        connection.rollback()  # nothing to do, and nothing to record: not even the record is made
        return applied
    prepare_record(connection)
    refusals, waiting = _apply(connection, metadata, plan, applied, options)
    if waiting and not (refusals and options.all_or_nothing):
        connection.rollback()
        applied.statements.clear()
        prepare_record(connection)
        values = Refusals(())
        for item in plan.allowed:  # first and on their own: new values cannot be used before they are committed
            if isinstance(item.operation, RunSQL) and item.operation.committed_at_once:
                _attempt(connection, item, applied, values, values)
        connection.commit()
        plan = make_plan(connection, metadata, embedded=options.embedded, extend=options.extend)
        applied.refused[:] = [*plan.refused, *values.sentences]
        refusals, waiting = _apply(connection, metadata, plan, applied, options)
    applied.refused.extend([*refusals.sentences, *waiting.sentences])
    if applied.refused and options.all_or_nothing:
        connection.rollback()
        raise _error_of_plan(Plan(refused=applied.refused))
    if not applied.refused:
        note_fingerprint(connection, fingerprint, changed=bool(applied.statements))
    connection.commit()
    return applied


def _apply(
    connection: Connection, metadata: MetaData, plan: Plan, applied: Applied, options: ApplyOptions
) -> tuple[Refusals, Refusals]:
    """Returns what PostgreSQL refuses, and what waits for a new value of an enum to be committed."""
    owned = owned_keys(read_definitions(connection), read_record(connection))
    refusals, waiting = Refusals(plan.missing), Refusals(())
    done = [item for item in plan.allowed if _attempt(connection, item, applied, refusals, waiting)]
    record_made(connection, owned, [item.key for item in done if item.action == "create"])
    if options.embedded:
        record_equal(connection, metadata)
    return refusals, waiting


def _attempt(
    connection: Connection, difference: Difference, applied: Applied, refusals: Refusals, waiting: Refusals
) -> bool:
    """In a savepoint: a change that existing rows violate is reported, and the rest goes on."""
    try:
        with connection.begin_nested(), _recorded(connection) as statements:
            Operations(migration_context(connection)).invoke(difference.operation)
    except DBAPIError as error:
        sqlstate = None if error.orig is None else getattr(error.orig, "sqlstate", None)
        if sqlstate == LOCKED:
            raise
        told = waiting if sqlstate == UNCOMMITTED_VALUE else refusals
        told.add(difference, f"PostgreSQL refuses: {reason_of(error)}.{hint_of(error, connection)}", sqlstate)
        return False
    applied.statements.extend(statements)
    return True


def _error_of_plan(plan: Plan) -> SchemaRefused:
    """The list, as one error."""
    items = "".join(f"\n  - {item}" for item in plan.refused)
    hint = (
        "Nothing was changed. Change the models or the database, or use another database; what an earlier version "
        "of Gatepost made, `gatepost migrate claim` records."
    )
    if plan.extensible:
        hint = f"{hint} TestApp(..., extend=True) and `gatepost dev --migrate --extend` add to tables of others."
    return SchemaRefused(
        f"The models do not fit the database, and Gatepost may not change it so that they do:{items}\n",
        location="DATABASE_URL",
        hint=hint,
        refused=plan.refused,
    )


@contextmanager
def _recorded(connection: Connection) -> Generator[list[str]]:
    """The statements that run inside."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement.strip())

    listen: Callable[..., None] = event.listen
    listen(connection, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", note)
