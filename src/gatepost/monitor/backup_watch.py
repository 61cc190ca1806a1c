"""`BackupWatch`: looks now and then at the store of backups, where the settings name one, and at PostgreSQL's archiver.

What it finds are metrics, alerts and a line of the state. No request waits for it, and no worker reads the store: the
monitor of each instance does, in a thread, because a store may be slow or away.
"""

import asyncio
import time
from collections.abc import Iterator

from gatepost.alerting.backup_conditions import ArchivingLook, StoreLook, backup_findings
from gatepost.alerting.findings import Finding
from gatepost.backups.archiver import Archiver, read_archiver
from gatepost.metrics import families
from gatepost.metrics.sums import Numbers
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.daemon_threads import in_daemon_thread
from gatepost.records.records_database import RecordsAway
from gatepost.settings import BackupSettings

ARCHIVER_SECONDS = 60.0
STORE_SECONDS = 600.0
"""A look lists the store and reads some small files: of a bucket, about 40 requests."""

STORE_PATIENCE_SECONDS = 120.0


class BackupWatch:
    """Looks at both. Without a store in the settings, PostgreSQL's archiver counts where it is on, and nothing else."""

    def __init__(self, context: MonitorContext) -> None:
        settings = context.monitored.settings
        self._settings = settings.backups
        self._scale = settings.alerts.time_scale
        self._database = context.database
        self._reading: asyncio.Future[StoreLook] | None = None
        self._store: StoreLook | None = None
        self._archiving: ArchivingLook | None = None

    async def run(self) -> None:
        """Look, without end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_archiver())
            if self._settings.store is not None:
                group.create_task(self._watch_store())

    def findings(self, now: float) -> Iterator[Finding]:
        """What alerts are made of; `now` is in seconds since the epoch."""
        return backup_findings(self._store, self._archiving, now, self._scale)

    def sentence(self, now: float) -> str | None:
        """How backups are, to operators; None where nobody makes any, or nothing is known yet."""
        looks = [look for look in (self._store, self._archiving) if look is not None]
        return " ".join(look.sentence(now) for look in looks) or None

    def read(self) -> Numbers:
        """The metrics, as sums of what processes count."""
        return {family.name: {(): value} for family, value in self._values() if value is not None}

    async def look_at_archiver(self) -> None:
        """Ask PostgreSQL. While it is away, what was known stays."""
        try:
            async with self._database.connection() as connection:
                found = await read_archiver(connection)
        except RecordsAway:
            return
        is_wanted = found.is_on or self._settings.store is not None
        self._archiving = _archiving_look(found) if is_wanted else None

    async def look_at_store(self) -> None:
        """Read the store. One that does not respond is read by one thread, however long that takes."""
        if self._reading is None or self._reading.done():
            self._reading = in_daemon_thread(lambda: read_store(self._settings), "gatepost-backup-store")
        done, _ = await asyncio.wait([self._reading], timeout=STORE_PATIENCE_SECONDS)
        if done:
            self._store = self._reading.result()
        else:
            self._store = StoreLook(error=f"it has not responded within {STORE_PATIENCE_SECONDS:.0f} s.")

    async def _watch_archiver(self) -> None:
        while True:
            await self.look_at_archiver()
            await asyncio.sleep(ARCHIVER_SECONDS * self._scale)

    async def _watch_store(self) -> None:
        while True:
            await self.look_at_store()
            await asyncio.sleep(STORE_SECONDS * self._scale)

    def _values(self) -> Iterator[tuple[families.Family, float | None]]:
        if (store := self._store) is not None:
            yield families.BACKUP_STORE_READABLE, not store.error
            if not store.error:
                yield families.BACKUPS, store.backups
                yield families.BACKUP_FINISHED, store.finished_at
                yield families.BACKUP_WAL, store.wal_until
                yield families.BACKUP_WAL_MISSING, bool(store.missing_wal)
        if (archiving := self._archiving) is not None and archiving.is_on:
            yield families.WAL_ARCHIVED, archiving.archived
            yield families.WAL_ARCHIVED_AT, archiving.archived_at
            yield families.WAL_ARCHIVE_FAILURES, archiving.failures
            yield families.WAL_ARCHIVE_FAILING, archiving.is_failing


def read_store(settings: BackupSettings) -> StoreLook:
    """What the store has. Blocks."""
    from gatepost.backups.listing import list_backups  # only where there is a store
    from gatepost.backups.store_opening import open_store

    try:
        good = [item for item in list_backups(open_store(settings)).backups if item.coverage.is_restorable]
    except Exception as error:  # whatever a store or its driver raises, backups cannot be seen
        return StoreLook(error=str(error) or type(error).__name__)
    if not good:
        return StoreLook()
    newest = good[-1]
    until = newest.coverage.until
    return StoreLook(
        len(good),
        newest.record.finished_at.timestamp(),
        None if until is None else until.timestamp(),
        tuple(newest.coverage.missing),
    )


def _archiving_look(found: Archiver) -> ArchivingLook:
    # By this machine's clock, as all other moments are.
    age = None if found.last_archived_time is None else (found.now - found.last_archived_time).total_seconds()
    return ArchivingLook(
        found.is_on,
        found.archived_count,
        None if age is None else time.time() - age,
        found.failed_count,
        found.is_failing,
        found.last_failed_wal,
    )
