"""`gatepost doctor` on backups: whether there is a recent one that can be restored, and whether WAL is archived."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gatepost.alerting.backup_conditions import BACKUP_SECONDS_MAX
from gatepost.backups.archiver import Archiver, read_archiver
from gatepost.backups.listing import Listing, list_backups
from gatepost.backups.store_opening import open_store
from gatepost.cli.doctor_findings import DoctorFinding, failed
from gatepost.errors import ConfigurationError
from gatepost.moments import shown_age, shown_moment
from gatepost.settings import BackupSettings

if TYPE_CHECKING:
    from gatepost.database.connection import RawConnection

_OTHER_MEANS = "not made by Gatepost, because GATEPOST_BACKUP_STORE is not set"


def examine_backups(settings: BackupSettings) -> Iterator[DoctorFinding]:
    """What the store has. Needs no database."""
    if settings.store is None:
        yield DoctorFinding("backups", True, _OTHER_MEANS)
        return
    try:
        yield _finding_of(list_backups(open_store(settings)))
    except ConfigurationError as error:
        yield failed("backups", error)


async def examine_archiving(connection: "RawConnection", settings: BackupSettings) -> list[DoctorFinding]:
    """How archiving goes, by what PostgreSQL counts; nothing where Gatepost makes no backups."""
    return [] if settings.store is None else [_archiving(await read_archiver(connection))]


def _finding_of(listing: Listing) -> DoctorFinding:
    good = [item for item in listing.backups if item.coverage.is_restorable]
    if not good:
        detail = "none can be restored" if listing.backups else "there is none"
        return DoctorFinding("backups", False, detail, "Run `gatepost backup create`.")
    last = good[-1]
    detail = f"the last good one is {last.record.id}, {shown_age(last.age_seconds)} old, of {len(good)}"
    if last.age_seconds > BACKUP_SECONDS_MAX:
        return DoctorFinding("backups", False, detail, "Run `gatepost backup create`, and look why the timer does not.")
    if last.coverage.missing:
        until = "" if last.coverage.until is None else f" after {shown_moment(last.coverage.until)}"
        detail += f"; WAL is missing, so that nothing{until} can be restored: {', '.join(last.coverage.missing)}"
        return DoctorFinding("backups", False, detail, "Run `gatepost backup create`: a new one needs no older WAL.")
    return DoctorFinding("backups", True, detail)


def _archiving(found: Archiver) -> DoctorFinding:
    if not found.is_on:
        hint = "Set archive_mode and archive_command of PostgreSQL: see docs/how-to/back-up-and-restore.md."
        return DoctorFinding("archiving", False, "the server does not archive its WAL", hint)
    if found.is_failing:
        since = "" if found.last_archived_time is None else f"; the last was archived {_moment(found)}"
        detail = f"it fails at {found.last_failed_wal}{since}, and the WAL that waits fills the server's disk"
        hint = "PostgreSQL's log says why; so does `gatepost backup archive PATH` by hand, as the user of PostgreSQL."
        return DoctorFinding("archiving", False, detail, hint)
    last = (
        "nothing was archived yet"
        if found.last_archived_time is None
        else f"the last WAL was archived {_moment(found)}"
    )
    return DoctorFinding("archiving", True, last)


def _moment(found: Archiver) -> str:
    assert found.last_archived_time is not None  # noqa: S101 - asked before
    seconds = max(0.0, (found.now - found.last_archived_time).total_seconds())
    return f"{shown_age(seconds)} ago"
