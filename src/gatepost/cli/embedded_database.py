"""The embedded PostgreSQL of a project: started by `gatepost dev`, and by any command while `dev` is not running."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gatepost.backups.embedded_archive import archiving_server
from gatepost.embedded.data_folder import DataFolder
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.settings import BackupSettings

DATABASE = "gatepost"


@contextmanager
def embedded_database(data: Path, backups: BackupSettings) -> Generator[str]:
    """The DSN of the project's database: of the server that runs in `data`, else of one that runs meanwhile, and
    archives as `backups` says.

    Raises ConfigurationError where `data` does not exist, because then there is no database to look at.
    """
    folder = data / "postgresql"
    if not folder.exists():
        raise ConfigurationError(
            f"There is no database: DATABASE_URL is not set, and {folder} does not exist.",
            hint="Set DATABASE_URL, or run `gatepost dev` once.",
        )
    if DataFolder(folder).find_server() is not None:
        yield EmbeddedPostgreSQL(folder, database=DATABASE).dsn(DATABASE)
        return
    with archiving_server(folder, DATABASE, backups) as server, server:
        yield server.dsn(DATABASE)
