"""`gatepost migrate make | up | down | status | check`, for the command line to call. Imports Alembic.

`make` and `check` run the files in an empty database beside the given one, so that what they find does not depend on
what `gatepost dev` has done to the given one already. Mistakes of a user are ConfigurationError, one sentence each.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from alembic.operations.ops import AddColumnOp
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from gatepost.errors import ConfigurationError
from gatepost.migrations.apply import find_plan
from gatepost.migrations.comparison import Scope, compare, migration_context
from gatepost.migrations.connections import ScratchRefused, run_on, scratch_database
from gatepost.migrations.differences import Difference
from gatepost.migrations.leftovers import renaming_of
from gatepost.migrations.losses import always
from gatepost.migrations.ownership import Ownership
from gatepost.migrations.pg_catalog import catalog_differences, read_catalog
from gatepost.migrations.revisions import make_folder, open_folder, write_revision
from gatepost.migrations.runner import current_revision, run_revisions
from gatepost.migrations.schemas import other_schemas


class Status(msgspec.Struct, frozen=True):
    """Where a database stands.

    `current` and `head` are revisions, None before the first; `pending` names the revisions that are still to run;
    `drift` is what the database has otherwise than the files up to `current` make it, None where that was not looked
    at because the role may not create databases.
    """

    current: str | None
    head: str | None
    pending: tuple[str, ...]
    drift: tuple[str, ...] | None


async def make(dsn: str, metadata: MetaData, folder: Path, message: str, *, allow_loss: bool = False) -> Path | None:
    """Write the revision file that brings the newest revision to the models; None where nothing differs.

    What loses data is refused, and with `allow_loss` written with a comment that says so. `dsn` names the server; of
    its database is read only which of the models are views there: those are in no file.
    """
    make_folder(folder)
    differences = await _missing(dsn, metadata, folder)
    if not allow_loss:
        _refuse_losses(differences, folder)
    return write_revision(folder, message, differences) if differences else None


def make_empty(folder: Path, message: str) -> Path:
    """Write a revision file that does nothing yet, for SQL of the application's own."""
    make_folder(folder)
    return write_revision(folder, message, [])


def _refuse_losses(differences: Sequence[Difference], folder: Path) -> None:
    losses = [item for item in differences if item.loss is not None]
    if losses:
        stopped = all(isinstance(item.operation, AddColumnOp) for item in losses)
        words = "; ".join(f"{item.summary}: {item.loss}" for item in losses)
        renamings = [renaming for item in differences if (renaming := renaming_of(item, differences))]
        statements = " ".join(f"op.execute({renaming!r})" for renaming in renamings)
        rename = f" Where a column has got another name, replace both in the file by {statements}." if renamings else ""
        raise ConfigurationError(
            f"{'Rows that exist would stop this' if stopped else 'This would lose data'}: {words}.",
            location=str(folder),
            hint="If that is intended, run it again with --allow-loss, and read the file before you run it." + rename,
        )


async def existing_tables(dsn: str, metadata: MetaData) -> list[str]:
    """The declared tables that exist in the database, no matter what created them."""
    ownership = await run_on(dsn, lambda connection: Ownership(connection, metadata))
    return [name.words for name in ownership.declared if ownership.relation(name) == "table"]


async def up(dsn: str, folder: Path, target: str = "head", *, metadata: MetaData | None = None) -> list[str]:
    """Run the revisions up to `target`; returns what ran, oldest first.

    What each of them leaves as the models of `metadata` declare it is recorded as Gatepost's.
    """
    script = open_folder(folder)

    def work(connection: Connection) -> list[str]:
        _refuse_unversioned(connection)
        return run_revisions(connection, script, target, metadata)

    return await run_on(dsn, work, location=str(folder))


async def down(dsn: str, folder: Path, target: str = "-1", *, metadata: MetaData | None = None) -> list[str]:
    """Undo revisions down to `target` (`-1`: the newest; `base`: all); returns what was undone."""
    script = open_folder(folder)
    return await run_on(
        dsn, lambda connection: run_revisions(connection, script, target, metadata, undo=True), location=str(folder)
    )


