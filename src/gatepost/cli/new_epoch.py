"""`gatepost backup new-epoch`: raises the epoch of the database that the settings name."""

import asyncio

from gatepost.cli.confirmation import agrees
from gatepost.cli.operator_acts import leave_record
from gatepost.cli.output import print_json
from gatepost.cli.settings import database_settings
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_success

QUESTION = "Begin a new epoch? Every token, cursor and ETag ends, and all users have to sign in again."


def begin_epoch(*, is_agreed: bool, as_json: bool) -> None:
    """Raise the epoch, after a yes, and print it."""
    from gatepost.migrations.epoch_raising import raise_epoch_of

    if not (is_agreed or (not as_json and agrees(QUESTION))):
        raise ConfigurationError("The epoch is as it was.", hint="Answer y, or write --yes.")
    with database_settings() as settings:
        epoch = asyncio.run(raise_epoch_of(str(settings.database.url)))
        leave_record("backup new-epoch", f"The database has the epoch {epoch}: tokens, cursors and ETags ended.")
    if as_json:
        print_json({"epoch": epoch})
    else:
        print_success(f"The database has the epoch {epoch}. What was issued before is refused.")
