"""`gatepost db`: options; the work is in `db_advice.py`, `db_waits.py` and `db_sizes.py`."""

from typing import Annotated

import typer

from gatepost.cli.options import FOLDER, AppOption, FolderOption, JSONOption, PortOption

db = typer.Typer(
    help="Look at the database of an app: indexes, waits, sizes.",
    epilog="Example: gatepost db waits || gatepost db cancel 4711",
    no_args_is_help=True,
)


@db.command(epilog="Example: gatepost db advise --json   or: gatepost db advise --write 'index the references'")
def advise(
    app: AppOption = None,
    unused_days: Annotated[
        int,
        typer.Option("--unused-days", min=0, help="Unused are indexes that no query has used for so many days."),
    ] = 7,
    write: Annotated[
        str | None, typer.Option("--write", metavar="MESSAGE", help="Write all of it as a migration file, too.")
    ] = None,
    folder: FolderOption = FOLDER,
    json: JSONOption = False,
) -> None:
    """Print which indexes the database lacks, and which it can do without. Exit status 1 where there are any.

    Missing ones: for sort=, filter=, search=, the columns of owners and foreign keys. With the statement for each,
    which blocks no writes, and what to change in the models. Nothing is changed.
    """
    from gatepost.cli.db_advice import print_advice

    raise typer.Exit(1 if print_advice(app, unused_days, write, folder, as_json=json) else 0)


@db.command(epilog="Example: gatepost db waits --longer-than 10 --json")
def waits(
    longer_than: Annotated[
        float, typer.Option("--longer-than", min=0, help="Seconds after which a transaction counts as long.")
    ] = 60,
    json: JSONOption = False,
) -> None:
    """Print who waits for whom in the database, and long transactions. Exit status 1 where there are any.

    Each session with the operation of its statement, such as books.list; values in statements are masked.
    """
    from gatepost.cli.db_waits import print_waits

    raise typer.Exit(1 if print_waits(longer_than, as_json=json) else 0)


@db.command(epilog="Example: gatepost db cancel 4711   or: gatepost db cancel 4711 --terminate")
def cancel(
    pid: Annotated[int, typer.Argument(help="The process of the session, as `gatepost db waits` prints it.")],
    terminate: Annotated[
        bool, typer.Option("--terminate", help="End its connection, which rolls its transaction back.")
    ] = False,
    json: JSONOption = False,
) -> None:
    """Cancel the statement that a session of this database is running. Exit status 1 where it goes on."""
    from gatepost.cli.db_waits import cancel_session

    raise typer.Exit(0 if cancel_session(pid, terminates=terminate, as_json=json) else 1)


@db.command(epilog="Example: gatepost db sizes --count 5")
def sizes(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="So many tables, the largest ones.")] = 20,
    json: JSONOption = False,
) -> None:
    """Print how large the database and its tables are, on disk and in rows."""
    from gatepost.cli.db_sizes import print_sizes

    print_sizes(count, as_json=json)


@db.command(epilog="Example: gatepost db slow --json")
def slow(
    port: PortOption = None,
    json: JSONOption = False,
) -> None:
    """Print the statements of a running server that took longer than GATEPOST_DATABASE_SLOW_SECONDS, with their plans.

    The plans are those for any values, as PostgreSQL 16 and later explain them; values are masked.
    """
    from gatepost.cli.db_slow import print_slow

    print_slow(port=port, as_json=json)
