"""`gatepost migrate make | up | down | status | check`, for the command line to call. Imports Alembic.

`make` and `check` run the files in an empty database beside the given one, so that what they find does not depend on
what `gatepost dev` has done to the given one already. Mistakes of a user are ConfigurationError, one sentence each.
"""

from pathlib import Path

import msgspec
from alembic.operations.ops import AddColumnOp
from sqlalchemy import Connection, MetaData

from gatepost.errors import ConfigurationError
from gatepost.migrations.comparison import Difference, TableName, compare
from gatepost.migrations.connections import ScratchRefused, as_configuration_errors, connect, scratch_database
from gatepost.migrations.losses import always
from gatepost.migrations.ownership import Ownership
from gatepost.migrations.pg_catalog import catalog_differences, read_catalog
from gatepost.migrations.plan import make_plan
from gatepost.migrations.revisions import open_folder, write_revision
from gatepost.migrations.runner import current_revision, downgrade, upgrade
from gatepost.migrations.schemas import other_schemas
from gatepost.migrations.subjects import subject_of, table_of
from gatepost.models.schema_names import full_name


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
    (folder / "versions").mkdir(parents=True, exist_ok=True)
    head = open_folder(folder).get_current_head()
    views = await _views(dsn, metadata)
    async with scratch_database(dsn) as name:
        await _run_files(dsn, name, folder)
        async with connect(dsn, database=name) as connection:
            with as_configuration_errors(str(folder)):
                return await connection.run_sync(_make, metadata, views, folder, message, head, allow_loss)


async def existing_tables(dsn: str, metadata: MetaData) -> list[str]:
    """The declared tables that exist in the database, no matter what created them."""
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            ownership = await connection.run_sync(Ownership, metadata)
    return [full_name(name[1], name[0]) for name in ownership.declared if ownership.relation(name) == "table"]


async def _views(dsn: str, metadata: MetaData) -> set[TableName]:
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            return (await connection.run_sync(Ownership, metadata)).readable


def _compare_files(connection: Connection, metadata: MetaData, views: set[TableName]) -> list[Difference]:
    found = compare(connection, metadata, always, undeclared="all", skipped=views)
    return [item for item in found if table_of(subject_of(item.operation)) not in views]


def _make(
    connection: Connection,
    metadata: MetaData,
    views: set[TableName],
    folder: Path,
    message: str,
    head: str | None,
    allow_loss: bool,
) -> Path | None:
    differences = _compare_files(connection, metadata, views)
    losses = [f"{item.summary}: {item.loss}" for item in differences if item.loss is not None]
    if losses and not allow_loss:
        stopped = all(isinstance(item.operation, AddColumnOp) for item in differences if item.loss is not None)
        raise ConfigurationError(
            f"{'Rows that exist would stop this' if stopped else 'This would lose data'}: {'; '.join(losses)}.",
            location=str(folder),
            hint="If that is intended, run it again with --allow-loss, and read the file before you run it.",
        )
    return write_revision(connection, folder, message, head, differences) if differences else None


async def up(dsn: str, folder: Path, target: str = "head", *, metadata: MetaData | None = None) -> list[str]:
    """Run the revisions up to `target`; returns what ran, oldest first.

    What each of them leaves as the models of `metadata` declare it is recorded as Gatepost's.
    """
    script = open_folder(folder)
    async with connect(dsn) as connection:
        with as_configuration_errors(str(folder)):
            await connection.run_sync(_refuse_unversioned, folder)
            return await connection.run_sync(upgrade, script, folder, target, metadata)


async def down(dsn: str, folder: Path, target: str = "-1", *, metadata: MetaData | None = None) -> list[str]:
    """Undo revisions down to `target` (`-1`: the newest; `base`: all); returns what was undone."""
    script = open_folder(folder)
    async with connect(dsn) as connection:
        with as_configuration_errors(str(folder)):
            return await connection.run_sync(downgrade, script, folder, target, metadata)


def _refuse_unversioned(connection: Connection, folder: Path) -> None:
    """Tables that no file made would stop the first revision half-way."""
    tables = [name for name in read_catalog(connection) if name.startswith("table ")]
    revision = current_revision(connection, folder)
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
    head = open_folder(folder).get_current_head()
    differences = await _drift(dsn, folder, "head")
    if differences:
        raise ConfigurationError(
            f"The database differs from what the files make: {'; '.join(differences)}.", location="DATABASE_URL"
        )
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            await connection.run_sync(_stamp, folder, head)
    return head


def _stamp(connection: Connection, folder: Path, head: str | None) -> None:
    from gatepost.migrations.comparison import migration_context

    if head is not None:
        migration_context(connection).stamp(open_folder(folder), head)
        connection.commit()


async def status(dsn: str, folder: Path) -> Status:
    """Where the database stands, and what in it no file has made."""
    script = open_folder(folder)
    async with connect(dsn) as connection:
        current = await connection.run_sync(current_revision, folder)
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


async def check(dsn: str, metadata: MetaData, folder: Path) -> list[str]:
    """Every difference between the models, the files and the database; empty where all is well.

    Where the role may not create databases, the database is compared with the models, and the files only counted.
    """
    try:
        missing = [
            f"models: no migration file does this yet: {item.summary}" for item in await _missing(dsn, metadata, folder)
        ]
    except ScratchRefused:
        missing = [f"database: to do: {item}" for item in await differences(dsn, metadata)]
    now = await status(dsn, folder)
    return [
        *missing,
        *(f"database: the revision has not run: {item}" for item in now.pending),
        *(f"database: {item}" for item in now.drift or ()),
    ]


async def _missing(dsn: str, metadata: MetaData, folder: Path) -> list[Difference]:
    views = await _views(dsn, metadata)
    async with scratch_database(dsn) as name:
        await _run_files(dsn, name, folder)
        async with connect(dsn, database=name) as connection:
            return await connection.run_sync(_compare_files, metadata, views)


async def differences(dsn: str, metadata: MetaData) -> list[str]:
    """What would bring the database to the models, however it came to be.

    Looks only, and needs no more rights than a server; `check`, which says also what the files lack, makes databases.
    Objects that others made and no model declares do not count.
    """
    async with connect(dsn) as connection:
        with as_configuration_errors("DATABASE_URL"):
            plan = await connection.run_sync(make_plan, metadata)
            await connection.rollback()
    return [*(item.summary for item in plan.allowed), *(item.rstrip(".") for item in plan.refused)]


async def _drift(dsn: str, folder: Path, revision: str | None) -> tuple[str, ...]:
    async with scratch_database(dsn) as name:
        if revision is not None:
            await _run_files(dsn, name, folder, revision)
        async with connect(dsn, database=name) as connection:
            schemas = await connection.run_sync(other_schemas)
            expected = await connection.run_sync(read_catalog, schemas)
    async with connect(dsn) as connection:
        found = await connection.run_sync(read_catalog, schemas)
    return tuple(catalog_differences(expected, found))


async def _run_files(dsn: str, database: str, folder: Path, target: str = "head") -> None:
    script = open_folder(folder)
    if script.get_current_head() is None:
        return
    async with connect(dsn, database=database) as connection:
        with as_configuration_errors(str(folder)):
            await connection.run_sync(upgrade, script, folder, target)
