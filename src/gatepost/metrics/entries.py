"""Entries of several values in shared memory: one process writes them, others read them whole or not at all.

An entry begins with its version, which is odd while it is written: who reads the same even one before and after has
read what belongs together. One whose writer was killed in the middle stays odd, and is left out.
"""

import struct
from typing import Any

_version = struct.Struct("<Q")

TRIES = 3


def write_entry(form: struct.Struct, memory: "memoryview[int]", offset: int, *values: Any) -> None:
    """Write an entry of this form, whose first value is the version."""
    version = (_version.unpack_from(memory, offset)[0] + 1) | 1
    _version.pack_into(memory, offset, version)
    form.pack_into(memory, offset, version, *values)
    _version.pack_into(memory, offset, version + 1)


def read_entry(form: struct.Struct, memory: "memoryview[int]", offset: int) -> tuple[Any, ...] | None:
    """Its values without the version; None where it was never written, or is being written."""
    for _ in range(TRIES):
        version, *values = form.unpack_from(memory, offset)
        if not version:
            return None
        if not version & 1 and version == _version.unpack_from(memory, offset)[0]:
            return tuple(values)
    return None


def remove_entry(memory: "memoryview[int]", offset: int) -> None:
    """From now on it was never written."""
    _version.pack_into(memory, offset, 0)
