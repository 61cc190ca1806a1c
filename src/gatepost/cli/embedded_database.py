"""The embedded PostgreSQL of a project: started by `gatepost dev`, and by any command while `dev` is not running."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from gatepost.embedded.data_folder import DataFolder
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError

DATABASE = "gatepost"


@contextmanager
def embedded_database(data: Path) -> Generator[str]:
    """The DSN of the project's database: of the server that runs in `data`, else of one that runs meanwhile.

    Raises ConfigurationError where `data` does not exist, because then there is no database to look at.
    """
    folder = data / "postgresql"
    if not folder.exists():
        raise ConfigurationError(
            f"There is no database: DATABASE_URL is not set, and {folder} does not exist.",
            hint="Set DATABASE_URL, or run `gatepost dev` once.",
        )
    server = EmbeddedPostgreSQL(folder, database=DATABASE)
    if DataFolder(folder).find_server() is not None:
        yield server.dsn(DATABASE)
        return
    with server:
        yield server.dsn(DATABASE)
