"""The WAL archive of a store: what PostgreSQL hands over is kept, and handed back to a server that recovers.

A store is for one database cluster: `archive.json` says which. WAL of another one is refused, and so is a file that
differs from the one that is kept under its name: two servers that archive to one store would ruin it for both.
"""

from pathlib import Path

import msgspec

from gatepost.backups.stores import BackupStore
from gatepost.backups.wal_files import NOTE_BYTES_MAX, SUFFIX, Note, header_of, is_named, note_of, packed, unpacked
from gatepost.backups.wal_names import SegmentBytes, is_archived_name, is_segment_name
from gatepost.errors import ConfigurationError

FOLDER = "wal"
IDENTITY_FILE = "archive.json"
FORMAT = 1


class ArchiveIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster that a store is for. The system identifier is a text, because JSON's numbers are too short."""

    format: int = FORMAT
    system_identifier: str
    segment_bytes: SegmentBytes


class WALArchive:
    """The WAL files of a store."""

    def __init__(self, store: BackupStore) -> None:
        self._store = store

    def find_identity(self) -> ArchiveIdentity | None:
        """The cluster that the store is for; None for a store that is empty yet."""
        try:
            data = self._store.read(IDENTITY_FILE)
        except FileNotFoundError:
            return None
        try:
            identity = msgspec.json.decode(data, type=ArchiveIdentity)
        except msgspec.MsgspecError as error:
            raise damaged(self._store, IDENTITY_FILE, str(error)) from None
        if identity.format != FORMAT:
            raise ConfigurationError(
                f"It was written by another version of Gatepost (format {identity.format}).",
                location=f"{self._store.shown}/{IDENTITY_FILE}",
                hint="Use that version for this store, and another store for this one.",
            )
        return identity

    def claim(self, identity: ArchiveIdentity) -> None:
        """Make the store this cluster's, or find that it is. Raises ConfigurationError for that of another cluster."""
        known = self.find_identity()
        if known is None:
            try:
                self._store.create(IDENTITY_FILE, msgspec.json.encode(identity))
                return
            except FileExistsError:
                known = self.find_identity()
        if known != identity:
            found = known.system_identifier if known else "unknown"
            raise ConfigurationError(
                f"The store has the backups of another database cluster (system identifier {found}, not "
                f"{identity.system_identifier}).",
                location=self._store.shown,
                hint="Give each cluster a store of its own; what initdb or pg_upgrade has made is another cluster.",
            )

    def push(self, path: Path, name: str | None = None) -> None:
        """Keep a file that PostgreSQL archives, or find that it is kept. Raises ConfigurationError for any other."""
        name = name or path.name
        if not is_archived_name(name):
            raise ConfigurationError(f"{name!r} is not the name of a WAL file.", location="gatepost backup archive")
        try:
            data, completed_at = path.read_bytes(), path.stat().st_mtime
        except OSError as error:
            raise ConfigurationError(f"It cannot be read: {error}.", location=str(path)) from None
        if is_segment_name(name):
            self.claim(_identity_of(data, name, path))
        try:
            self._store.create(_kept_as(name), packed(data, Note(completed_at)))
        except FileExistsError:
            if self.fetch(name) != data:
                raise ConfigurationError(
                    f"The archive has another file under the name {name}, and does not replace it.",
                    location=self._store.shown,
                    hint="Two servers archive to this store, or an older copy of the cluster was started: stop one, "
                    "and give the other one a store of its own.",
                ) from None

    def fetch(self, name: str) -> bytes:
        """A file of the archive. Raises FileNotFoundError, which is the end of the log to a recovery, and
        ConfigurationError where the file is damaged or the store is away."""
        if not is_archived_name(name):
            raise FileNotFoundError(name)
        try:
            stored = self._store.read(_kept_as(name))
        except FileNotFoundError:
            if self.find_identity() is None:
                raise ConfigurationError(
                    f"There is no {IDENTITY_FILE}: the store is away, or nothing was archived to it yet.",
                    location=self._store.shown,
                    hint="Mount it, or correct GATEPOST_BACKUP_STORE.",
                ) from None
            raise
        try:
            return unpacked(stored)
        except ValueError as error:
            raise damaged(self._store, _kept_as(name), str(error)) from None

    def completed_at(self, name: str) -> float:
        """When PostgreSQL completed a file: up to then the log is in the archive."""
        start = self._store.read(_kept_as(name), length=NOTE_BYTES_MAX)
        try:
            return note_of(start).completed_at
        except ValueError as error:
            raise damaged(self._store, _kept_as(name), str(error)) from None

    def sizes(self) -> dict[str, int]:
        """The names of all files, with their sizes as they are kept."""
        found = ((Path(file.name).name.removesuffix(SUFFIX), file.size) for file in self._store.list(FOLDER))
        return {name: size for name, size in found if is_archived_name(name)}

    def delete(self, name: str) -> None:
        """Remove a file that no backup needs."""
        self._store.delete(_kept_as(name))


class DamagedFileError(ConfigurationError):
    """The refusal of a file whose content is not what was kept."""


def damaged(store: BackupStore, name: str, reason: str) -> DamagedFileError:
    """The refusal, in words."""
    return DamagedFileError(
        f"The file is damaged: {reason.rstrip('.')}.",
        location=f"{store.shown}/{name}",
        hint="Take it from a copy of the store, or restore from another backup.",
    )


def _kept_as(name: str) -> str:
    return f"{FOLDER}/{name}{SUFFIX}"


def _identity_of(data: bytes, name: str, path: Path) -> ArchiveIdentity:
    try:
        header = header_of(data)
    except ValueError as error:
        raise ConfigurationError(f"It is not a WAL segment: {error}.", location=str(path)) from None
    if len(data) != header.segment_bytes:
        raise ConfigurationError(f"It has {len(data)} of {header.segment_bytes} bytes.", location=str(path))
    if not is_named(header, name):
        raise ConfigurationError(
            f"It is not the segment {name}: its content is that of another one.", location=str(path)
        )
    return ArchiveIdentity(system_identifier=str(header.system_identifier), segment_bytes=header.segment_bytes)
