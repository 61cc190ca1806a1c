"""What is known of a backup, kept beside it as `backup.json`, which is written last: a backup without it is none.

backups/20261201T020000Z/base.tar.zst    the cluster's files, as pg_basebackup sent them, with their manifest
backups/20261201T020000Z/backup.json
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

import msgspec

from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_archive import FOLDER as WAL_FOLDER
from gatepost.backups.wal_archive import damaged
from gatepost.backups.wal_names import Segment, SegmentBytes
from gatepost.errors import ConfigurationError

FOLDER = "backups"
RECORD_FILE = "backup.json"
BASE_FILE = "base.tar.zst"
FORMAT = 1

_WAL_LEFTOVER_SECONDS = 86_400
"""PostgreSQL archives at any time."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_ID = re.compile(r"\d{8}T\d{6}Z")


class BackupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A backup that is whole. Places in the log are numbers; `sha256` is that of the file with the cluster."""

    format: int = FORMAT
    id: str
    label: str
    system_identifier: str
    server_version: int
    segment_bytes: SegmentBytes
    started_at: Moment
    finished_at: Moment
    timeline: int
    start_lsn: int
    stop_lsn: int
    files: int
    raw_bytes: int
    stored_bytes: int
    sha256: str
    superuser: str
    """The role that initdb made: it exists in every cluster and may do everything."""
    settings: Mapping[str, str]
    """What a server that recovers has to be given as well."""

    @property
    def major_version(self) -> int:
        return self.server_version // 10_000

    @property
    def start_segment(self) -> Segment:
        """The first segment of the log that a restore needs."""
        return Segment(self.timeline, self.start_lsn // self.segment_bytes)

    @property
    def stop_segment(self) -> Segment:
        """The last one without which the cluster is not consistent."""
        return Segment(self.timeline, (self.stop_lsn - 1) // self.segment_bytes)


class BackupRecords:
    """The backups of a store."""

    def __init__(self, store: BackupStore) -> None:
        self._store = store

    def get(self, identifier: str) -> BackupRecord:
        """One backup. Raises ConfigurationError where there is none of that name."""
        unknown = ConfigurationError(
            f"There is no backup {identifier!r}.",
            location=self._store.shown,
            hint="`gatepost backup list` prints those that there are.",
        )
        if not _ID.fullmatch(identifier):
            raise unknown
        name = path_of(identifier, RECORD_FILE)
        try:
            record = msgspec.json.decode(self._store.read(name), type=BackupRecord)
        except FileNotFoundError:
            raise unknown from None
        except msgspec.MsgspecError as error:
            raise damaged(self._store, name, str(error)) from None
        if record.format != FORMAT or record.id != identifier:
            raise damaged(self._store, name, "it is not the record of this backup, or of another version")
        return record

    def create(self, record: BackupRecord) -> None:
        """Say that a backup is whole."""
        self._store.create(path_of(record.id, RECORD_FILE), msgspec.json.encode(record))

    def delete(self, identifier: str) -> None:
        """Remove a backup, whole or not: it is none as soon as this begins."""
        for name in (RECORD_FILE, BASE_FILE):
            self._store.delete(path_of(identifier, name))

    def remove_unfinished(self) -> list[str]:
        """Remove what interrupted backups have left. Only while no other one is made."""
        found: dict[str, set[str]] = {}
        for file in self._store.list(FOLDER):
            _, identifier, name = file.name.split("/", 2)
            found.setdefault(identifier, set()).add(name)
        unfinished = [key for key, names in found.items() if RECORD_FILE not in names and _ID.fullmatch(key)]
        for identifier in unfinished:
            self.delete(identifier)
        self._store.remove_leftovers(FOLDER, 0)
        self._store.remove_leftovers(WAL_FOLDER, _WAL_LEFTOVER_SECONDS)
        return unfinished

    def unreadable(self) -> Sequence[ConfigurationError]:
        """Why records cannot be read, for each that cannot: the others are as good as before."""
        return [found for found in self._read_all() if isinstance(found, ConfigurationError)]

    def list(self) -> list[BackupRecord]:
        """All that are whole and have a record that can be read, the oldest first."""
        return [found for found in self._read_all() if isinstance(found, BackupRecord)]

    def _read_all(self) -> Iterator[BackupRecord | ConfigurationError]:
        for file in self._store.list(FOLDER):
            if file.name.endswith(f"/{RECORD_FILE}"):
                try:
                    yield self.get(file.name.split("/")[1])
                except ConfigurationError as error:
                    yield error


def path_of(identifier: str, name: str) -> str:
    """Where a file of a backup is."""
    return f"{FOLDER}/{identifier}/{name}"
