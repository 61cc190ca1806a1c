"""`gatepost migrate`: options; the work is in `migrate.py` and in `gatepost.migrations`."""

from typing import Annotated

import typer

AppOption = Annotated[str | None, typer.Option("--app", help="The App, as MODULE:ATTRIBUTE.")]

migrate = typer.Typer(help="Bring the database to what the models declare.", no_args_is_help=True)


@migrate.command(epilog='Example: gatepost migrate make "add isbn to books"')
def make(
    message: Annotated[str, typer.Argument(help="What the migration does, in a few words.")],
    app: AppOption = None,
) -> None:
    """Write a migration from the difference between the models and the database."""
    from gatepost.cli.migrate import make_migration

    make_migration(app, message)


@migrate.command(epilog="Example: gatepost migrate up")
def up(app: AppOption = None) -> None:
    """Apply the migrations that the database does not have yet."""
    from gatepost.cli.migrate import migrate_up

    migrate_up(app)


@migrate.command(epilog="Example: gatepost migrate down")
def down(app: AppOption = None) -> None:
    """Take the last migration back."""
    from gatepost.cli.migrate import migrate_down

    migrate_down(app)


@migrate.command(epilog="Example: gatepost migrate status --json")
def status(
    app: AppOption = None, json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False
) -> None:
    """Show which migrations the database has."""
    from gatepost.cli.migrate import print_status

    print_status(app, as_json=json)


@migrate.command(epilog="Example: gatepost migrate check || exit 1")
def check(app: AppOption = None) -> None:
    """Check that the database is what the models declare. Exit status 1 when it is not."""
    from gatepost.cli.migrate import check_migrations

    raise typer.Exit(0 if check_migrations(app) else 1)
