"""A server of its own that archives to a folder, with what tests do to it: write, wait until it is archived, damage."""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import asyncpg

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.creating import create_backup
from gatepost.backups.embedded_archive import archiving_server
from gatepost.backups.folder_store import FolderStore
from gatepost.backups.recovering_server import RecoveringServer
from gatepost.backups.restoring import Restoration, RestorePlan
from gatepost.backups.wal_archive import WALArchive
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.settings import BackupSettings

DATABASE = "shop"
DUMP = "SELECT coalesce(string_agg(book::text, ';' ORDER BY id), '') FROM book"
FAST = {"fsync": "off", "synchronous_commit": "off"}


class BackedUpServer:
    """The server, its store, and its archive."""

    def __init__(self, server: EmbeddedPostgreSQL, store: Path) -> None:
        self.server = server
        self.folder = store
        self.store = FolderStore(store)
        self.archive = WALArchive(self.store)

    @property
    def dsn(self) -> str:
        return self.server.dsn(DATABASE)

    def execute(self, sql: str) -> str:
        return self.server.execute(sql, database=DATABASE)

    def back_up(self, label: str = "") -> BackupRecord:
        return asyncio.run(create_backup(self.store, self.dsn, label, lambda _: None))[0]

    def moment(self) -> datetime:
        """A moment after all that was committed so far, and before all that will be."""
        time.sleep(0.01)
        moment = datetime.fromisoformat(self.execute("SELECT clock_timestamp()") + ":00")
        time.sleep(0.01)
        return moment

    def archive_all(self) -> str:
        """Have all that was written archived, and return the name of the last WAL file."""
        self.execute("SELECT pg_logical_emit_message(false, 'test', 'so that there is something to archive')")
        name = self.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        self.execute("SELECT pg_switch_wal()")
        deadline = time.monotonic() + 60
        while name not in self.archive.sizes():
            assert time.monotonic() < deadline, f"{name} is not archived"
            time.sleep(0.02)
        return name


@contextmanager
def backed_up_server(folder: Path) -> Generator[BackedUpServer]:
    """One with an empty table; everything lies below the folder."""
    settings = BackupSettings(store=str(folder / "store"))
    with archiving_server(folder / "postgresql", DATABASE, settings, FAST) as server, server:
        server.execute("CREATE TABLE book (id int PRIMARY KEY, title text)", database=DATABASE)
        yield BackedUpServer(server, folder / "store")


@contextmanager
def restored(store: FolderStore, plan: RestorePlan, folder: Path) -> Generator[RecoveringServer]:
    """What a plan restores, running; removed with the test's folder."""
    restoration = Restoration(store, plan, lambda _: None)
    account = restoration.account_for(folder)
    with restoration.restored(restoration.make_cluster(folder, account), account, keeps_wal=True) as server:
        yield server


def rows_in(server: RecoveringServer, sql: str = DUMP) -> str:
    """One value of a restored server."""

    async def ask() -> str:
        connection = await asyncpg.connect(server.dsn(DATABASE))
        try:
            return str(await connection.fetchval(sql))
        finally:
            await connection.close()

    return asyncio.run(ask())
