"""`gatepost backup create`, `list` and `verify`."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gatepost.backups.backup_records import BackupRecord
from gatepost.backups.creating import Progress, create_backup
from gatepost.backups.listing import ListedBackup, list_backups
from gatepost.backups.restored_rows import count_rows
from gatepost.backups.restoring import Restoration, plan_restore
from gatepost.backups.retention import Removed, remove_old
from gatepost.backups.store_opening import open_store
from gatepost.backups.verification import Verdict, records_to_verify, unreadable_records, verify_backup, verify_wal
from gatepost.cli.output import finding_line, print_json, print_table
from gatepost.cli.settings import database_settings, quiet_settings
from gatepost.cli.sizes import shown_bytes
from gatepost.errors import ConfigurationError
from gatepost.logging.console import GREEN, RED, print_success, print_warning
from gatepost.moments import shown_age, shown_moment
from gatepost.settings import BackupSettings

LABEL_MAX = 100


def create(label: str, *, as_json: bool) -> None:
    """Make a backup, and remove what is not kept. Raises ConfigurationError."""
    if len(label) > LABEL_MAX or not label.isprintable():
        raise ConfigurationError(f"must be up to {LABEL_MAX} printable characters.", location="--label")
    with _copied_server() as (settings, dsn):
        store = open_store(settings)
        began = time.monotonic()
        with ProgressLine() as line:
            record, unfinished = asyncio.run(create_backup(store, dsn, label, lambda at: line.show(_progress(at))))
        seconds = time.monotonic() - began
        removed = Removed([], 0)
        if settings.keep_days is not None:
            removed = remove_old(store, settings.keep_days, record.finished_at)
    if as_json:
        others = {"seconds": round(seconds, 3), "unfinished_removed": unfinished}
        removal = {"backups_removed": removed.backups, "wal_files_removed": removed.wal_files}
        print_json({**_fields(record), "store": store.shown, **others, **removal})
        return
    sizes = f"{shown_bytes(record.raw_bytes)}, {shown_bytes(record.stored_bytes)} as it is kept"
    print_success(f"The backup {record.id} is in {store.shown}: {sizes}, in {seconds:.1f} s.")
    if unfinished:
        sys.stdout.write(f"Removed what interrupted backups had left: {', '.join(unfinished)}.\n")
    if removed.backups or removed.wal_files:
        old = ", ".join(removed.backups) or "no backup"
        sys.stdout.write(f"Removed what is not kept any more: {old}, {removed.wal_files} WAL file(s).\n")


def print_backups(*, as_json: bool) -> None:
    """Print what the store has. Raises ConfigurationError where it cannot be read."""
    store = open_store(quiet_settings().backups)
    listing = list_backups(store)
    if as_json:
        backups = [_listed_fields(item) for item in listing.backups]
        wal = {"wal_files": listing.wal_files, "wal_bytes": listing.wal_bytes}
        print_json({"store": store.shown, "backups": backups, "unreadable": listing.unreadable, **wal})
        return
    for problem in listing.unreadable:
        print_warning(problem)
    if not listing.backups:
        print_warning(f"There is no backup in {store.shown}. `gatepost backup create` makes one.")
        return
    columns = ("backup", "state", "restore from", "restore until", "age", "size", "kept", "label")
    print_table(columns, [_row(item) for item in listing.backups])
    sys.stdout.write(f"{listing.wal_files} WAL files, {shown_bytes(listing.wal_bytes)}, in {store.shown}\n")
    for item in listing.backups:
        if item.coverage.missing:
            print_warning(f"After {item.record.id} WAL is missing: {', '.join(item.coverage.missing)}")


def verify(identifier: str | None, scratch: Path | None, *, restores: bool, as_json: bool) -> bool:
    """Print what is wrong with backups; True where nothing is. Raises ConfigurationError where there are none."""
    store = open_store(quiet_settings().backups)
    verdicts: list[Verdict] = []
    with ProgressLine() as line:
        for record in records_to_verify(store, identifier):
            verdicts += verify_backup(store, record, line.show)
        verdicts += [*unreadable_records(store), *verify_wal(store, line.show)]
        if restores:
            verdicts.append(_try_restore(store, identifier, scratch, line.show))
    if as_json:
        print_json([{"what": item.what, "ok": item.problem is None, "problem": item.problem} for item in verdicts])
    else:
        for item in verdicts:
            mark, colour = ("ok  ", GREEN) if item.problem is None else ("FAIL", RED)
            sys.stdout.write(finding_line(mark, colour, item.what, item.problem) + "\n")
    return all(item.problem is None for item in verdicts)


class ProgressLine:
    """One line on a terminal that is written again and again; nothing anywhere else."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._width = 0

    def __enter__(self) -> "ProgressLine":
        return self

    def __exit__(self, *_: object) -> None:
        self.show("")
        if self._width:
            sys.stderr.write("\r")

    def show(self, words: str) -> None:
        """Replace the line."""
        if self._is_shown:
            sys.stderr.write(f"\r{words:<{self._width}}")
            sys.stderr.flush()
            self._width = max(self._width, len(words))


