"""`gatepost migrate`: options; the work is in `migrate.py` and in `gatepost.migrations`."""

from pathlib import Path
from typing import Annotated

import typer

AppOption = Annotated[str | None, typer.Option("--app", help="The App, as MODULE:ATTRIBUTE.")]
FolderOption = Annotated[Path, typer.Option("--folder", help="Folder of the migration files.")]
JSONOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
FOLDER = Path("migrations")

migrate = typer.Typer(
    help="Bring the database to what the models declare.",
    epilog='Example: gatepost migrate make "add isbn to books" && gatepost migrate up',
    no_args_is_help=True,
)


@migrate.command(epilog='Example: gatepost migrate make "add isbn to books"')
def make(
    message: Annotated[str, typer.Argument(help="What the migration does, in a few words.")],
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Write the migration even if it loses data.")
    ] = False,
    app: AppOption = None,
    folder: FolderOption = FOLDER,
) -> None:
    """Write a migration from the difference between the models and the files; refuse what loses data."""
    from gatepost.cli.migrate import make_migration

    make_migration(app, message, folder, allow_loss=allow_loss)


@migrate.command(epilog="Example: gatepost migrate up")
def up(
    target: Annotated[str, typer.Argument(help="The revision to stop at.")] = "head",
    app: AppOption = None,
    folder: FolderOption = FOLDER,
) -> None:
    """Run the migrations that the database does not have yet; record what they make of the models as Gatepost's."""
    from gatepost.cli.migrate import migrate_up

    migrate_up(app, folder, target)


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
    from gatepost.cli.migrate import migrate_down

    migrate_down(app, folder, target)


@migrate.command(epilog="Example: gatepost migrate adopt")
def adopt(folder: FolderOption = FOLDER) -> None:
    """Note that a database which was made without files is what the files make."""
    from gatepost.cli.migrate import adopt_database

    adopt_database(folder)


@migrate.command(epilog="Example: gatepost migrate claim   or: gatepost migrate claim --yes --json")
def claim(
    yes: Annotated[bool, typer.Option("--yes", help="Record it without asking.")] = False,
    app: AppOption = None,
    json: JSONOption = False,
) -> None:
    """Record what equals the models' own as Gatepost's, after a yes. Exit status 1 where that is still to do.

    Gatepost drops and replaces only what it has recorded. A database that an earlier version made has no record.
    """
    from gatepost.cli.migrate import claim_objects

    raise typer.Exit(0 if claim_objects(app, yes=yes, as_json=json) else 1)


@migrate.command(epilog="Example: gatepost migrate status --json")
def status(json: JSONOption = False, folder: FolderOption = FOLDER) -> None:
    """Show which migrations the database has, and which are to run."""
    from gatepost.cli.migrate import print_status

    print_status(folder, as_json=json)


@migrate.command(epilog="Example: gatepost migrate check || exit 1")
def check(app: AppOption = None, json: JSONOption = False, folder: FolderOption = FOLDER) -> None:
    """Check that models, files and database agree. Exit status 1 when they do not."""
    from gatepost.cli.migrate import check_migrations

    raise typer.Exit(0 if check_migrations(app, folder, as_json=json) else 1)
