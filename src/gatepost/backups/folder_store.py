"""Backups in a folder: files that only their owner may read, on the disk before anybody is told that they are kept.

Where the folder's group may read the folder, it may read what is in it: the instances that say how old backups are.

PostgreSQL removes a WAL file as soon as it is told that it is archived, so a file is written under another name, synced
together with its folder, and only then visible.
"""

import contextlib
import os
import re
import stat
import tempfile
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from gatepost.backups.stores import READ_BYTES, StoredFile, checked
from gatepost.errors import ConfigurationError

_UNFINISHED = ".unfinished-"
_GROUP_READS = stat.S_IRGRP | stat.S_IXGRP


class Unfinished(NamedTuple):
    """A file that is being written, where it is, and where it will be."""

    file: IO[bytes]
    path: Path
    becomes: Path


class FolderStore:
    """The files below `path`, which is made when the first one is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def shown(self) -> str:
        return str(self._path)

    def list(self, folder: str) -> list[StoredFile]:
        with self._explained():
            top = self._path / checked(folder)
            found: list[StoredFile] = []
            for path in top.rglob("*"):
                with contextlib.suppress(FileNotFoundError):  # it is removed meanwhile
                    if not path.name.startswith(".") and path.is_file():
                        found.append(StoredFile(path.relative_to(self._path).as_posix(), path.stat().st_size))
            return sorted(found)

    def read(self, name: str, *, length: int | None = None) -> bytes:
        with self._explained(), (self._path / checked(name)).open("rb") as file:
            return file.read() if length is None else file.read(length)

    def stream(self, name: str) -> Iterator[bytes]:
        with self._explained(), (self._path / checked(name)).open("rb") as file:
            while part := file.read(READ_BYTES):
                yield part

    def create(self, name: str, data: bytes) -> None:
        with self._explained(is_read=False), self._unfinished(name) as new:
            new.file.write(data)
            _sync(new.file)
            _link(new.path, new.becomes)
            _sync_folder(new.becomes.parent)

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        with self._explained(is_read=False), self._unfinished(name) as new:
            for part in parts:
                new.file.write(part)
            _sync(new.file)
            new.path.replace(new.becomes)
            _sync_folder(new.becomes.parent)

    def delete(self, name: str) -> None:
        with self._explained(is_read=False):
            path = self._path / checked(name)
            if not path.parent.exists():
                return
            path.unlink(missing_ok=True)
            _sync_folder(path.parent)
            if path.parent.parent != self._path:
                with contextlib.suppress(OSError):  # until it is empty
                    path.parent.rmdir()

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        before = time.time() - older_than_seconds
        for path in [*(self._path / checked(folder)).rglob(f"{_UNFINISHED}*")]:
            with contextlib.suppress(OSError):  # it became what it was to become
                if path.stat().st_mtime <= before:
                    path.unlink()
                    path.parent.rmdir()  # where nothing else is in it

    @contextlib.contextmanager
    def _unfinished(self, name: str) -> Generator["Unfinished"]:
        """A new file beside the one that it becomes, which is gone if it does not."""
        path = self._path / checked(name)
        group = self._path.stat().st_mode & _GROUP_READS if self._path.exists() else 0
        _make_folders(path.parent, group)
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=_UNFINISHED)
        try:
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR | (group & stat.S_IRGRP))
                yield Unfinished(file, Path(unfinished), path)
        finally:
            Path(unfinished).unlink(missing_ok=True)

    @contextlib.contextmanager
    def _explained(self, *, is_read: bool = True) -> Generator[None]:
        try:
            yield
        except FileExistsError:
            raise
        except OSError as error:
            if is_read and isinstance(error, FileNotFoundError):
                raise
            # An unfinished file has another name each time, and what is told once is known by its words.
            reason = re.sub(rf"/{re.escape(_UNFINISHED)}\w+", "", str(error))
            raise ConfigurationError(
                f"The folder of backups cannot be used: {reason}.",
                location=self.shown,
                hint="Its owner has to be the user who runs this, as which PostgreSQL archives; or the disk is full.",
            ) from error


def _make_folders(folder: Path, group: int) -> None:
    """Folders that only we may enter, and a group with these rights, and that survive a crash of the machine as their
    files do."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)
        path.chmod(stat.S_IMODE(path.stat().st_mode) | group)  # whatever the umask
        _sync_folder(path.parent)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _link(unfinished: Path, path: Path) -> None:
    """Give the file its name, unless another one has it. Raises FileExistsError."""
    try:
        os.link(unfinished, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links, as some network drives have
        if path.exists():
            raise FileExistsError(str(path)) from None
        unfinished.replace(path)
