"""Where backups are kept: a folder, or a bucket of an S3-compatible store, behind one interface.

Names are relative, with `/` between their parts: `wal/000000010000000000000003.zst`. What a store says besides
FileNotFoundError and FileExistsError is a ConfigurationError, which names the store.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

READ_BYTES = 8 * 1024 * 1024
"""What is read of a large file at once."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class StoredFile(NamedTuple):
    """A file of a store, with its size in bytes."""

    name: str
    size: int


class BackupStore(Protocol):
    """What is needed of a store. A file is there whole or not at all, and never changes."""

    @property
    def shown(self) -> str:
        """The store as messages name it, without secrets."""
        ...

    def list(self, folder: str) -> list[StoredFile]:
        """The files below a folder, by name; none where it does not exist."""
        ...

    def read(self, name: str, *, length: int | None = None) -> bytes:
        """A small file, or the first bytes of any. Raises FileNotFoundError."""
        ...

    def stream(self, name: str) -> Iterator[bytes]:
        """A file of any size, part by part. Raises FileNotFoundError."""
        ...

    def create(self, name: str, data: bytes) -> None:
        """Keep a file that is not there yet; it is durable when this returns. Raises FileExistsError."""
        ...

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        """Keep a file of any size, under a name that nobody else uses; none where the parts raise."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file, if it is there."""
        ...

    def remove_leftovers(self, folder: str, older_than_seconds: float) -> None:
        """Remove what writers that were killed have left below a folder, and nobody sees, if it is so old."""
        ...


def checked(name: str) -> str:
    """The name, if a store may have it. Raises ValueError: no name leads out of the store."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a name of a stored file")
    return name
