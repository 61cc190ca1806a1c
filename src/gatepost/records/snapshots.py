"""`Snapshot`: one value in a file of a fixed size, of which a kill at any moment leaves the last or the one before.

Off the request path. The file has two halves that are written in turn, each with a number, a length and a checksum.
"""

import mmap
import struct
import zlib

_head = struct.Struct("<QII")  # number, bytes, CRC-32 of number and bytes


class Snapshot:
    """The value in the file of this descriptor, which one process at a time writes."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._memory = mmap.mmap(descriptor, size)
        self._half = size // 2
        self.bytes_max = self._half - _head.size
        """The longest value."""

    def load(self) -> bytes | None:
        """The value that was saved last and whole; None where there is none."""
        found = [saved for start in (0, self._half) if (saved := self._read(start)) is not None]
        return max(found)[1] if found else None

    def save(self, value: bytes) -> None:
        """Put it in the place of the value before last. Raises ValueError where it is too long."""
        if len(value) > self.bytes_max:
            raise ValueError(f"{len(value)} bytes are more than the {self.bytes_max} that the file has room for")
        numbers = [0 if (saved := self._read(start)) is None else saved[0] for start in (0, self._half)]
        number = max(numbers) + 1
        start = 0 if numbers[0] <= numbers[1] else self._half
        body = start + _head.size
        self._memory[body : body + len(value)] = value
        _head.pack_into(self._memory, start, number, len(value), _checksum(number, value))

    def _read(self, start: int) -> tuple[int, bytes] | None:
        number, length, checksum = _head.unpack_from(self._memory, start)
        if not number > 0 or length > self.bytes_max:
            return None
        body = start + _head.size
        value = self._memory[body : body + length]
        return (number, value) if _checksum(number, value) == checksum else None


def _checksum(number: int, value: bytes) -> int:
    return zlib.crc32(value, number & 0xFFFFFFFF)