def _refuse_unversioned(connection: Connection) -> None:
    """Tables that no file made would stop the first revision half-way."""
    tables = [name for name in read_catalog(connection) if name.startswith("table ")]
    revision = current_revision(connection)
    connection.rollback()
    if tables and revision is None:
        raise ConfigurationError(
            f"The database has {len(tables)} tables, and no revision has run on it.",
            location="DATABASE_URL",
            hint="`gatepost dev` and `make run` work without files: use an empty database, or run "
            "`gatepost migrate adopt` where it is equal to the files.",
        )


async def adopt(dsn: str, folder: Path) -> str | None:
    """Note that a database which has been made without files is at the newest revision.

    Refused, with the differences, where it is not equal to what the files make.
    """
    script = open_folder(folder)
    head = script.get_current_head()
    differences = await _drift(dsn, folder, "head")
    if differences:
        listed = "".join(f"\n  - {each}" for each in differences)
        raise ConfigurationError(
            f"The database differs from what the files make, and nothing was noted:{listed}\n"
            "Change the database or the files until they agree."
        )
    if head is not None:
        await run_on(dsn, lambda connection: _stamp(connection, script, head))
    return head


def _stamp(connection: Connection, script: ScriptDirectory, revision: str) -> None:
    migration_context(connection).stamp(script, revision)
    connection.commit()


async def status(dsn: str, folder: Path) -> Status:
    """Where the database stands, and what in it no file has made."""
    script = open_folder(folder)
    current = await run_on(dsn, current_revision)
    known = list(script.walk_revisions())
    names = [item.revision for item in known]
    if current is not None and current not in names:
        raise ConfigurationError(
            f"The database is at the revision {current}, which is not among the files.",
            location=str(folder),
            hint="Fetch the files that made it, or use another database.",
        )
    pending = known[: names.index(current)] if current is not None else known
    try:
        drift = await _drift(dsn, folder, current)
    except ScratchRefused:
        drift = None
    return Status(
        current, script.get_current_head(), tuple(f"{item.revision} {item.doc}" for item in reversed(pending)), drift
    )


async def check(dsn: str, metadata: MetaData, folder: Path | None) -> list[str]:
    """Every difference between the models, the files (None where there are none) and the database; empty where all is
    well.

    Where the role may not create databases, the database is compared with the models, and the files only counted.
    """
    if folder is None:
        return [f"database: to do: {item}" for item in await differences(dsn, metadata)]
    try:
        lacking = await _missing(dsn, metadata, folder)
        missing = [f"models: no migration file does this yet: {item.summary}" for item in lacking]
    except ScratchRefused:
        missing = await check(dsn, metadata, None)
    now = await status(dsn, folder)
    return [
        *missing,
        *(f"database: the revision has not run: {item}" for item in now.pending),
        *(f"database: {item}" for item in now.drift or ()),
    ]


async def _missing(dsn: str, metadata: MetaData, folder: Path) -> list[Difference]:
    """What the files lack; nothing of the models that are views in the database, which are in no file."""
    views = (await run_on(dsn, lambda connection: Ownership(connection, metadata))).readable
    async with scratch_database(dsn) as name:
        await _run_files(dsn, name, folder)
        found = await run_on(
            dsn,
            lambda connection: compare(connection, metadata, always, Scope("all", skipped=views)),
            location=str(folder),
            database=name,
        )
    return [item for item in found if item.key.table_name not in views]


async def differences(dsn: str, metadata: MetaData) -> list[str]:
    """What would bring the database to the models, however it came to be.

    Looks only, and needs no more rights than a server; `check`, which says also what the files lack, makes databases.
    Objects that others made and no model declares do not count.
    """
    return (await find_plan(dsn, metadata, location="DATABASE_URL")).differences


async def _drift(dsn: str, folder: Path, revision: str | None) -> tuple[str, ...]:
    async with scratch_database(dsn) as name:
        if revision is not None:
            await _run_files(dsn, name, folder, revision)
        schemas = await run_on(dsn, other_schemas, database=name)
        expected = await run_on(dsn, lambda connection: read_catalog(connection, schemas), database=name)
    found = await run_on(dsn, lambda connection: read_catalog(connection, schemas))
    return tuple(catalog_differences(expected, found))


async def _run_files(dsn: str, database: str, folder: Path, target: str = "head") -> None:
    script = open_folder(folder)
    if script.get_current_head() is not None:
        await run_on(
            dsn,
            lambda connection: run_revisions(connection, script, target, None),
            location=str(folder),
            database=database,
        )
