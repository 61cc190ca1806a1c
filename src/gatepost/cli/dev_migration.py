"""What `gatepost dev` does to the database before an application starts, and what it says of it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_warning
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App
    from gatepost.migrations.applied import SchemaRefused
    from gatepost.migrations.plan import Plan


async def migrate(app: "App", settings: Settings, *, data: Path | None, migrates: bool, extends: bool) -> None:
    """Apply what loses nothing, before the application starts; say what was done and what was left.

    `data` is the folder of the embedded database, None where DATABASE_URL names another: that one is changed only when
    it is empty, or when that was asked for. Raises ConfigurationError where the embedded database, or an empty one,
    cannot be brought to the models, because requests would fail, and where a table of others has the name of the users'
    table.
    """
    from gatepost.database.startup_check import check_database
    from gatepost.migrations.applied import SchemaRefused
    from gatepost.migrations.safe_changes import apply_lossless, find_pending, is_empty

    url = settings.database.url
    if url is None:
        return
    await check_database(settings.database)
    is_new = data is None and await is_empty(url)
    if data is None and not (migrates or is_new):
        if plan := await find_pending(url, app.metadata):
            _tell_pending(plan)
        return
    try:
        applied = await apply_lossless(
            url, app.metadata, embedded=data is not None, extend=extends, all_or_nothing=is_new or data is not None
        )
    except SchemaRefused as refusal:
        raise (refusal if data is None else _ways_out(refusal, url, data)) from None
    if applied.statements:
        # On stderr as the warnings are: two streams arrive in any order.
        sys.stderr.write(f"Migrated the database: {len(applied.statements)} statement(s).\n")
        sys.stderr.flush()
    for refused in applied.refused:
        print_warning(f"Not migrated: {refused}")
    for kept in applied.kept:
        print_warning(kept)


def _ways_out(refusal: "SchemaRefused", url: str, data: Path) -> ConfigurationError:
    from gatepost.embedded.programs import find_programs

    refused = "".join(f"\n  - {sentence}" for sentence in refusal.refused)
    return ConfigurationError(
        f"The database does not fit the models, and nothing was migrated:{refused}\n"
        "There are three ways out:\n"
        "  1. Change the models so that the rows fit: a column with a server_default=, or one that may be null.\n"
        f"  2. Change the database with SQL, and save a file again:\n       {find_programs() / 'psql'} '{url}'\n"
        f"  3. Throw the rows away: stop with Ctrl-C, delete {data / 'postgresql'}, and run `gatepost dev` again.",
    )


def _tell_pending(pending: "Plan") -> None:
    """What the database lacks, and how to add it; the application is served nevertheless, unless its responses would be
    wrong."""
    if pending.allowed:
        steps = "".join(f"\n  {item.summary}" for item in pending.allowed)
        print_warning(
            f"The database is not the embedded one: nothing was changed in it. `gatepost dev --migrate` would:{steps}"
        )
    for refused in pending.refused[1:] if pending.users_refusal else pending.refused:
        print_warning(f"Not changed: {refused}")
    if pending.extensible:
        print_warning("`gatepost dev --migrate --extend` would add to tables that Gatepost did not make.")
    if pending.users_refusal:
        raise ConfigurationError(pending.users_refusal, location="DATABASE_URL")
