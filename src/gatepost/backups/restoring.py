"""Restoring: a backup is unpacked into an empty folder, recovered to a moment by a server of ours, and stopped.

The folder is no database until all of it was compared with its manifest: `global/pg_control`, without which PostgreSQL
does not start, is written last. Until the recovery has ended, `recovery.signal` has any other server refuse to start,
and after it the lack of `PG_VERSION` (`held_version.py`), until the restore is over.
"""

import contextlib
import hashlib
import io
import os
import shutil
import sys
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

from gatepost.backups.backup_records import BASE_FILE, BackupRecord, BackupRecords, path_of
from gatepost.backups.base_tar import BaseContents, DamagedBaseError
from gatepost.backups.held_version import is_held, release_version
from gatepost.backups.recovering_server import EndedEarlyError, RecoveringServer, RecoveryTarget
from gatepost.backups.server_programs import programs_of
from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import WALArchive, damaged
from gatepost.backups.wal_coverage import Coverage, WALCoverage
from gatepost.embedded.account import Account, choose_account
from gatepost.errors import ConfigurationError
from gatepost.moments import shown_moment
from gatepost.zstandard import zstd

CONTROL_FILE = "global/pg_control"
_HELD_BACK = "global/pg_control.unchecked"
_RECOVERY_SIGNAL = "recovery.signal"

Report = Callable[[str], None]


class RestorePlan(NamedTuple):
    """Which backup is restored, and to where in its log."""

    record: BackupRecord
    coverage: Coverage
    moment: datetime | None

    @property
    def target(self) -> RecoveryTarget:
        return RecoveryTarget(self.coverage.timeline, self.moment)


def plan_restore(
    store: BackupStore, moment: datetime | None, *, identifier: str | None = None, timeline: int | None = None
) -> RestorePlan:
    """The newest backup from which the moment can be reached, or the one named; without a moment, the end of the
    archive. Raises ConfigurationError where there is none, or WAL is missing."""
    records, archive = BackupRecords(store), WALArchive(store)
    found = [records.get(identifier)] if identifier is not None else records.list()
    if not found:
        raise ConfigurationError(
            "There is no backup to restore.", location=store.shown, hint="`gatepost backup create` makes one."
        )
    if moment is not None and moment > datetime.now(UTC):
        raise ConfigurationError(f"{shown_moment(moment)} is in the future.", location="--to")
    early = [record for record in found if moment is None or record.finished_at <= moment]
    if not early:
        first = min(record.finished_at for record in found)
        raise ConfigurationError(
            f"{shown_moment(moment or first)} is before the first backup was finished, at {shown_moment(first)}.",
            location="--to",
            hint="Restore to that moment or a later one.",
        )
    coverage = WALCoverage(archive, found[0].segment_bytes)
    refusals: list[ConfigurationError] = []
    for record in reversed(early):
        plan = RestorePlan(record, coverage.of(record, timeline), moment)
        refusal = _refusal_of(plan, store)
        if refusal is None:
            return plan
        refusals.append(refusal)
    raise refusals[0]


def _refusal_of(plan: RestorePlan, store: BackupStore) -> ConfigurationError | None:
    coverage, record, moment = plan.coverage, plan.record, plan.moment
    missing = ", ".join(coverage.missing)
    if coverage.until is None:
        return ConfigurationError(
            f"The backup {record.id} cannot be restored: WAL that it needs is missing ({missing}).",
            location=store.shown,
            hint="Put it back from a copy of the store, or restore another backup.",
        )
    until = shown_moment(coverage.until)
    if moment is None and missing:
        return ConfigurationError(
            f"WAL is missing in the archive ({missing}): what was committed after {until} cannot be restored.",
            location=store.shown,
            hint=f"Put it back from a copy of the store, or restore what there is with --to {until}.",
        )
    if moment is not None and moment > coverage.until:
        why = f"WAL is missing after it ({missing})" if missing else "later WAL is not archived"
        return ConfigurationError(
            f"The archive goes up to {until}, and {shown_moment(moment)} is later: {why}.",
            location="--to",
            hint="If the server still runs, have it archive the rest with SELECT pg_switch_wal(); and try again. "
            "Without --to everything is restored that there is.",
        )
    return None


