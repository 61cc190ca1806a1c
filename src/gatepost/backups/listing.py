"""What a store has, for operators: each backup, and from when to when it can be restored."""

from datetime import UTC, datetime
from typing import NamedTuple

from gatepost.backups.backup_records import BackupRecord, BackupRecords
from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_coverage import Coverage, WALCoverage


class ListedBackup(NamedTuple):
    """A backup, and what the archive has for it."""

    record: BackupRecord
    coverage: Coverage

    @property
    def state(self) -> str:
        """`good`, `gap` where WAL is missing later, `broken` where the backup itself cannot be restored."""
        if not self.coverage.is_restorable:
            return "broken"
        return "gap" if self.coverage.missing else "good"

    @property
    def age_seconds(self) -> float:
        """By our clock, since it was finished."""
        return max(0.0, (datetime.now(UTC) - self.record.finished_at).total_seconds())


class Listing(NamedTuple):
    """All of a store."""

    backups: list[ListedBackup]
    unreadable: list[str]
    """What is wrong with the records of others."""
    wal_files: int
    wal_bytes: int


def list_backups(store: BackupStore) -> Listing:
    """What the store has, the oldest backup first. Raises ConfigurationError where it cannot be read."""
    archive = WALArchive(store)
    identity, records = archive.find_identity(), BackupRecords(store)
    if identity is None:
        return Listing([], [], 0, 0)
    coverage = WALCoverage(archive, identity.segment_bytes)
    found = [ListedBackup(record, coverage.of(record)) for record in records.list()]
    return Listing(
        found, [str(error) for error in records.unreadable()], len(coverage.sizes), sum(coverage.sizes.values())
    )
