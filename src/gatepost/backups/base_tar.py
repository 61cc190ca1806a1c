"""The files of a base backup, read as they pass: every one is compared with the manifest that PostgreSQL wrote of them.

`pg_basebackup` sends a tar file with the manifest as its last member. Creating, checking and restoring a backup read it
by the same code, once, from its beginning to its end.
"""

import hashlib
import posixpath
import tarfile
from collections.abc import Callable, Generator
from typing import IO, Any, Protocol

import msgspec

from gatepost.backups.wal_names import lsn_of

CHUNK_BYTES = 1024 * 1024
_BUFFER_BYTES = 64 * 1024
"""What tarfile reads at once; it copies the rest of it with each header."""

MANIFEST = "backup_manifest"
_PLACE_OF_SUM = b'"Manifest-Checksum"'


class DamagedBaseError(Exception):
    """The tar file is not what PostgreSQL sent; its text says why."""


class Receiver(Protocol):
    """Where the files go."""

    def make_folder(self, path: str) -> None: ...

    def begin_file(self, path: str) -> Callable[[bytes], object]:
        """A function that takes the next part of the file's data."""
        ...

    def end_file(self) -> None: ...


class ManifestFile(msgspec.Struct, rename="pascal"):
    """A file as the manifest has it."""

    size: int
    path: str | None = None
    encoded_path: str | None = msgspec.field(default=None, name="Encoded-Path")
    checksum: str | None = None
    checksum_algorithm: str | None = msgspec.field(default=None, name="Checksum-Algorithm")


class ManifestRange(msgspec.Struct):
    """A part of the log that the backup needs."""

    timeline: int = msgspec.field(name="Timeline")
    start: str = msgspec.field(name="Start-LSN")
    end: str = msgspec.field(name="End-LSN")


class Manifest(msgspec.Struct):
    """What PostgreSQL says that it has sent."""

    files: list[ManifestFile] = msgspec.field(name="Files")
    ranges: list[ManifestRange] = msgspec.field(name="WAL-Ranges")


class BaseContents:
    """What has been read of a base backup."""

    def __init__(self) -> None:
        self.raw_bytes = 0
        self._sums: dict[str, tuple[int, str]] = {}
        self._manifest = b""

    @property
    def files(self) -> int:
        return len(self._sums)

    def read(self, source: IO[bytes], receiver: Receiver | None = None) -> Generator[None]:
        """Read the tar file; yields after each part of it. Raises DamagedBaseError."""
        try:
            with tarfile.open(fileobj=source, mode="r|", bufsize=_BUFFER_BYTES) as tar:
                for member in tar:
                    yield from self._read_member(tar, member, receiver)
        except tarfile.TarError as error:
            raise DamagedBaseError(f"it is not a whole tar file ({error})") from None

    def log_range(self) -> tuple[int, int, int]:
        """The timeline, and the places in the log from which and up to which a restore needs it, once all was compared
        with the manifest. Raises DamagedBaseError for whatever differs."""
        manifest = _manifest_of(self._manifest)
        expected = {_path_of(file): file for file in manifest.files}
        for path in sorted(expected.keys() | self._sums.keys()):
            wanted, found = expected.get(path), self._sums.get(path)
            if wanted is None:
                raise DamagedBaseError(f"the manifest does not have its file {path}")
            if found is None:
                raise DamagedBaseError(f"the file {path} of the manifest is missing")
            if wanted.checksum_algorithm != "SHA256":
                raise DamagedBaseError(f"the manifest has no SHA256 of {path}")
            if found != (wanted.size, wanted.checksum):
                raise DamagedBaseError(f"the file {path} has another content than the manifest says")
        if not manifest.ranges:
            raise DamagedBaseError("the manifest does not say which WAL it needs")
        last = manifest.ranges[-1]
        return last.timeline, lsn_of(manifest.ranges[0].start), lsn_of(last.end)

    def _read_member(self, tar: tarfile.TarFile, member: tarfile.TarInfo, receiver: Receiver | None) -> Generator[None]:
        path = _checked_path(member.name)
        if member.isdir():
            if receiver is not None and path != ".":
                receiver.make_folder(path)
            return
        data = tar.extractfile(member) if member.isreg() else None
        if data is None:
            raise DamagedBaseError(f"{path} is neither a file nor a folder; tablespaces are not supported")
        is_manifest = path == MANIFEST
        take = receiver.begin_file(path) if receiver is not None and not is_manifest else None
        digest = hashlib.sha256()
        while part := data.read(CHUNK_BYTES):
            self.raw_bytes += len(part)
            digest.update(part)
            if is_manifest:
                self._manifest += part
            if take is not None:
                take(part)
            yield
        if take is not None and receiver is not None:
            receiver.end_file()
        if not is_manifest:
            self._sums[path] = (member.size, digest.hexdigest())


def _manifest_of(data: bytes) -> Manifest:
    place = data.rfind(_PLACE_OF_SUM)
    try:
        document: Any = msgspec.json.decode(data)
        if place < 0 or document["Manifest-Checksum"] != hashlib.sha256(data[:place]).hexdigest():
            raise DamagedBaseError("its manifest has another content than PostgreSQL wrote")
        return msgspec.convert(document, Manifest)
    except (msgspec.MsgspecError, TypeError, KeyError) as error:
        raise DamagedBaseError(f"its manifest cannot be read ({error})") from None


def _path_of(file: ManifestFile) -> str:
    if file.path is not None:
        return file.path
    return bytes.fromhex(file.encoded_path or "").decode(errors="surrogateescape")


def _checked_path(name: str) -> str:
    """The path, which leads nowhere else."""
    path = posixpath.normpath(name)
    if path.startswith("/") or path.split("/")[0] == ".." or "\0" in path:
        raise DamagedBaseError(f"{name!r} leads out of its folder")
    return path
