"""Names of WAL files, and what they say: the timeline, and the place in the log of PostgreSQL.

A segment is a file of a fixed size (16 MiB unless initdb was told otherwise) whose name has three numbers of eight
hexadecimal digits: the timeline, and the number of the segment in two parts. Each recovery that ends begins a timeline;
its history (`00000002.history`) says where it branched off.
"""

import re
from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec

SegmentBytes = Annotated[int, msgspec.Meta(ge=1024 * 1024, le=1024 * 1024 * 1024)]
"""The size of the segments of a cluster: initdb takes 1 MiB to 1 GiB."""

_SEGMENT = re.compile(r"[0-9A-F]{24}")
_ARCHIVED = re.compile(r"[0-9A-F]{24}(?:\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_BYTES_OF_LOG = 0x1_0000_0000


class Segment(NamedTuple):
    """A segment of the log: its timeline and its number, which counts on over timelines."""

    timeline: int
    number: int


class Branch(NamedTuple):
    """A timeline up to the place where the next one branched off."""

    timeline: int
    end: int


def is_archived_name(name: str) -> bool:
    """Whether PostgreSQL archives files of such names."""
    return _ARCHIVED.fullmatch(name) is not None


def is_segment_name(name: str) -> bool:
    """Whether it is a whole segment of the log."""
    return _SEGMENT.fullmatch(name) is not None


def segment_of(name: str, segment_bytes: int) -> Segment:
    """The segment of a name."""
    per_log = _BYTES_OF_LOG // segment_bytes
    return Segment(int(name[:8], 16), int(name[8:16], 16) * per_log + int(name[16:24], 16))


def name_of(segment: Segment, segment_bytes: int) -> str:
    """The name of a segment."""
    log, place = divmod(segment.number, _BYTES_OF_LOG // segment_bytes)
    return f"{segment.timeline:08X}{log:08X}{place:08X}"


def history_name(timeline: int) -> str:
    """The file that says from where a timeline branched off."""
    return f"{timeline:08X}.history"


def lsn_of(text: str) -> int:
    """A place in the log, as PostgreSQL writes it: `0/3000028`. Raises ValueError."""
    match = _LSN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a place in the log")
    return int(match[1], 16) * _BYTES_OF_LOG + int(match[2], 16)


def branches_of(history: str) -> list[Branch]:
    """The timelines before one, the oldest first, as its history lists them. Raises ValueError."""
    lines: Iterable[list[str]] = (line.split("\t") for line in history.splitlines())
    return [Branch(int(words[0]), lsn_of(words[1].strip())) for words in lines if len(words) > 1]
