"""`gatepost backup`: options; the work is in `backups.py`, `restore.py`, `wal_commands.py` and `new_epoch.py`."""

from pathlib import Path
from typing import Annotated

import typer

from gatepost.cli.options import JSONOption

backup = typer.Typer(
    help="Back up PostgreSQL, and restore it to a point in time.",
    epilog="Example: gatepost backup create && gatepost backup list   or: gatepost backup restore --to 10m",
    no_args_is_help=True,
)


BackupArgument = Annotated[str | None, typer.Argument(help="The backup, as `gatepost backup list` prints it.")]


@backup.command(epilog="Example: gatepost backup create --label before-the-migration")
def create(
    label: Annotated[str, typer.Option("--label", help="What the list says of it.")] = "",
    json: JSONOption = False,
) -> None:
    """Copy the database server to GATEPOST_BACKUP_STORE, while it serves.

    It is listed once it is whole and the WAL that it needs is archived. With GATEPOST_BACKUP_KEEP_DAYS, what no restore
    to these days needs is removed then.
    """
    from gatepost.cli.backups import create as create_one

    create_one(label, as_json=json)


@backup.command(
    "list", epilog="Example: gatepost backup list   or: gatepost backup list --json | jq '.backups[-1].state'"
)
def list_(json: JSONOption = False) -> None:
    """Print the backups, and from when to when each can be restored.

    Its state is good, gap (WAL is missing later), or broken (WAL that it needs is missing). Needs no database.
    """
    from gatepost.cli.backups import print_backups

    print_backups(as_json=json)


@backup.command(
    epilog="Example: gatepost backup verify   or: gatepost backup verify 20261201T020000Z --restore --scratch /var/tmp"
)
def verify(
    backup: BackupArgument = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="Restore into a folder that is removed, and read every row.")
    ] = False,
    scratch: Annotated[Path | None, typer.Option("--scratch", help="With --restore: where that folder is.")] = None,
    json: JSONOption = False,
) -> None:
    """Read all that is kept, and say what is damaged or missing. Exit status 1 where anything is."""
    from gatepost.cli.backups import verify as verify_all

    if scratch is not None and not restore:
        raise typer.BadParameter("Write --restore --scratch FOLDER.", param_hint="--scratch")
    raise typer.Exit(0 if verify_all(backup, scratch, restores=restore, as_json=json) else 1)


@backup.command(
    epilog="Example: gatepost backup restore --to '2026-12-01 02:55'   or: "
    "gatepost backup restore --to 10m --into /var/lib/postgresql/18/restored"
)
def restore(  # noqa: PLR0913, PLR0917 - the options of a command
    backup: BackupArgument = None,
    to: Annotated[
        str | None,
        typer.Option("--to", help="The moment: 2026-12-01T02:55Z, or so long ago: 10m. Default: all that there is."),
    ] = None,
    into: Annotated[Path | None, typer.Option("--into", help="An empty folder, for the data of PostgreSQL.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="The folder of `gatepost dev`, which has no database yet.")
    ] = None,
    timeline: Annotated[
        int | None, typer.Option("--timeline", min=1, help="Follow this one. Default: the newest.")
    ] = None,
    json: JSONOption = False,
) -> None:
    """Restore the database server to a moment, into an empty folder, and raise the epoch.

    It takes the newest backup before the moment, unless one is named, and all WAL up to it. What runs is left alone.
    Exit status 1 where the epoch could not be raised.
    """
    from gatepost.cli.restore import Wanted
    from gatepost.cli.restore import restore as restore_one

    raise typer.Exit(0 if restore_one(Wanted(backup, to, timeline, into, data), as_json=json) else 1)


@backup.command(epilog="Example: archive_command = 'gatepost backup archive %p'")
def archive(path: Annotated[Path, typer.Argument(help="The WAL file: %p of PostgreSQL.")]) -> None:
    """Keep a WAL file: for `archive_command` of PostgreSQL.

    It ends well once the file is durable in the store. It does not replace another file of the same name.
    """
    from gatepost.cli.wal_commands import archive as archive_one

    archive_one(path)


@backup.command(epilog="Example: restore_command = 'gatepost backup fetch %f %p'")
def fetch(
    name: Annotated[str, typer.Argument(help="The name of the WAL file: %f of PostgreSQL.")],
    path: Annotated[Path, typer.Argument(help="Where to write it: %p of PostgreSQL.")],
) -> None:
    """Write a WAL file of the archive: for `restore_command` of a standby, or of a restore by hand.

    Exit status 1 where the archive does not have it, 200 for any other failure, at which a recovery stops.
    """
    from gatepost.cli.wal_commands import fetch as fetch_one

    raise typer.Exit(fetch_one(name, path))


@backup.command("new-epoch", epilog="Example: gatepost backup new-epoch   or: gatepost backup new-epoch --yes --json")
def new_epoch(
    yes: Annotated[bool, typer.Option("--yes", help="Raise it without asking.")] = False,
    json: JSONOption = False,
) -> None:
    """Raise the epoch of the database, after it was restored to an earlier point by other means than Gatepost's.

    What was revoked since then would come back to life: every token, cursor and ETag ends, so all users sign in again.
    Running servers know it within 100 ms.
    """
    from gatepost.cli.new_epoch import begin_epoch

    begin_epoch(is_agreed=yes, as_json=json)
