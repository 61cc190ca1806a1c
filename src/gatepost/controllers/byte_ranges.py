"""Ranges of bytes: what `Range` asks for, and how several of them stand in one body. RFC 9110, section 14.

Pure.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

RANGES_MAX = 16
"""A request for more is answered with the whole file: each costs a head, and readers of files ask for few."""

_DIGITS_MAX = 18

_RANGES = re.compile(rb"\s*bytes\s*=(.*)", re.IGNORECASE | re.DOTALL)
_RANGE = re.compile(rb"\s*(?:([0-9]+)\s*-\s*([0-9]*)|-\s*([0-9]+))\s*")


class ByteRange(NamedTuple):
    """The bytes from `start` to before `stop`."""

    start: int
    stop: int

    def field(self, length: int) -> bytes:
        """The value of `Content-Range`, of a file that has so many bytes."""
        return b"bytes %d-%d/%d" % (self.start, self.stop - 1, length)


def wanted_ranges(header: bytes, length: int) -> list[ByteRange] | None:
    """The ranges that a request asks for, as far as the file has them; empty where it has none of them. None where the
    whole file is to be sent: for another unit, for what is malformed, and for too many. Ranges that overlap become
    one (RFC 9110, section 14.2)."""
    found = _RANGES.fullmatch(header)
    items = [] if found is None else found[1].split(b",", RANGES_MAX + 1)
    items = [item for item in items if item.strip()]
    if not length or not 0 < len(items) <= RANGES_MAX:
        return None
    ranges: list[ByteRange] = []
    for item in items:
        match = _RANGE.fullmatch(item)
        if match is None or len(item) > 2 * _DIGITS_MAX:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            start, stop = max(0, length - int(suffix)), length if int(suffix) else 0
        else:
            start, stop = int(first), min(length, int(last) + 1) if last else length
            if last and int(last) < start:
                return None
        if start < stop:
            ranges.append(ByteRange(start, stop))
    return _merged(ranges)


def _merged(ranges: Sequence[ByteRange]) -> list[ByteRange]:
    """The same ranges, in the order in which they were asked for unless some overlap."""
    in_order = sorted(ranges)
    if all(one.stop <= other.start for one, other in pairwise(in_order)):
        return [*ranges]
    merged = in_order[:1]
    for each in in_order[1:]:
        if each.start < merged[-1].stop:
            merged[-1] = ByteRange(merged[-1].start, max(merged[-1].stop, each.stop))
        else:
            merged.append(each)
    return merged


class Multipart:
    """Several ranges of a file in one body (RFC 9110, section 14.6)."""

    def __init__(self, ranges: Sequence[ByteRange], content_type: bytes, length: int) -> None:
        boundary = secrets.token_hex(16).encode()
        self.content_type = b"multipart/byteranges; boundary=" + boundary
        heads = [
            b"\r\n--%b\r\ncontent-type: %b\r\ncontent-range: %b\r\n\r\n" % (boundary, content_type, each.field(length))
            for each in ranges
        ]
        self._parts = [*zip(heads, ranges, strict=True)]
        self._end = b"\r\n--%b--\r\n" % boundary

    def segments(self) -> Iterator[bytes | ByteRange]:
        """What the body consists of."""
        for head, part in self._parts:
            yield head
            yield part
        yield self._end
