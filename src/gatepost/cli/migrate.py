"""`gatepost migrate`: says what `gatepost.migrations` did to the database that the settings name."""

import os
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gatepost.cli.options import FOLDER, AppOption, FolderOption, JSONOption
from gatepost.cli.output import print_json, print_table
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_error, print_success, print_warning
from gatepost.server.loading import find_app, reference_of

if TYPE_CHECKING:
    from sqlalchemy import MetaData

    from gatepost.migrations.claims import ClaimedObjects

T = TypeVar("T")

migrate = typer.Typer(
    help="Migrate the database to match the models.",
    epilog='Example: gatepost migrate make "add isbn to books" && gatepost migrate up',
    no_args_is_help=True,
)


@migrate.command(epilog='Example: gatepost migrate make "add isbn to books"')
def make(
    message: Annotated[str, typer.Argument(help="What the migration does, in a few words.")],
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Write the migration even if it loses data.")
    ] = False,
    empty: Annotated[
        bool, typer.Option("--empty", help="Write a file also where nothing differs, for SQL of your own.")
    ] = False,
    app: AppOption = None,
    folder: FolderOption = FOLDER,
) -> None:
    """Write a migration file. It has what differs between the models and the files; what loses data is refused."""
    import asyncio

    from gatepost.environment import load_settings
    from gatepost.migrations import file_commands
    from gatepost.migrations.revisions import has_files

    is_first, is_embedded = not has_files(folder), load_settings(os.environ).database.url is None
    there: list[str] = []
    with database_settings() as settings:
        url, metadata = str(settings.database.url), find_app(reference_of(app)).metadata
        path = asyncio.run(file_commands.make(url, metadata, folder, message, allow_loss=allow_loss))
        if path is None and empty:
            path = file_commands.make_empty(folder, message)
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
    unchanged = "The models have not changed. `--empty` writes a file for SQL of your own, such as views and triggers."
    print_success(f"Wrote {path}. Read it, then run `gatepost migrate up`." if path else unchanged)


@migrate.command(epilog="Example: gatepost migrate up")
def up(
    target: Annotated[str, typer.Argument(help="The revision to stop at.")] = "head",
    app: AppOption = None,
    folder: FolderOption = FOLDER,
) -> None:
    """Run the migrations that the database does not have yet.

    What they make of the models is recorded as Gatepost's.
    """
    from gatepost.migrations import file_commands

    done = _on_database(lambda dsn: file_commands.up(dsn, folder, target, metadata=_models_to_record(app)))
    _tell("Ran", done, "The database has every migration already.")


@migrate.command(
    epilog="Example: gatepost migrate down -1   or: gatepost migrate down base",
    context_settings={"ignore_unknown_options": True},
)
def down(
    target: Annotated[str, typer.Argument(help="How far: -1 is the newest alone, base is all.")] = "-1",
    app: AppOption = None,
    folder: FolderOption = FOLDER,
) -> None:
    """Undo migrations, the newest first."""
    from gatepost.migrations import file_commands

    done = _on_database(lambda dsn: file_commands.down(dsn, folder, target, metadata=_models_to_record(app)))
    _tell("Undid", done, "There is no migration to undo.")


@migrate.command(epilog="Example: gatepost migrate adopt")
def adopt(folder: FolderOption = FOLDER) -> None:
    """Note that the database is what the files make. For one that was made without files."""
    from gatepost.migrations import file_commands

    head = _on_database(lambda dsn: file_commands.adopt(dsn, folder))
    print_success(f"The database is at {head}." if head else "There are no migration files.")


@migrate.command(epilog="Example: gatepost migrate claim   or: gatepost migrate claim --yes --json")
def claim(
    yes: Annotated[bool, typer.Option("--yes", help="Record it without asking.")] = False,
    app: AppOption = None,
    json: JSONOption = False,
) -> None:
    """Record what equals the models' own as Gatepost's, after a yes. Exit status 1 where that is still to do.

    Gatepost drops and replaces only what it has recorded. A database that an earlier version made has no record.
    """
    import asyncio

    from gatepost.migrations import claims

    with database_settings() as settings:
        dsn, metadata = str(settings.database.url), find_app(reference_of(app)).metadata
        found = asyncio.run(claims.find_claims(dsn, metadata))
        if not json:
            _print_claims(found)
        is_claimed = bool(found.equal) and (yes or (not json and _agrees()))
        if is_claimed:
            found = asyncio.run(claims.claim(dsn, metadata))
    if json:
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
    raise typer.Exit(0 if is_claimed or not found.equal else 1)


@migrate.command(epilog="Example: gatepost migrate status --json")
def status(json: JSONOption = False, folder: FolderOption = FOLDER) -> None:
    """Show which migrations the database has, and which are to run."""
    from gatepost.migrations import file_commands

    found = _on_database(lambda dsn: file_commands.status(dsn, folder))
    if json:
        print_json(found)
        return
    rows = [("current", found.current or "before the first"), ("newest", found.head or "none")]
    rows += [("pending", item) for item in found.pending] + [("differs", item) for item in found.drift or ()]
    if found.drift is None:
        rows.append(("not compared", "the role may not create a database to run the files in (CREATEDB)"))
    print_table(("state", "revision or difference"), rows)


@migrate.command(epilog="Example: gatepost migrate check || exit 1")
def check(app: AppOption = None, json: JSONOption = False, folder: FolderOption = FOLDER) -> None:
    """Check that models, files and database agree. Exit status 1 when they do not."""
    from gatepost.migrations import file_commands
    from gatepost.migrations.revisions import has_versions

    def work(dsn: str) -> Coroutine[Any, Any, list[str]]:
        metadata = find_app(reference_of(app)).metadata
        return file_commands.check(dsn, metadata, folder if has_files else None)

    has_files = has_versions(folder)
    found = _on_database(work)
    if json:
        print_json(found)
    else:
        for item in found:
            print_error(item)
        if not found:
            files = "Models, migration files and database agree."
            bare = f"Models and database agree. There are no migration files in {folder}."
            print_success(files if has_files else bare)
    raise typer.Exit(1 if found else 0)


def _on_database(work: Callable[[str], Coroutine[Any, Any, T]]) -> T:
    """What `work` finds or does on the database that the settings name."""
    import asyncio

    with database_settings() as settings:
        return asyncio.run(work(str(settings.database.url)))


def _models_to_record(reference: str | None) -> "MetaData | None":
    """The models; None if the app cannot be loaded: the files can run without."""
    try:
        return find_app(reference_of(reference)).metadata
    except ConfigurationError as error:
        if reference is not None:
            raise
        print_warning(f"What the files make is not recorded as Gatepost's, because the app cannot be loaded: {error}")
        return None


def _tell(verb: str, done: list[str], nothing: str) -> None:
    for item in done:
        sys.stdout.write(f"{verb} {item}\n")
    if not done:
        print_success(nothing)


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
