"""What commands that talk to the database have in common: the settings, the app, and the database they mean.

In development `gatepost dev` may be running its embedded PostgreSQL, or may not: the commands then use that one, or
start it for as long as they run.
"""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.settings import Settings

DATA_FOLDER = Path(".gatepost")


def quiet_settings() -> "Settings":
    """The settings, with the process's log on stderr: stdout belongs to the command's output."""
    from gatepost.environment import load_settings
    from gatepost.logging.logs import Logs

    settings = load_settings(os.environ)
    Logs(settings, descriptor=2)
    return settings


@contextmanager
def database_settings() -> Generator["Settings"]:
    """The settings with a database: DATABASE_URL, or the embedded PostgreSQL of `gatepost dev`.

    Raises ConfigurationError where there is neither.
    """
    settings = quiet_settings()
    if settings.database.url is not None:
        yield settings
        return
    from gatepost.cli.embedded_database import embedded_database
    from gatepost.environment import load_settings

    with embedded_database(DATA_FOLDER, settings.backups) as dsn:
        os.environ["DATABASE_URL"] = dsn
        yield load_settings(os.environ)
