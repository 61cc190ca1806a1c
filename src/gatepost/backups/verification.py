"""Whether what a store has can be restored: every file is read and compared, and the log looked at for gaps."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gatepost.backups.backup_records import BackupRecord, BackupRecords
from gatepost.backups.restoring import check_base
from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import WALArchive
from gatepost.backups.wal_coverage import WALCoverage
from gatepost.backups.wal_files import header_of, is_named
from gatepost.backups.wal_names import is_segment_name
from gatepost.errors import ConfigurationError


class Verdict(NamedTuple):
    """One thing that was looked at; `problem` is None where it is in order."""

    what: str
    problem: str | None


def verify_backup(store: BackupStore, record: BackupRecord, report: Callable[[str], None]) -> list[Verdict]:
    """Read one backup, and whether the archive has what it needs."""
    report(f"reading the backup {record.id}")
    verdicts = [_verdict(f"backup {record.id}", lambda: check_base(store, record))]
    coverage = WALCoverage(WALArchive(store), record.segment_bytes).of(record)
    problem = None
    if not coverage.is_restorable:
        problem = f"WAL that it needs is missing: {', '.join(coverage.missing)}"
    elif coverage.missing:
        problem = (
            f"WAL is missing, so that nothing after {coverage.until} can be restored: {', '.join(coverage.missing)}"
        )
    return [*verdicts, Verdict(f"WAL since {record.id}", problem)]


def verify_wal(store: BackupStore, report: Callable[[str], None]) -> list[Verdict]:
    """Read every WAL file; those that are damaged."""
    archive = WALArchive(store)
    identity = archive.find_identity()
    if identity is None:
        return []

    def check(name: str) -> None:
        data = archive.fetch(name)
        if not is_segment_name(name):
            return
        try:
            header = header_of(data)
        except ValueError as error:
            raise ConfigurationError(f"{error}.") from None
        if (
            len(data) != identity.segment_bytes
            or header.segment_bytes != identity.segment_bytes
            or not is_named(header, name)
            or str(header.system_identifier) != identity.system_identifier
        ):
            raise ConfigurationError("its content is that of another file.")

    verdicts: list[Verdict] = []
    names = sorted(archive.sizes())
    for place, name in enumerate(names, 1):
        report(f"reading WAL file {place} of {len(names)}")
        verdicts.append(_verdict(f"WAL file {name}", partial(check, name)))
    bad = [verdict for verdict in verdicts if verdict.problem is not None]
    return bad or [Verdict(f"{len(names)} WAL files", None)]


def unreadable_records(store: BackupStore) -> list[Verdict]:
    """The backups of which not even the record can be read."""
    return [Verdict("record of a backup", str(error)) for error in BackupRecords(store).unreadable()]


def records_to_verify(store: BackupStore, identifier: str | None) -> list[BackupRecord]:
    """The backup named, or all. Raises ConfigurationError where there is none."""
    records = BackupRecords(store)
    found = [records.get(identifier)] if identifier is not None else records.list()
    if not found:
        raise ConfigurationError(
            "There is no backup.", location=store.shown, hint="`gatepost backup create` makes one."
        )
    return found


def _verdict(what: str, check: Callable[[], object]) -> Verdict:
    try:
        check()
    except ConfigurationError as error:
        return Verdict(what, str(error))
    except FileNotFoundError:
        return Verdict(what, "it is not there")
    return Verdict(what, None)
