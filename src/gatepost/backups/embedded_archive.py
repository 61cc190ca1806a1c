"""The embedded PostgreSQL, archiving its WAL where the settings have a store: by us, in a thread of its supervisor."""

import hashlib
import os
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from gatepost.backups.store_opening import open_store
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_requests import ARCHIVE_FAILED_STATUS, WALRequests
from gatepost.embedded.account import choose_account
from gatepost.embedded.data_folder import DataFolder
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.embedded.processes import command_line
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
    private = _private_folder(folder.path)
    folder.make_private(private, account)
    for stale in private.iterdir():
        if not command_line(int(stale.stem.rpartition("-")[2])):
            stale.unlink(missing_ok=True)

    def warn(error: Exception) -> None:
        print_warning(f"The WAL is not archived, and PostgreSQL keeps it until it is: {error}")

    requests = WALRequests(
        private / f"wal-{os.getpid()}", account, folder.cluster, lambda _, path: archive.push(path), warn
    )
    try:
        with requests:
            archiving = {
                "archive_mode": "on",
                "archive_command": requests.command(ARCHIVE_FAILED_STATUS),
                "archive_timeout": str(ARCHIVE_TIMEOUT_SECONDS),
            }
            yield EmbeddedPostgreSQL(data, database=database, settings={**settings, **archiving}, helper=python)
    finally:
        with suppress(OSError):  # another one may use it
            private.rmdir()


def _private_folder(path: Path) -> Path:
    """As short as a socket's path has to be, whatever the data folder's is, and the same for each start in it."""
    return Path("/tmp") / f"gatepost-wal-{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}"  # noqa: S108
