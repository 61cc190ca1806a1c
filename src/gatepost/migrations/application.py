"""How `apply_lossless` changes a database, when there is something to change. Imports Alembic."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from alembic.operations import Operations
from sqlalchemy import Connection, MetaData, event, text
from sqlalchemy.exc import DBAPIError

from gatepost.migrations.comparison import Difference, compare, migration_context
from gatepost.migrations.connections import ADVISORY_LOCK, LOCK_TIMEOUT, connect, reason_of, told_as_sentence
from gatepost.migrations.enums import compare_enums, plain_metadata
from gatepost.migrations.losses import has_rows
from gatepost.migrations.lossless import Applied
from gatepost.migrations.objects import ensure_uuidv7

_MAKE_NOTE = """
CREATE TABLE IF NOT EXISTS gatepost_schema (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  fingerprint text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)
"""
_WRITE_NOTE = text("""
    INSERT INTO gatepost_schema (fingerprint) VALUES (:fingerprint)
    ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint, applied_at = now()
""")


async def bring_forward(dsn: str, metadata: MetaData, fingerprint: str) -> Applied:
    """Apply what loses nothing; the note that lets the next start skip this is written when nothing was refused."""
    async with connect(dsn) as connection:
        with told_as_sentence("The database schema"):
            return await connection.run_sync(_bring_forward, metadata, fingerprint)


def take_turn(connection: Connection) -> None:
    """Wait until nobody else changes the schema; held until the connection closes."""
    connection.exec_driver_sql("SET statement_timeout = '120s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_lock({ADVISORY_LOCK})")
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.exec_driver_sql(f"SET lock_timeout = '{LOCK_TIMEOUT}'")
    connection.commit()


def forget_note(connection: Connection) -> None:
    """Revision files change the schema: what `apply_lossless` noted holds no longer."""
    if connection.exec_driver_sql("SELECT to_regclass('gatepost_schema')").scalar() is not None:
        connection.exec_driver_sql("DELETE FROM gatepost_schema")


def _bring_forward(connection: Connection, metadata: MetaData, fingerprint: str) -> Applied:
    take_turn(connection)
    connection.exec_driver_sql(_MAKE_NOTE)
    if connection.exec_driver_sql("SELECT fingerprint FROM gatepost_schema").scalar() == fingerprint:
        connection.rollback()
        return Applied([], [])
    applied = Applied(ensure_uuidv7(connection), [])
    _extend_enums(connection, metadata, applied)
    connection.commit()
    for difference in compare(connection, metadata, has_rows(connection)):
        if difference.loss is not None:
            applied.refused.append(f"{difference.summary}: {difference.loss}.")
        else:
            _attempt(connection, difference, applied)
    if not applied.refused:
        connection.execute(_WRITE_NOTE, {"fingerprint": fingerprint})
    connection.commit()
    return applied


def _extend_enums(connection: Connection, metadata: MetaData, applied: Applied) -> None:
    before, _ = compare_enums(connection, plain_metadata(metadata, connection.dialect.default_schema_name))
    for operation in before:
        if operation.committed_at_once:
            _attempt(connection, Difference(operation, operation.summary, None), applied)


def _attempt(connection: Connection, difference: Difference, applied: Applied) -> None:
    """In a savepoint: what the rows refuse (a check, a unique constraint) is told, and the rest goes on."""
    savepoint = connection.begin_nested()
    try:
        with recorded(connection) as statements:
            Operations(migration_context(connection)).invoke(difference.operation)
    except DBAPIError as error:
        savepoint.rollback()
        if error.orig is not None and getattr(error.orig, "sqlstate", None) == "55P03":
            raise
        applied.refused.append(f"{difference.summary}: PostgreSQL refuses: {reason_of(error)}.")
    else:
        savepoint.commit()
        applied.statements.extend(statements)


@contextmanager
def recorded(connection: Connection) -> Generator[list[str]]:
    """The statements that run inside, savepoints left out."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.lstrip().startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            statements.append(statement.strip())

    listen: Callable[..., None] = event.listen
    listen(connection, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", note)
