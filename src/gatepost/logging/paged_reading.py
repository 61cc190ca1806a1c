"""Log files read page by page, the newest lines first, with a bound on the work: what the console's log asks for.

Off the request path. A file that is written is read backwards from its end, a closed one that is compressed as a whole.
Where a page ends is a `LogPlace`, which is the same whatever the name of its file has become since.
"""

import os
import re
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, NamedTuple

from gatepost.logging.reading import LineFilter, fields_of, is_wanted, lines_of, newest_closed

BLOCK_BYTES = 65_536
LINE_BYTES_MAX = 1_048_576
"""A longer one is not of ours."""
LOOK_LINES = 256
"""After so many lines it is asked whether they are still wanted by their time."""
PAGE_BYTES_MAX = 8 * 1024 * 1024
"""How much text is read for a page; a compressed file is read to its end."""

_END = 2**62
_PLACE = re.compile(r"([0-9]{1,17})-([0-9]{1,19})")


class LogPlace(NamedTuple):
    """A place in the log: `at_us` is a moment, in microseconds since the epoch, at which its file was written or
    closed, and `offset` is where it is in the text of that file, in bytes."""

    at_us: int
    offset: int

    def __str__(self) -> str:
        return f"{self.at_us}-{self.offset}"

    @classmethod
    def parse(cls, text: str) -> "LogPlace":
        """The place that was written so. Raises ValueError."""
        match = _PLACE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a place in the log: take one from the page before.")
        return cls(int(match[1]), int(match[2]))


class LogPage(NamedTuple):
    """Wanted lines, the oldest first. Older ones are before the place `before`, None where there are none; newer ones
    will be after `newest`."""

    lines: list[bytes]
    before: LogPlace | None
    newest: LogPlace


class _Tail(NamedTuple):
    """Wanted lines of a file, the newest first; what is before the offset `reached` was not looked at."""

    lines: list[bytes]
    reached: int
    bytes_read: int


class _File(NamedTuple):
    """A file of the log; the one that is written counts as closed now."""

    path: Path
    closed_us: int

    def tail(self, begin: int, end: int, wanted: LineFilter, count: int, bytes_max: int) -> _Tail:
        """The last wanted lines between two offsets."""
        if self.path.suffix != ".zst":
            with suppress(FileNotFoundError):  # compressed or deleted meanwhile
                return _tail_of_file(self.path, begin, end, wanted, count, bytes_max)
        return _tail_of_text(lines_of(self.path), begin, end, wanted, count)


def read_page(  # noqa: PLR0913 - what is wanted, and from where
    folder: Path,
    wanted: LineFilter,
    count: int,
    *,
    before: LogPlace | None = None,
    after: LogPlace | None = None,
    bytes_max: int = PAGE_BYTES_MAX,
) -> LogPage:
    """The last `count` wanted lines before the one place and after the other.

    They are fewer where that is all, or all that is found in the work that a page may take; then `before` says where to
    go on. Raises OSError where the folder cannot be read.
    """
    files = list(_newest_first(folder, wanted))
    newest = LogPlace(files[0].closed_us, _size_of(files[0].path))
    first = 0 if before is None else _index_of(files, before)
    last = len(files) - 1 if after is None else _index_of(files, after)
    lines: deque[bytes] = deque()
    for index in range(first, min(last + 1, len(files))):
        file = files[index]
        begin = after.offset if after is not None and index == last else 0
        end = before.offset if before is not None and index == first else _END
        tail = file.tail(begin, end, wanted, count - len(lines), bytes_max)
        lines.extendleft(tail.lines)
        bytes_max -= tail.bytes_read
        if tail.reached > begin:
            return LogPage(list(lines), LogPlace(file.closed_us, tail.reached), newest)
        if index < last and (len(lines) >= count or bytes_max <= 0):
            return LogPage(list(lines), LogPlace(files[index + 1].closed_us, _END), newest)
    return LogPage(list(lines), None, newest)


def _newest_first(folder: Path, wanted: LineFilter) -> Iterator[_File]:
    yield _File(folder / f"{wanted.log}.log", time.time_ns() // 1000)
    for file in newest_closed(folder, wanted):
        yield _File(file.path, round(file.closed_at * 1_000_000))


def _index_of(files: list[_File], place: LogPlace) -> int:
    """The file of a place: the oldest one that was closed later. Behind all where that is no longer there."""
    older = (index for index, file in enumerate(files) if file.closed_us < place.at_us)
    return max(0, next(older, len(files)) - 1)


def _tail_of_text(text: Iterator[bytes], begin: int, end: int, wanted: LineFilter, count: int) -> _Tail:
    found: deque[tuple[int, bytes]] = deque(maxlen=max(1, count))
    offset, is_more = 0, False
    for line in text:
        if offset >= end:
            break
        if offset >= begin and is_wanted(line, wanted):
            is_more = is_more or len(found) == found.maxlen
            found.append((offset, line))
        offset += len(line)
    reached = found[0][0] if is_more else begin
    return _Tail([line for _, line in reversed(found)], reached, offset)


def _tail_of_file(  # noqa: PLR0913, PLR0917 - of one class
    path: Path, begin: int, end: int, wanted: LineFilter, count: int, bytes_max: int
) -> _Tail:
    found: list[bytes] = []
    was_old = False
    with path.open("rb") as file:
        end = min(end, file.seek(0, os.SEEK_END))
        for number, (offset, line) in enumerate(_lines_backwards(file, begin, end)):
            if is_wanted(line, wanted):
                found.append(line)
            if len(found) >= count or end - offset >= bytes_max:
                return _Tail(found, offset, end - offset)
            if wanted.since is not None and number % LOOK_LINES == 0:
                is_old = _is_older(line, wanted.since)
                if is_old and was_old:  # lines of several processes are a little out of order
                    return _Tail(found, begin, end - offset)
                was_old = is_old
    return _Tail(found, begin, max(0, end - begin))


def _lines_backwards(file: IO[bytes], begin: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The lines between two offsets, the last one first, each with the offset at which it begins."""
    rest, start = b"", end
    while start > begin:
        block_start = max(begin, start - BLOCK_BYTES)
        file.seek(block_start)
        text = file.read(start - block_start) + rest
        start = block_start
        # Before the first end of a line stands what began in the block before.
        cut = 0 if start == begin else text.find(b"\n") + 1 or len(text)
        rest = text[:cut] if cut <= LINE_BYTES_MAX else b""
        offset = start + len(text)
        for line in reversed(BytesIO(text[cut:]).readlines()):
            offset -= len(line)
            yield offset, line


def _is_older(line: bytes, since: str) -> bool:
    fields = fields_of(line)
    return fields is not None and str(fields.get("time", since)) < since


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