@contextmanager
def _copied_server() -> Generator[tuple[BackupSettings, str]]:
    """The settings and the DSN. PostgreSQL's own user has GATEPOST_BACKUP_DATABASE_URL alone: no application's."""
    backups = quiet_settings().backups
    if backups.database_url is not None:
        yield backups, str(backups.database_url)
        return
    with database_settings() as settings:
        yield settings.backups, str(settings.database.url)


def _try_restore(store: Any, identifier: str | None, scratch: Path | None, report: Callable[[str], None]) -> Verdict:
    """Restore to the end of the archive into a folder that is removed, and read every row."""
    what = "restore"
    try:
        plan = plan_restore(store, None, identifier=identifier)
        with tempfile.TemporaryDirectory(prefix="gatepost-verify-", dir=scratch) as folder:
            top = Path(folder)
            top.chmod(0o711)
            restoration = Restoration(store, plan, report)
            account = restoration.account_for(top / "cluster")
            with restoration.restored(
                restoration.make_cluster(top / "cluster", account), account, keeps_wal=False
            ) as it:
                found = asyncio.run(count_rows(it))
            what = (
                f"restore of {plan.record.id}: {found.databases} database(s), {found.tables} table(s), "
                f"{found.rows} row(s) read"
            )
    except (ConfigurationError, OSError) as error:
        return Verdict(what, str(error))
    return Verdict(what, None)


def _progress(at: Progress) -> str:
    return f"{shown_bytes(at.copied_bytes)} of about {shown_bytes(max(at.total_bytes, at.copied_bytes))} copied"


def _fields(record: BackupRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "label": record.label,
        "started_at": shown_moment(record.started_at),
        "finished_at": shown_moment(record.finished_at),
        "timeline": record.timeline,
        "start_lsn": _lsn(record.start_lsn),
        "stop_lsn": _lsn(record.stop_lsn),
        "server_version": record.server_version,
        "raw_bytes": record.raw_bytes,
        "stored_bytes": record.stored_bytes,
        "sha256": record.sha256,
    }


def _listed_fields(item: ListedBackup) -> dict[str, Any]:
    until = item.coverage.until
    return {
        **_fields(item.record),
        "state": item.state,
        "age_seconds": round(item.age_seconds),
        "restore_from": None if until is None else shown_moment(item.record.finished_at),
        "restore_until": None if until is None else shown_moment(until),
        "restore_timeline": item.coverage.timeline,
        "missing_wal": item.coverage.missing,
    }


def _row(item: ListedBackup) -> tuple[str, ...]:
    record, until = item.record, item.coverage.until
    return (
        record.id,
        item.state,
        "" if until is None else shown_moment(record.finished_at),
        "" if until is None else shown_moment(until),
        shown_age(item.age_seconds),
        shown_bytes(record.raw_bytes),
        shown_bytes(record.stored_bytes),
        record.label,
    )


def _lsn(place: int) -> str:
    return f"{place >> 32:X}/{place & 0xFFFFFFFF:X}"
