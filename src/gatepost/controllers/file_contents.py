"""The bytes of files: where they are, how many, and how they are read part by part, off the event loop."""

import asyncio
import errno
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterable
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Protocol, cast

from gatepost.controllers.byte_ranges import ByteRange
from gatepost.controllers.file_conditions import Validators
from gatepost.declaring.files import File

PART_BYTES = 262_144

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Links are not followed, and opening waits for nothing."""

_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)

_KINDS = ((stat.S_ISLNK, "a symbolic link"), (stat.S_ISDIR, "a directory"), (stat.S_ISREG, ""))


class FileRefusal(Exception):
    """Why there is no file to send at a path."""


class FileContent(Protocol):
    """The content of a file that is about to be sent. `has_ranges` says that it can be read from any place."""

    length: int
    validators: Validators
    has_ranges: bool

    def parts(self, wanted: ByteRange) -> AsyncGenerator[bytes]:
        """These bytes, in parts. Raises `OSError` or `ValueError` where they are not there any more."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


async def open_content(file: File) -> FileContent:
    """The content of a file. Raises `FileRefusal` for a path without a file, and `OSError` where it cannot be read."""
    content = file.content
    if isinstance(content, bytes):
        tag = file.etag or await asyncio.to_thread(_digest, content)
        return _Bytes(content, Validators(tag, file.last_modified))
    if isinstance(content, os.PathLike):
        root = None if file.root is None else Path(file.root)
        descriptor, found = await asyncio.to_thread(_open, Path(content), root)
        modified = file.last_modified or datetime.fromtimestamp(found.st_mtime, UTC)
        tag = file.etag or f"{found.st_mtime_ns:x}-{found.st_size:x}"
        return _Opened(descriptor, found.st_size, Validators(tag, modified))
    return _Iterated(content, cast("int", file.length), Validators(file.etag, file.last_modified))


class _Bytes:
    has_ranges = True

    def __init__(self, content: bytes, validators: Validators) -> None:
        self._content = content
        self.length = len(content)
        self.validators = validators

    async def parts(self, wanted: ByteRange) -> AsyncGenerator[bytes]:
        for start in range(wanted.start, wanted.stop, PART_BYTES):
            yield self._content[start : min(start + PART_BYTES, wanted.stop)]

    async def close(self) -> None:
        pass


class _Opened:
    has_ranges = True

    def __init__(self, descriptor: int, length: int, validators: Validators) -> None:
        self._descriptor = descriptor
        self.length = length
        self.validators = validators

    async def parts(self, wanted: ByteRange) -> AsyncGenerator[bytes]:
        start = wanted.start
        while start < wanted.stop:
            size = min(PART_BYTES, wanted.stop - start)
            part = await asyncio.to_thread(os.pread, self._descriptor, size, start)
            if not part:
                raise OSError(f"The file ended at byte {start}: it was cut while it was sent.")
            start += len(part)
            yield part

    async def close(self) -> None:
        os.close(self._descriptor)


class _Iterated:
    has_ranges = False

    def __init__(self, source: AsyncIterable[bytes], length: int, validators: Validators) -> None:
        self._source = aiter(source)
        self.length = length
        self.validators = validators

    async def parts(self, wanted: ByteRange) -> AsyncGenerator[bytes]:
        count = 0
        async for part in self._source:
            count += len(part)
            if count > self.length:
                raise ValueError(f"The source of the file gave more bytes than its length= says, {self.length}.")
            if part:
                yield part
        if count < self.length:
            raise ValueError(f"The source of the file gave {count} bytes, and its length= says {self.length}.")

    async def close(self) -> None:
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _open(path: Path, root: Path | None) -> tuple[int, os.stat_result]:
    """Open a regular file: from `root`, folder by folder, so that neither `..` nor a link leads out of it."""
    try:
        if root is None:
            return _open_last(path, None)
        return _open_below(path, root)
    except ValueError as error:  # NUL in a path
        raise FileRefusal(f"has no such path: {error}") from None


def _open_below(path: Path, root: Path) -> tuple[int, os.stat_result]:
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise FileRefusal(f"leads out of {root}")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in path.parts[:-1]:
            try:
                below = os.open(name, _READ | os.O_DIRECTORY, dir_fd=folder)
            except OSError as error:
                raise _refusal_of(error) from error
            os.close(folder)
            folder = below
        return _open_last(Path(path.name), folder)
    finally:
        os.close(folder)


def _open_last(path: Path, folder: int | None) -> tuple[int, os.stat_result]:
    try:
        # Before it is opened: opening a device may do something.
        _check(os.stat(path, dir_fd=folder, follow_symlinks=False))
        descriptor = os.open(path, _READ, dir_fd=folder)
    except OSError as error:
        raise _refusal_of(error) from error
    try:
        found = os.fstat(descriptor)
        _check(found)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor, found


def _check(found: os.stat_result) -> None:
    kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "a device")
    if kind:
        raise FileRefusal(f"is {kind}")


def _refusal_of(error: OSError) -> Exception:
    """The refusal that an error means; the error itself where the file is there and cannot be read."""
    if error.errno == errno.ELOOP:
        return FileRefusal("is behind a symbolic link")
    return FileRefusal("does not exist") if error.errno in _MISSING else error
