"""Log files read back: the last lines that a filter admits, and those that come.

Off the request path: what `gatepost logs` does. Lines may come from anybody, so nothing in them is trusted: a
line that is not JSON is skipped by a filter, and shown escaped without one.
"""

import contextlib
import ipaddress
import os
import re
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from gatepost.logging.archive import ClosedFile, closed_files
from gatepost.logging.levels import LEVEL_NAMES
from gatepost.logging.lines import Category
from gatepost.moments import shown_moment

POLL_SECONDS = 0.2
LEVELS = (*LEVEL_NAMES, "critical")

_PLAIN = re.compile(r"[\w.-]+", re.ASCII)

_decode = msgspec.json.Decoder().decode


@dataclass(frozen=True, slots=True)
class LineFilter:
    """Which lines are wanted; None admits all. `client` is an address or a network;
    `since` a moment as the lines have it, RFC 3339 in UTC."""

    category: Category | None = None
    level: str | None = None
    route: str | None = None
    actor: str | None = None
    request_id: str | None = None
    client: str | None = None
    since: str | None = None
    code: str | None = None

    @property
    def log(self) -> str:
        """The log that has all wanted lines, and for the longest time."""
        if self.category == "security":
            return "security"
        return "error" if self.level in ("error", "critical") else "combined"

    @property
    def is_open(self) -> bool:
        """Whether every line is wanted."""
        return self == LineFilter()

    def admits(self, line: Mapping[str, Any]) -> bool:
        """Whether a line is wanted."""
        return (
            (self.category is None or line.get("category") == self.category)
            and (self.level is None or _rank(line.get("level")) >= _rank(self.level))
            and (self.route is None or self.route in (line.get("route"), line.get("path")))
            and (self.actor is None or str(line.get("actor_id")) == self.actor)
            and (self.request_id is None or line.get("request_id") == self.request_id)
            and (self.client is None or any(_is_of(self.client, line.get(name)) for name in ("client", "key")))
            and (self.code is None or line.get("code") == self.code)
            and (self.since is None or str(line.get("time")) >= self.since)
        )

    def may_admit(self, line: bytes) -> bool:
        """Whether a line that has not been decoded can be wanted: much faster, and right where it says no."""
        return all(
            text.encode() in line
            for text in (self.category, self.actor, self.request_id, self.client, self.code)
            # Others may stand there with escapes.
            if text is not None and _PLAIN.fullmatch(text)
        )


def last_lines(folder: Path, wanted: LineFilter, count: int) -> list[bytes]:
    """The last `count` wanted lines, oldest first. Raises OSError where the folder cannot be read."""
    found: deque[bytes] = deque()
    closed = (file.path for file in newest_closed(folder, wanted))
    for path in chain([folder / f"{wanted.log}.log"], closed):
        room = count - len(found)
        found.extendleft(reversed(deque(filter(partial(is_wanted, wanted=wanted), lines_of(path)), maxlen=room)))
        if len(found) >= count:
            break
    return list(found)


def follow(folder: Path, wanted: LineFilter) -> Generator[bytes]:
    """Wanted lines from now on, for ever; waits for them, and goes on in the file that takes the name."""
    path = folder / f"{wanted.log}.log"
    is_first = True
    while True:
        with _waited_for(path) as file:
            if is_first:
                file.seek(0, os.SEEK_END)
                is_first = False
            yield from (line for line in _lines_until_replaced(file, path) if is_wanted(line, wanted))


def _lines_until_replaced(file: IO[bytes], path: Path) -> Iterator[bytes]:
    """Whole lines as they come, until another file has the name and this one is at its end."""
    rest = b""
    while True:
        # Asked first: what was written before the file was replaced is then still read.
        is_replaced = not _is_named(file, path)
        while block := file.read(1 << 16):
            *lines, rest = (rest + block).split(b"\n")
            yield from (line + b"\n" for line in lines)
        if is_replaced:
            return
        time.sleep(POLL_SECONDS)


def is_wanted(line: bytes, wanted: LineFilter) -> bool:
    """Whether the filter admits a line of a file."""
    if wanted.is_open:
        return True
    if not wanted.may_admit(line):
        return False
    fields = fields_of(line)
    return fields is not None and wanted.admits(fields)


def fields_of(line: bytes) -> dict[str, Any] | None:
    """The fields of a line; None where it is not one of ours."""
    try:
        found = _decode(line)
    except msgspec.DecodeError:
        return None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else None


def _is_of(client: str, shown: object) -> bool:
    """Whether what a line has is the client, or an address of its network."""
    if shown is None or "/" not in client:
        return shown == client
    try:
        return shown == client or ipaddress.ip_address(str(shown)) in _network(client)
    except ValueError:
        return False


@lru_cache(maxsize=1)
def _network(client: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(client, strict=False)


def _rank(level: object) -> int:
    return LEVELS.index(level) if level in LEVELS else 0


def newest_closed(folder: Path, wanted: LineFilter) -> Iterator[ClosedFile]:
    """The closed files that may have wanted lines, the newest first. Raises OSError where the folder cannot be read."""
    for file in reversed(closed_files(folder)):
        if file.log != wanted.log:
            continue
        if wanted.since is not None and shown_moment(file.closed_at + 1) < wanted.since:
            return
        yield file


def lines_of(path: Path) -> Iterator[bytes]:
    """The lines of a file, as far as it can be read: one that has been compressed since it was found is read as that,
    one that is being deleted has none, and one that was cut off ends there. Raises OSError for what cannot be read at
    all."""
    from gatepost.zstandard import zstd

    with contextlib.suppress(FileNotFoundError, EOFError, zstd.ZstdError), _opened(path) as file:
        yield from file


def _opened(path: Path) -> Any:
    from gatepost.zstandard import zstd

    if path.suffix != ".zst":
        with contextlib.suppress(FileNotFoundError):
            return path.open("rb")
        path = path.with_name(f"{path.name}.zst")
    return zstd.open(path, "rb")


def _waited_for(path: Path) -> IO[bytes]:
    while True:
        try:
            return path.open("rb")
        except FileNotFoundError:
            time.sleep(POLL_SECONDS)


def _is_named(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
