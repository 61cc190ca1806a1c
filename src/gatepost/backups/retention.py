"""Which backups and which WAL are kept: all that a restore to any moment of the last days needs, and one good backup.

A moment is reached from a backup before it. So beside the backups of the last days the newest good one before them is
kept, and all WAL since the oldest that is kept began.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from gatepost.backups.backup_records import BackupRecord, BackupRecords
from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_coverage import WALCoverage
from gatepost.backups.wal_names import segment_of


class Removed(NamedTuple):
    """What was not needed any more."""

    backups: list[str]
    wal_files: int


def remove_old(store: BackupStore, keep_days: int, now: datetime) -> Removed:
    """Remove what no restore to a moment of the last days needs. Removes nothing while there is no good backup."""
    records, archive = BackupRecords(store), WALArchive(store)
    found = records.list()
    if not found:
        return Removed([], 0)
    coverage = WALCoverage(archive, found[0].segment_bytes)
    good = [record for record in found if coverage.of(record).is_restorable]
    oldest = oldest_kept(good, now - timedelta(days=keep_days))
    if oldest is None:
        return Removed([], 0)
    old = [record.id for record in found if record.finished_at < oldest.finished_at]
    for identifier in old:
        records.delete(identifier)
    first = oldest.start_segment.number
    superfluous = [
        name
        for name in coverage.sizes
        if not name.endswith(".history") and segment_of(name, oldest.segment_bytes).number < first
    ]
    for name in superfluous:
        archive.delete(name)
    return Removed(old, len(superfluous))


def oldest_kept(good: list[BackupRecord], since: datetime) -> BackupRecord | None:
    """The newest good backup before the days that are kept; the oldest of them where there is none before."""
    before = [record for record in good if record.finished_at <= since]
    return before[-1] if before else next(iter(good), None)
