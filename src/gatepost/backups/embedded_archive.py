"""The embedded PostgreSQL, archiving its WAL where the settings have a store: by us, in a thread of its supervisor."""

import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from gatepost.backups.private_folders import private_folder
from gatepost.backups.store_opening import open_store
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_requests import ARCHIVE_FAILED_STATUS, WALRequests
from gatepost.embedded.account import choose_account
from gatepost.embedded.data_folder import DataFolder
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.programs import find_programs
from gatepost.logging.console import print_warning
from gatepost.settings import BackupSettings

ARCHIVE_TIMEOUT_SECONDS = 60
"""After what is written has waited for so long it is archived, in however small a part of a segment."""


@contextmanager
def archiving_server(
    data: Path, database: str, backups: BackupSettings, settings: Mapping[str, str] = MappingProxyType({})
) -> Generator[EmbeddedPostgreSQL]:
    """A server on the folder with these settings of its own, not started. It archives as long as the block lasts, and
    is to be stopped before.

    Call this in the thread that will start it. Raises ConfigurationError for a store that cannot be used.
    """
    if backups.store is None:
        yield EmbeddedPostgreSQL(data, database=database, settings=settings)
        return
    archive = WALArchive(open_store(backups))
    archive.find_identity()
    folder, python = DataFolder(data), Path(sys.executable)
    folder.make()
    account = choose_account(folder.cluster, find_programs() / "postgres", python)

    def warn(error: Exception) -> None:
        print_warning(f"The WAL is not archived, and PostgreSQL keeps it until it is: {error}")

    with private_folder("wal", account) as private:
        requests = WALRequests(private / "wal", account, folder.cluster, lambda _, path: archive.push(path), warn)
        with requests:
            archiving = {
                "archive_mode": "on",
                "archive_command": requests.command(ARCHIVE_FAILED_STATUS),
                "archive_timeout": str(ARCHIVE_TIMEOUT_SECONDS),
            }
            yield EmbeddedPostgreSQL(data, database=database, settings={**settings, **archiving}, helper=python)
