"""`gatepost migrate`: says what `gatepost.migrations` did to the database that the settings name."""

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.cli.output import print_json, print_table
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging import print_error, print_success, print_warning
from gatepost.server.loading import find_app, reference_of
from gatepost.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from gatepost.app import App
    from gatepost.migrations.claims import ClaimedObjects


def make_migration(reference: str | None, message: str, folder: Path, *, allow_loss: bool) -> None:
    """Write the next revision file."""
    from gatepost.migrations import file_commands
    from gatepost.migrations.revisions import has_files

    is_first, is_embedded = not has_files(folder), load_settings(os.environ).database.url is None
    there: list[str] = []
    with database_settings() as settings:
        url, metadata = str(settings.database.url), find_app(reference_of(reference)).metadata
        path = asyncio.run(file_commands.make(url, metadata, folder, message, allow_loss=allow_loss))
        if path and is_first and not is_embedded:
            there = asyncio.run(file_commands.existing_tables(url, metadata))
    if there:
        print_warning(
            f"The database has tables already that this file creates: {', '.join(there)}. `gatepost migrate up` "
            "refuses to run on it. `gatepost migrate adopt` notes the file as run where the database is equal to what "
            "the file makes, and lists what differs where it is not. Without files, `gatepost dev --migrate` "
            "creates the tables that are missing."
        )
        print_success(f"Wrote {path}.")
        return
    print_success(f"Wrote {path}. Read it, then run `gatepost migrate up`." if path else "The models have not changed.")


def migrate_up(reference: str | None, folder: Path, target: str) -> None:
    """Run revisions up to `target`."""
    from gatepost.migrations import file_commands

    with database_settings() as settings:
        metadata = _models_to_record(reference)
        done = asyncio.run(file_commands.up(str(settings.database.url), folder, target, metadata=metadata))
    _tell("Ran", done, "The database has every migration already.")


def migrate_down(reference: str | None, folder: Path, target: str) -> None:
    """Undo revisions down to `target`."""
    from gatepost.migrations import file_commands

    with database_settings() as settings:
        metadata = _models_to_record(reference)
        done = asyncio.run(file_commands.down(str(settings.database.url), folder, target, metadata=metadata))
    _tell("Undid", done, "There is no migration to undo.")


def adopt_database(folder: Path) -> None:
    """Note that the database is what the files make."""
    from gatepost.migrations import file_commands

    with database_settings() as settings:
        head = asyncio.run(file_commands.adopt(str(settings.database.url), folder))
    print_success(f"The database is at {head}." if head else "There are no migration files.")


def claim_objects(reference: str | None, *, yes: bool, as_json: bool) -> bool:
    """List what equals the models' own and is not recorded, and record it after a yes. True where nothing is left."""
    from gatepost.migrations.claims import claim, find_claims

    with database_settings() as settings:
        dsn, metadata = str(settings.database.url), find_app(reference_of(reference)).metadata
        found = asyncio.run(find_claims(dsn, metadata))
        if not as_json:
            _print_claims(found)
        is_claimed = bool(found.equal) and (yes or (not as_json and _agrees()))
        if is_claimed:
            found = asyncio.run(claim(dsn, metadata))
    if as_json:
        print_json({"claimed": is_claimed, "equal": found.equal, "different": found.different})
    elif is_claimed:
        print_success(f"{len(found.equal)} object(s) are recorded as Gatepost's.")
    elif found.equal:
        is_asked = sys.stdin.isatty()
        print_success(
            "Nothing was recorded." if is_asked else "Nothing was recorded. Run `gatepost migrate claim --yes`."
        )
    else:
        print_success("There is nothing to claim.")
    return is_claimed or not found.equal


def _print_claims(found: "ClaimedObjects") -> None:
    rows = [(key.kind, key.schema, key.table, key.name, "equal") for key in found.equal]
    rows += [(key.kind, key.schema, key.table, key.name, "differs: not recorded") for key in found.different]
    if rows:
        print_table(("kind", "schema", "table", "name", "compared with the models"), rows)


def _agrees() -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write("Record what is equal as Gatepost's, to be changed and dropped as the models change? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _models_to_record(reference: str | None) -> "MetaData | None":
    """The models; None if the app cannot be loaded: the files can run without."""
    try:
        return find_app(reference_of(reference)).metadata
    except ConfigurationError as error:
        if reference is not None:
            raise
        print_warning(f"What the files make is not recorded as Gatepost's, because the app cannot be loaded: {error}")
        return None


def print_status(folder: Path, *, as_json: bool) -> None:
    """Print where the database stands."""
    from gatepost.migrations import file_commands

    with database_settings() as settings:
        found = asyncio.run(file_commands.status(str(settings.database.url), folder))
    if as_json:
        print_json(found)
        return
    rows = [("at", found.current or "before the first"), ("newest", found.head or "none")]
    rows += [("to run", item) for item in found.pending] + [("differs", item) for item in found.drift or ()]
    if found.drift is None:
        rows.append(("not compared", "the role may not create a database to run the files in (CREATEDB)"))
    print_table(("what", "revision or difference"), rows)


def check_migrations(reference: str | None, folder: Path, *, as_json: bool) -> bool:
    """Print every difference between models, files and database; True where there is none."""
    has_files = (folder / "versions").exists()
    with database_settings() as settings:
        app = find_app(reference_of(reference))
        found = asyncio.run(_differences(str(settings.database.url), app, folder, has_files=has_files))
    if as_json:
        print_json(found)
        return not found
    for item in found:
        print_error(item)
    if not found:
        files = "Models, migration files and database agree."
        print_success(files if has_files else f"Models and database agree. There are no migration files in {folder}.")
    return not found


async def _differences(dsn: str, app: "App", folder: Path, *, has_files: bool) -> list[str]:
    from gatepost.migrations import file_commands

    if has_files:
        return await file_commands.check(dsn, app.metadata, folder)
    return [f"database: to do: {item}" for item in await file_commands.differences(dsn, app.metadata)]


def _tell(verb: str, done: list[str], nothing: str) -> None:
    for item in done:
        sys.stdout.write(f"{verb} {item}\n")
    if not done:
        print_success(nothing)
