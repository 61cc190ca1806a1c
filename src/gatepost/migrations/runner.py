"""Running revision files, each in its own transaction: a failure leaves those before it in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from gatepost.errors import ConfigurationError
from gatepost.migrations.apply import lock_migrations
from gatepost.migrations.comparison import migration_context
from gatepost.migrations.connections import hint_of, reason_of
from gatepost.migrations.definitions import Definitions, read_definitions
from gatepost.migrations.objects import missing_uuidv7
from gatepost.migrations.record import forget_fingerprints, has_record, prepare_record
from gatepost.migrations.recording import record_equal, record_made
from gatepost.migrations.refusals import is_duplicate
from gatepost.migrations.revisions import as_configuration_errors, folder_errors


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at."""
    heads = migration_context(connection).get_current_heads()
    if len(heads) > 1:
        raise ConfigurationError(
            f"The database is at several revisions at once: {', '.join(heads)}.", location="alembic_version"
        )
    return heads[0] if heads else None


def run_revisions(
    connection: Connection, script: ScriptDirectory, target: str, metadata: MetaData | None, *, undo: bool = False
) -> list[str]:
    """Run the revisions up to the target, or `undo` those down to it; returns what ran.

    With `metadata`, what a revision leaves as the models declare it is recorded as Gatepost's, in the revision's own
    transaction. Without, nothing is recorded: in a database that is dropped again.
    """
    steps: Any = script._downgrade_revs if undo else script._upgrade_revs  # pyright: ignore[reportPrivateUsage]
    lock_migrations(connection)
    _prepare(connection, script, records=metadata is not None)
    connection.commit()
    ran: list[str] = []

    def watched(revision: Any, _context: MigrationContext) -> Iterator[Any]:
        for step in steps(target, revision):
            ran.append(f"{step.revision.revision} {step.revision.doc}")
            yield step

    before: Definitions = read_definitions(connection) if metadata is not None else {}
    connection.commit()

    def record(**_options: Any) -> None:
        nonlocal before
        if metadata is not None:
            before = record_equal(connection, metadata, before)

    context = migration_context(connection, fn=watched, transaction_per_migration=True, on_version_apply=(record,))
    try:
        with as_configuration_errors(Path(script.dir)), Operations.context(context), context.begin_transaction():
            context.run_migrations()
    except DBAPIError as error:
        raise ConfigurationError(
            f"The revision {ran[-1] if ran else '(none)'} stopped: PostgreSQL refuses: {reason_of(error)}.",
            location=script.dir,
            hint=f"It was undone; those before it are in place.{hint_of(error, connection) or _hint(error)}",
        ) from error
    return ran


def _hint(error: DBAPIError) -> str:
    if is_duplicate(getattr(error.orig, "sqlstate", None)):
        return (
            " If `gatepost dev` made it, which works without files, run `gatepost migrate adopt`: it notes the files "
            "as run where the database is equal to what they make, and lists what differs where it is not."
        )
    return " Correct the file or the rows, and run it again."


def _prepare(connection: Connection, script: ScriptDirectory, *, records: bool) -> None:
    if records:
        prepare_record(connection)
    if has_record(connection):
        forget_fingerprints(connection)
    folder = Path(script.dir)
    with folder_errors(folder):
        calls = any("uuidv7(" in path.read_text(encoding="utf-8") for path in (folder / "versions").glob("*.py"))
    if calls:
        for operation in missing_uuidv7(connection):
            Operations(migration_context(connection)).invoke(operation)
            if records:
                record_made(connection, (), [operation.key])