class Restoration:
    """Restores one plan into folders."""

    def __init__(self, store: BackupStore, plan: RestorePlan, report: Report) -> None:
        self._store = store
        self._archive = WALArchive(store)
        self._plan = plan
        self._report = report
        self._programs = programs_of(plan.record.major_version)

    def account_for(self, cluster: Path) -> Account:
        """The user that the cluster is to belong to: the owner of its folder, or `nobody` for one of root's own."""
        return choose_account(cluster, self._programs / "postgres", Path(sys.executable))

    def make_cluster(self, cluster: Path, account: Account) -> Path:
        """The empty folder, as PostgreSQL wants it: the account's, and closed to others."""
        cluster.mkdir(mode=0o700, exist_ok=True)
        cluster.chmod(0o700)
        _give(cluster, account)
        return cluster

    def remove_traces(self, cluster: Path) -> None:
        """Remove what says how the cluster was restored, and nobody needs."""
        for name in ("postmaster.opts", "backup_label.old", "tablespace_map.old"):
            (cluster / name).unlink(missing_ok=True)

    @contextlib.contextmanager
    def restored(self, cluster: Path, account: Account, *, keeps_wal: bool) -> Generator[RecoveringServer]:
        """Unpack and recover in the folder, which is empty and the account's; the server runs while the block lasts.

        Others start on the folder only after the block. Whatever fails leaves it empty. Raises ConfigurationError.
        """
        try:
            self._report(f"unpacking the backup {self._plan.record.id}")
            self._unpack(cluster, account)
            record = self._plan.record
            with RecoveringServer(
                cluster, self._programs, account, record, self._archive.fetch, keeps_wal=keeps_wal
            ) as server:
                self._recover(server, cluster, account)
                yield server
            release_version(cluster)
        except BaseException:
            empty(cluster)
            raise

    def _recover(self, server: RecoveringServer, cluster: Path, account: Account) -> None:
        target = self._plan.target

        def report(name: str) -> None:
            self._report(f"recovering, with WAL up to {name}")

        try:
            server.recover(target, report)
        except EndedEarlyError:
            # The archive goes beyond the moment, and nothing was committed since: its end is the same.
            server.recover(RecoveryTarget(target.timeline, None), report)

    def _unpack(self, cluster: Path, account: Account) -> None:
        record = self._plan.record
        _write(cluster / _RECOVERY_SIGNAL, b"", account)
        contents = check_base(self._store, record, _Unpacking(cluster, account))
        if not (cluster / _HELD_BACK).exists():
            raise damaged(self._store, path_of(record.id, BASE_FILE), f"it has no {CONTROL_FILE}")
        del contents
        (cluster / _HELD_BACK).rename(cluster / CONTROL_FILE)


def check_base(store: BackupStore, record: BackupRecord, receiver: "_Unpacking | None" = None) -> BaseContents:
    """Read a backup whole and compare it with its record and its manifest. Raises ConfigurationError for a damaged
    one."""
    name, digest, contents = path_of(record.id, BASE_FILE), hashlib.sha256(), BaseContents()

    def noted() -> Iterator[bytes]:
        for part in store.stream(name):
            digest.update(part)
            yield part

    parts = noted()
    try:
        with zstd.ZstdFile(_Parts(parts)) as file:
            for _ in contents.read(file, receiver):  # type: ignore[arg-type]
                pass
            while file.read(65_536):  # zeros after the last member
                pass
        for _ in parts:
            pass
        contents.log_range()
    except FileNotFoundError:
        raise damaged(store, name, "it is not there") from None
    except (DamagedBaseError, zstd.ZstdError, EOFError) as error:
        raise damaged(store, name, str(error)) from None
    if digest.hexdigest() != record.sha256:
        raise damaged(store, name, "its SHA-256 is not the one that was noted when it was made")
    return contents


def is_unfinished(cluster: Path) -> bool:
    """Whether a restore into the folder was interrupted: it is no database."""
    return is_held(cluster) or (cluster / _HELD_BACK).exists()


def empty(folder: Path) -> None:
    """Remove all that is in a folder, and leave the folder, which may be a mount point."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


class _Unpacking:
    """Writes the files of a backup as the account's, readable by it alone."""

    def __init__(self, cluster: Path, account: Account) -> None:
        self._cluster = cluster
        self._account = account
        self._file: IO[bytes] | None = None

    def make_folder(self, path: str) -> None:
        folder = self._cluster / path
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _give(folder, self._account)

    def begin_file(self, path: str) -> Callable[[bytes], object]:
        target = self._cluster / (_HELD_BACK if path == CONTROL_FILE else path)
        if not target.parent.is_dir():
            self.make_folder(target.parent.relative_to(self._cluster).as_posix())
        self._file = os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")
        _give(target, self._account)
        return self._file.write

    def end_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _Parts(io.RawIOBase):
    """Parts of a file as a stream."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        while not self._rest:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._rest = memoryview(part)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _write(path: Path, data: bytes, account: Account) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
    _give(path, account)


def _give(path: Path, account: Account) -> None:
    if account.changes:
        os.chown(path, account.uid, account.gid, follow_symlinks=False)
