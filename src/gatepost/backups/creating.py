"""Making a backup: one at a time, seen by others only when it is whole and the WAL that it needs is in the archive."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gatepost.backups.archiver import Archiver
from gatepost.backups.backup_records import BASE_FILE, BackupRecord, BackupRecords, path_of
from gatepost.backups.base_copy import BaseCopy, CopiedBase
from gatepost.backups.server_programs import copying_programs
from gatepost.backups.source_server import ServerFacts, SourceServer, source_server
from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import ArchiveIdentity, WALArchive
from gatepost.backups.wal_coverage import WALCoverage
from gatepost.backups.wal_names import is_segment_name
from gatepost.errors import ConfigurationError

ARCHIVING_PATIENCE_SECONDS = 60.0
"""How long archiving may fail before a backup is given up: PostgreSQL tries again for ever, and waits for it."""

_LOOK_SECONDS = 1.0


class Progress(NamedTuple):
    """How far a backup is; `total_bytes` is about right."""

    copied_bytes: int
    total_bytes: int


async def create_backup(
    store: BackupStore, dsn: str, label: str, report: Callable[[Progress], None]
) -> tuple[BackupRecord, list[str]]:
    """Make a backup, and return it with the unfinished ones that were removed. Raises ConfigurationError."""
    async with source_server(dsn) as server:
        return await _Creation(store, server, dsn).run(label, report)


class _Creation:
    """One backup of one server."""

    def __init__(self, store: BackupStore, server: SourceServer, dsn: str) -> None:
        self._store = store
        self._archive = WALArchive(store)
        self._records = BackupRecords(store)
        self._server = server
        self._dsn = dsn

    async def run(self, label: str, report: Callable[[Progress], None]) -> tuple[BackupRecord, list[str]]:
        facts = await self._server.facts()
        _check_archiver(await self._server.archiver(), self._store)
        identity = ArchiveIdentity(system_identifier=facts.system_identifier, segment_bytes=facts.segment_bytes)
        self._archive.claim(identity)
        await self._server.lock()
        removed = self._records.remove_unfinished()
        total = await self._server.size_bytes()
        identifier = facts.now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
        programs = copying_programs(facts.version // 10_000)

        def report_copied(copied: int) -> None:
            report(Progress(copied, total))

        copy = BaseCopy(programs, self._dsn, f"gatepost {identifier}", report_copied)
        try:
            copied = await self._copy(copy, path_of(identifier, BASE_FILE), facts.now)
            record = _record_of(identifier, label, await self._server.now(), facts, copied)
            await self._check_wal(record)
        except BaseException:
            self._records.delete(identifier)
            raise
        self._records.create(record)
        return record, removed

    async def _copy(self, copy: BaseCopy, name: str, began: datetime) -> CopiedBase:
        """Copy, while archiving is looked at: without it the copy would wait for ever at its end."""

        def keep() -> CopiedBase:
            self._store.write(name, copy.parts())
            return copy.result()

        copying = asyncio.create_task(asyncio.to_thread(keep))
        watching = asyncio.create_task(self._watch(copy, began))
        try:
            await asyncio.wait({copying, watching}, return_when=asyncio.FIRST_COMPLETED)
            if watching.done():
                watching.result()
            return await copying
        finally:
            watching.cancel()
            await asyncio.to_thread(copy.stop)
            await asyncio.gather(copying, watching, return_exceptions=True)
            copy.close()

    async def _watch(self, copy: BaseCopy, began: datetime) -> None:
        """Returns never; raises ConfigurationError when archiving fails, stands still, or goes elsewhere.

        A backup begins a new segment of WAL, so that the one before is to be archived soon, and ends with another one.
        """
        progress_at, last = time.monotonic(), None
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            found = await self._server.archiver()
            name, moment = found.last_archived_wal, found.last_archived_time
            is_new = moment is not None and moment > began
            if moment != last or (is_new and not found.is_failing and not copy.is_waiting):
                progress_at, last = time.monotonic(), moment
            if time.monotonic() - progress_at > ARCHIVING_PATIENCE_SECONDS:
                raise _not_archived(found, self._store)
            if is_new and name and is_segment_name(name):
                await asyncio.to_thread(self._check_is_here, name, found)

    def _check_is_here(self, name: str, found: Archiver) -> None:
        try:
            self._archive.completed_at(name)
        except FileNotFoundError:
            raise ConfigurationError(
                f"The server has archived {name}, but not to this store: its archive_command is {found.command!r}.",
                location=self._store.shown,
                hint="Give both the same GATEPOST_BACKUP_STORE.",
            ) from None

    async def _check_wal(self, record: BackupRecord) -> None:
        coverage = WALCoverage(self._archive, record.segment_bytes).of(record, record.timeline)
        if not coverage.is_restorable:
            found = await self._server.archiver()
            raise ConfigurationError(
                f"The WAL that the backup needs is not in the store: {', '.join(coverage.missing)} is missing.",
                location=self._store.shown,
                hint=f"The server's archive_command is {found.command!r}; it has to archive to this store.",
            )


def _check_archiver(found: Archiver, store: BackupStore) -> None:
    if not found.is_on:
        raise ConfigurationError(
            "The server does not archive its WAL, without which no backup can be restored.",
            location="archive_mode",
            hint="Run as a superuser: ALTER SYSTEM SET archive_mode = on; ALTER SYSTEM SET archive_timeout = '60s'; "
            "ALTER SYSTEM SET archive_command = 'GATEPOST_BACKUP_STORE="
            f"{store.shown} /path/to/gatepost backup archive %p'; and restart it. An embedded one archives when it is "
            "started with GATEPOST_BACKUP_STORE.",
        )


def _not_archived(found: Archiver, store: BackupStore) -> ConfigurationError:
    state = f"it fails at {found.last_failed_wal}" if found.is_failing else f"the last was {found.last_archived_wal}"
    return ConfigurationError(
        f"The server does not get its WAL archived: {state}.",
        location=store.shown,
        hint="PostgreSQL's log says why; so does `gatepost backup archive PATH` by hand, as the user of PostgreSQL.",
    )


def rounded_up(moment: datetime) -> datetime:
    """To milliseconds, in which moments are shown: one that is copied from a list is not before what it names."""
    return moment + timedelta(microseconds=-moment.microsecond % 1000)


def _record_of(identifier: str, label: str, finished: datetime, facts: ServerFacts, copied: CopiedBase) -> BackupRecord:
    return BackupRecord(
        id=identifier,
        label=label,
        system_identifier=facts.system_identifier,
        server_version=facts.version,
        segment_bytes=facts.segment_bytes,
        started_at=facts.now,
        finished_at=rounded_up(finished),
        superuser=facts.superuser,
        settings=facts.settings,
        **copied._asdict(),
    )
