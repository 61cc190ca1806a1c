"""`gatepost backup`: options; the work is in modules of its commands, such as `new_epoch.py`."""

from typing import Annotated

import typer

from gatepost.cli.options import JSONOption

backup = typer.Typer(
    help="Let a restored database revoke what was revoked before.",
    epilog="Example: gatepost backup new-epoch",
    no_args_is_help=True,
)


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
