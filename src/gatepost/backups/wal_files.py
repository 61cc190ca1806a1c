"""The form in which WAL files are kept: compressed with a checksum, after a note of when PostgreSQL completed them.

A kept file is a zstd file, which `zstd -d` unpacks: the note is a frame that decoders skip. It says up to which moment
the log is in the archive, whenever the file was kept.
"""

import struct
from typing import Annotated, NamedTuple

import msgspec

from gatepost.backups.wal_names import segment_of
from gatepost.zstandard import CHECKED_OPTIONS, decompressed, zstd

SUFFIX = ".zst"
NOTE_BYTES_MAX = 256

SEGMENT_SIZES = frozenset(1024 * 1024 << power for power in range(11))
"""Those that initdb makes, 1 MiB to 1 GiB."""

_FRAME = struct.Struct("<II")
_SKIPPED_FRAME = 0x184D2A50
_LONG_HEADER = 0x0002
_PAGE = struct.Struct("=HHIQI4xQII")  # XLogLongPageHeaderData of PostgreSQL's access/xlog_internal.h


class Note(msgspec.Struct, frozen=True):
    """What is known of a file besides its data; seconds since the epoch."""

    completed_at: Annotated[float, msgspec.Meta(ge=0, lt=253_402_300_800)]  # up to the year 9999


class SegmentHeader(NamedTuple):
    """What the first page of a segment says."""

    timeline: int
    address: int
    system_identifier: int
    segment_bytes: int


def packed(data: bytes, note: Note) -> bytes:
    """A file as it is kept."""
    text = msgspec.json.encode(note)
    return _FRAME.pack(_SKIPPED_FRAME, len(text)) + text + zstd.compress(data, options=CHECKED_OPTIONS)


def unpacked(stored: bytes) -> bytes:
    """The data of a kept file. Raises ValueError where it is damaged."""
    return decompressed(stored[_note_end(stored) :])


def note_of(stored: bytes) -> Note:
    """The note of a kept file, of which the first NOTE_BYTES_MAX bytes are enough. Raises ValueError."""
    try:
        return msgspec.json.decode(stored[_FRAME.size : _note_end(stored)], type=Note)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


def header_of(data: bytes) -> SegmentHeader:
    """What a segment says of itself. Raises ValueError where it is not one."""
    if len(data) < _PAGE.size:
        raise ValueError("it is not a WAL segment")
    _, info, timeline, address, _, system_identifier, segment_bytes, _ = _PAGE.unpack_from(data)
    if not info & _LONG_HEADER or segment_bytes not in SEGMENT_SIZES:
        raise ValueError("it is not a WAL segment")
    return SegmentHeader(timeline, address, system_identifier, segment_bytes)


def is_named(header: SegmentHeader, name: str) -> bool:
    """Whether a segment may have this name. Its first page may be of an earlier timeline: one begins with a copy."""
    return header.address // header.segment_bytes == segment_of(name, header.segment_bytes).number


def _note_end(stored: bytes) -> int:
    if len(stored) < _FRAME.size:
        raise ValueError("it is too short")
    magic, length = _FRAME.unpack_from(stored)
    if magic != _SKIPPED_FRAME or length > NOTE_BYTES_MAX - _FRAME.size:
        raise ValueError("Gatepost did not write it")
    return _FRAME.size + int(length)
