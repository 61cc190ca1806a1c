"""`Snapshot`: one value in a file of a fixed size, of which a kill at any moment leaves the last or the one before.

Off the request path. The file has two halves that are written in turn, each with a number, a length and a checksum.
It is written by the system's calls: what a full disk refuses there would end the process (SIGBUS) if it was mapped.
"""

import os
import struct
import threading
import zlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from gatepost.zstandard import decompressed

T = TypeVar("T")

_OTHER_VERSION = "it is of another version, or no value of this kind"

_head = struct.Struct("<QII")  # number, bytes, CRC-32 of number and bytes


class Snapshot:
    """The value in the file of this descriptor, which one process at a time writes, from any of its threads.
    `note_unreadable` gets the reason where the file holds something, and no value that can be read."""

    def __init__(
        self, descriptor: int, size: int, note_unreadable: Callable[[str], object] = lambda reason: None
    ) -> None:
        self._lock = threading.Lock()
        self.note_unreadable = note_unreadable
        self._descriptor = descriptor
        self._half = size // 2
        self.bytes_max = self._half - _head.size
        """The longest value."""

    def load(self) -> bytes | None:
        """The value that was saved last and whole; None where there is none."""
        found = [saved for start in (0, self._half) if (saved := self._read(start)) is not None]
        if found:
            return max(found)[1]
        if any(any(os.pread(self._descriptor, _head.size, start)) for start in (0, self._half)):
            self.note_unreadable("its checksums are wrong")
        return None

    def load_as(self, type: type[T]) -> T | None:
        """The value as MessagePack of this type; None also where it is that of another version."""
        saved = self.load()
        try:
            return None if saved is None else msgspec.msgpack.decode(saved, type=type)
        except msgspec.DecodeError as error:
            self.note_unreadable(f"{_OTHER_VERSION}: {error}")
            return None

    def load_compressed(self, type: type[T]) -> T | None:
        """The same of a value that was compressed before it was saved."""
        saved = self.load()
        try:
            return None if saved is None else msgspec.msgpack.decode(decompressed(saved), type=type)
        except (ValueError, msgspec.DecodeError) as error:
            self.note_unreadable(f"{_OTHER_VERSION}: {error}")
            return None

    def save(self, value: bytes) -> bool:
        """Put it in the place of the value before last. False where the disk does not take it: the last one stays.
        Raises ValueError where it is too long."""
        if len(value) > self.bytes_max:
            raise ValueError(f"{len(value)} bytes are more than the {self.bytes_max} that the file has room for")
        with self._lock:
            numbers = [0 if (saved := self._read(start)) is None else saved[0] for start in (0, self._half)]
            number = max(numbers) + 1
            start = 0 if numbers[0] <= numbers[1] else self._half
            body = start + _head.size
            head = _head.pack(number, len(value), _checksum(number, value))
            return written(self._descriptor, value, body) and written(self._descriptor, head, start)

    def _read(self, start: int) -> tuple[int, bytes] | None:
        head = os.pread(self._descriptor, _head.size, start)
        if len(head) < _head.size:
            return None
        number, length, checksum = _head.unpack(head)
        if not number > 0 or length > self.bytes_max:
            return None
        value = os.pread(self._descriptor, length, start + _head.size)
        return (number, value) if _checksum(number, value) == checksum else None


def written(descriptor: int, data: bytes, offset: int) -> bool:
    """Write all of it there; False where the disk is full, or fails."""
    try:
        return os.pwrite(descriptor, data, offset) == len(data)
    except OSError:
        return False


def _checksum(number: int, value: bytes) -> int:
    return zlib.crc32(value, number & 0xFFFFFFFF)
