"""What becomes of closed log files: compressed once nobody writes to them, deleted when they are old or too many.

Off the request path, in the monitor; where there is none, in a thread of the process that closed one. Names sort by
time within a log:
`combined-20261130T201522.123456Z-4711.log`, and `.zst` behind it when it is compressed.
"""

import contextlib
import fcntl
import math
import os
import re
import stat
import time
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

DAY_SECONDS = 86_400
DAYS = {"combined": 14, "error": 30, "security": 180}
"""How long the closed files of a log are kept; the least valuable log stands first."""

LOCK_NAME = ".archive.lock"
"""Its time of change says when somebody last looked after the closed files."""

_CLOSED = re.compile(rf"({'|'.join(DAYS)})-(\d{{8}}T\d{{6}}\.\d{{6}})Z-\d+\.log(\.zst)?$")
_MOMENT = "%Y%m%dT%H%M%S.%f"


class ClosedFile(NamedTuple):
    """A log file that is written no longer, the moment at which it was closed (seconds since the epoch) and its size in
    bytes."""

    path: Path
    log: str
    closed_at: float
    size: int

    @property
    def is_compressed(self) -> bool:
        """Whether it is a `.zst`."""
        return self.path.suffix == ".zst"


def closed_name(log: str, now: float) -> str:
    """The name of a file that is closed now."""
    return f"{log}-{datetime.fromtimestamp(now, UTC):{_MOMENT}}Z-{os.getpid()}.log"


def closed_files(folder: Path) -> list[ClosedFile]:
    """The closed files of every log, oldest first. One that was about to be compressed when its process ended is the
    plain one, until it is compressed again."""
    found: list[ClosedFile] = []
    paths = set(folder.iterdir())
    for path in paths:
        match = _CLOSED.match(path.name)
        if match and not (match[3] and path.with_suffix("") in paths):
            # Whatever else has such a name: a folder, or a date that does not exist.
            with contextlib.suppress(FileNotFoundError, ValueError):
                closed_at = datetime.strptime(match[2], _MOMENT).replace(tzinfo=UTC).timestamp()
                status = path.lstat()
                if stat.S_ISREG(status.st_mode):
                    found.append(ClosedFile(path, match[1], closed_at, status.st_size))
    return sorted(found, key=lambda file: file.closed_at)


def tend(folder: Path, bytes_max: int, now: float | None = None) -> None:
    """Compress, and delete what is too old or, all files together, more than `bytes_max`. One process at a time does
    it; where another does, this one has nothing to do. Raises OSError."""
    with _alone(folder) as is_alone:
        if not is_alone:
            return
        moment = time.time() if now is None else now
        for file in closed_files(folder):
            # One that cannot be read or deleted is no reason to leave the others.
            with contextlib.suppress(OSError):
                if moment - file.closed_at > DAYS[file.log] * DAY_SECONDS:
                    file.path.unlink(missing_ok=True)
                elif not file.is_compressed:
                    _compress(file.path)
        _make_room(folder, bytes_max)


def _make_room(folder: Path, bytes_max: int) -> None:
    files = closed_files(folder)
    total = sum(file.size for file in files) + sum(_size_of(folder / f"{log}.log") for log in DAYS)
    for log in DAYS:
        for file in files:
            if total <= bytes_max:
                return
            if file.log == log:
                with contextlib.suppress(OSError):
                    file.path.unlink(missing_ok=True)
                    total -= file.size


def _compress(path: Path) -> None:
    from gatepost.zstandard import zstd

    target = path.with_name(f"{path.name}.zst")
    partial = path.with_name(f".{target.name}.partial")
    try:
        with path.open("rb") as plain, zstd.open(partial, "wb") as compressed:
            os.fchmod(compressed.fileno(), 0o640)
            while block := plain.read(1 << 20):
                compressed.write(block)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    path.unlink()


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def seconds_since_tended(folder: Path) -> float:
    """How long ago somebody last began to look after the closed files; infinite where nobody ever has."""
    try:
        passed = time.time() - (folder / LOCK_NAME).stat().st_mtime
    except OSError:
        return math.inf
    return passed if passed >= 0 else math.inf  # the clock was set back: nobody knows


@contextlib.contextmanager
def _alone(folder: Path) -> Generator[bool]:
    with (folder / LOCK_NAME).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            os.utime(lock.fileno())
            yield True
