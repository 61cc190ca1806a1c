"""`gatepost db advise`: prints what `models/index_advice.py` finds, and writes it as a migration file."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import asdict

from gatepost.cli.doctor_database import connected
from gatepost.cli.output import finding_line, print_json
from gatepost.cli.settings import database_settings
from gatepost.cli.sizes import shown_bytes, shown_count
from gatepost.errors import ConfigurationError
from gatepost.logging.console import YELLOW, print_success, print_warning
from gatepost.models.schema_names import full_name, qualified
from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.server.loading import find_app, reference_of

if TYPE_CHECKING:
    from gatepost.database.index_catalog import IndexCatalog
    from gatepost.migrations.differences import Difference
    from gatepost.models.index_advice import IndexAdvice
    from gatepost.models.missing_indexes import Declared
    from gatepost.settings import Settings

MARK = {"missing": "MISSING  ", "unused": "UNUSED   ", "duplicate": "DUPLICATE", "invalid": "INVALID  "}


class IndexReport(msgspec.Struct, frozen=True):
    """What `--json` prints. `statistics_since` is when PostgreSQL began to count, None where it does not say. Each
    piece of advice has a `migration`: what a migration file would hold, None where no model is of the table."""

    statistics_since: str | None
    advice: Sequence[dict[str, Any]]
    notes: list[str]
    migration: str | None = None


def print_advice(reference: str | None, unused_days: int, message: str | None, folder: Path, *, as_json: bool) -> bool:
    """Print all advice, and write it to a migration file where there is a message; True where there is any."""
    from gatepost.models.missing_indexes import Declared

    unused_for = timedelta(days=unused_days)
    if message is not None:
        _check_folder(folder)
    with database_settings() as settings:
        app = find_app(reference_of(reference))
        declared = Declared.of(app.metadata, app.declaration.served)
        advice, catalog = asyncio.run(_read(settings, declared, unused_for))
    notes = _notes(catalog, unused_for)
    path: Path | None = None
    own = [each for each in advice if (each.schema, each.table) in declared.tables]
    if message is not None:
        path = _write(folder, message, own) if own else None
        if len(own) < len(advice):
            notes.append("Statements on tables that no model is of are in no migration file: run them by hand.")
    if as_json:
        shown = [{**asdict(each), "migration": _migration(each) if each in own else None} for each in advice]
        print_json(IndexReport(shown_moment_or_none(catalog.since), shown, notes, str(path) if path else None))
        return bool(advice)
    for each in advice:
        sys.stdout.write(_shown(each) + "\n")
    if not advice:
        print_success("No index is missing, unused, duplicate or invalid.")
    for note in notes:
        print_warning(note)
    if path is not None:
        print_success(f"Wrote {path}. Read it, change the models as said above, then run `gatepost migrate up`.")
    return bool(advice)


async def _read(
    settings: "Settings", declared: "Declared", unused_for: timedelta
) -> "tuple[list[IndexAdvice], IndexCatalog]":
    from gatepost.database.database import Database
    from gatepost.database.index_catalog import read_index_catalog
    from gatepost.events import Events
    from gatepost.models.index_advice import advise

    async with connected(Database(str(settings.database.url), settings.database, Events())) as connection:
        catalog = await read_index_catalog(connection)
    return advise(declared, catalog, now=datetime.now(UTC), unused_for=unused_for), catalog


def _notes(catalog: "IndexCatalog", unused_for: timedelta) -> list[str]:
    notes: list[str] = []
    since = catalog.since
    if since is None:
        notes.append("PostgreSQL does not say since when it counts the uses of indexes: unused ones are not listed.")
    elif datetime.now(UTC) - since < unused_for:
        notes.append(
            f"PostgreSQL counts the uses of indexes since {shown_moment(since)}, which is less than "
            f"{unused_for.days} days: unused ones are not listed."
        )
    if catalog.has_replicas:
        notes.append("This server has replicas or is one: each counts its own queries. Ask them all for unused ones.")
    return notes


def _shown(advice: "IndexAdvice") -> str:
    table = full_name(advice.table, advice.schema)
    size = f", {shown_bytes(advice.bytes)}" if advice.bytes else ""
    words = f"{advice.index} on {table} ({shown_count(advice.rows)} rows{size}): {'; '.join(advice.reasons)}"
    hint = f"{advice.statement};" + (f"\n       {advice.model}" if advice.model else "")
    return finding_line(MARK[advice.problem], YELLOW, words, hint)


def _check_folder(folder: Path) -> None:
    from gatepost.migrations.revisions import has_files

    if not has_files(folder):
        raise ConfigurationError(
            "There are no migration files that this one could follow.",
            location=str(folder),
            hint="Run the statements by hand, or write the first file with `gatepost migrate make`.",
        )


def _write(folder: Path, message: str, advice: "Sequence[IndexAdvice]") -> Path:
    from gatepost.migrations.revisions import write_revision

    return write_revision(folder, message, [_difference(each) for each in advice], command="gatepost db advise")


def _migration(advice: "IndexAdvice") -> str:
    from gatepost.migrations.revisions import revision_functions

    return "\n\n\n".join(revision_functions([_difference(advice)]))


def _difference(advice: "IndexAdvice") -> "Difference":
    from gatepost.migrations.connections import LOCK_TIMEOUT
    from gatepost.migrations.definitions import ObjectKey
    from gatepost.migrations.differences import Difference
    from gatepost.migrations.operations import Action, RunSQL

    key = ObjectKey("index", advice.schema, advice.table, advice.index)
    action: Action = "create" if advice.problem == "missing" else "drop"
    verb = {"missing": "create", "invalid": "repair"}.get(advice.problem, "drop")
    label = f"{verb} {key.words}: {'; '.join(advice.reasons)}"
    statements = [advice.statement]
    if advice.creation is not None:
        # An interrupted one leaves an index that is not valid, and would stop the next attempt.
        drop = f"DROP INDEX CONCURRENTLY IF EXISTS {qualified(advice.index, advice.schema)}"
        statements = [drop, advice.creation]
    # Building waits for all transactions that are open, but no statement waits for it.
    statements = ["SET lock_timeout = 0", *statements, f"SET lock_timeout = '{LOCK_TIMEOUT}'"]
    operation = RunSQL(
        key,
        action,
        label,
        statements,
        f"undo: {label}",
        [advice.undo] if advice.undo else [],
        committed_at_once=True,
    )
    return Difference(operation, key, action, operation.summary)
