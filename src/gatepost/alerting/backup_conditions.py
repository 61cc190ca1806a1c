"""What can be wrong with backups: too old, none, a gap in the WAL, a store that cannot be read, failing archiving."""

from collections.abc import Iterator
from typing import NamedTuple

from gatepost.alerting.findings import Finding
from gatepost.moments import shown_age

BACKUP_SECONDS_MAX = 2 * 86_400.0
"""One missed backup of every night is no finding yet."""

BACKUP_FOR_SECONDS = 600.0
ARCHIVING_FOR_SECONDS = 600.0
"""PostgreSQL tries again once a minute."""


class StoreLook(NamedTuple):
    """What the store of backups had at the last look. Moments are seconds since the epoch; `error` says why it could
    not be read."""

    backups: int = 0
    finished_at: float | None = None
    wal_until: float | None = None
    missing_wal: tuple[str, ...] = ()
    error: str = ""

    def sentence(self, now: float) -> str:
        """How it is, to operators."""
        if self.error:
            return f"The store of backups cannot be read: {self.error}"
        if self.finished_at is None:
            return "The store has no backup that can be restored."
        newest = f"The newest of {self.backups} backups is {shown_age(max(0.0, now - self.finished_at))} old"
        if self.backups == 1:
            newest = f"The only backup is {shown_age(max(0.0, now - self.finished_at))} old"
        if self.missing_wal:
            return f"{newest}, and WAL after it is missing: {', '.join(self.missing_wal)}."
        return f"{newest}."


class ArchivingLook(NamedTuple):
    """How PostgreSQL archives its WAL. Moments are seconds since the epoch."""

    is_on: bool
    archived: int = 0
    archived_at: float | None = None
    failures: int = 0
    is_failing: bool = False
    failed_wal: str | None = None

    def sentence(self, now: float) -> str:
        """How it is, to operators."""
        if not self.is_on:
            return "PostgreSQL does not archive its WAL: nothing after a backup can be restored."
        last = "" if self.archived_at is None else f"{shown_age(max(0.0, now - self.archived_at))} ago"
        if self.is_failing:
            since = f"; it last archived a file {last}" if last else ""
            return f"PostgreSQL cannot archive {self.failed_wal}{since}. WAL that waits fills its disk."
        return f"WAL was last archived {last}." if last else "No WAL was archived yet."


def backup_findings(
    store: StoreLook | None, archiving: ArchivingLook | None, now: float, scale: float = 1.0
) -> Iterator[Finding]:
    """A finding of each; nothing of a store that is not set, or of archiving that nobody wants. `scale` multiplies how
    old a backup may become."""
    if store is not None:
        is_old = store.finished_at is None or now - store.finished_at > BACKUP_SECONDS_MAX * scale
        yield Finding(
            "backups",
            "ticket",
            holds=bool(store.error or is_old or store.missing_wal),
            sentence=store.sentence(now),
            look_at="gatepost doctor; gatepost backup list; systemctl status shop-backup",
            for_seconds=BACKUP_FOR_SECONDS,
        )
    if archiving is not None:
        yield Finding(
            "archiving",
            "page" if archiving.is_failing else "ticket",
            holds=archiving.is_failing or not archiving.is_on,
            sentence=archiving.sentence(now),
            look_at="gatepost doctor; the log of PostgreSQL",
            for_seconds=ARCHIVING_FOR_SECONDS,
        )
