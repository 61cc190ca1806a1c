"""Log files that several processes write: `combined.log`, `error.log` and `security.log` of one folder.

Off the request path, in the writer's thread. Whole lines go to a descriptor opened for appending, by one write at a
time under a lock of the folder, so that no line is torn or lost when a file is closed and a new one takes its name, and
what a full disk cut off can be taken back. A process that was stopped while it held the lock holds up nobody for
longer than LOCK_SECONDS: appending is whole without it.
"""

import contextlib
import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path

from gatepost.errors import ConfigurationError
from gatepost.logging.archive import DAY_SECONDS, closed_name, seconds_since_tended, tend
from gatepost.logging.lines import ERROR, SECURITY

LOCK_SECONDS = 0.2
FILE_SHARE = 16
"""A file is closed when it has a sixteenth of what all may have together."""
FREE_SHARE_MIN = 0.05
"""Below this share of free space on the disk only errors and security lines are written."""

HOUR_SECONDS = 3600.0
MONITOR_SECONDS = 120.0
"""Closed files that the monitor has not looked after for so long are looked after by who closes another one."""

_MODE = 0o640


class LogFiles:
    """The three files of a folder as the end of lines. All of them get together at most `bytes_max`, about. Closed
    ones are looked after here, or by a monitor (`has_monitor`), as long as that does it."""

    def __init__(self, folder: Path, bytes_max: int, *, has_monitor: bool = False) -> None:
        self._has_monitor = has_monitor
        self._folder = folder
        self._bytes_max = bytes_max
        self._lock = FolderLock(folder / ".lock")
        size_max = max(bytes_max // FILE_SHARE, 1)
        self._combined, self._error, self._security = (
            LogFile(folder, log, size_max) for log in ("combined", "error", "security")
        )
        self._is_short_until = 0.0  # the disk is not asked again before, monotonic
        self._is_short = False
        self._tended_at = 0.0
        self._is_due = False
        self._tending: threading.Thread | None = None

    def check(self) -> None:
        """Make the folder and the files. Raises ConfigurationError where that cannot be."""
        try:
            self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            for file in (self._combined, self._error, self._security):
                file.open()
        except OSError as error:
            said = f"{self._folder} cannot be written: {error.strerror}."
            hint = "Name a folder that this user may write to."
            raise ConfigurationError(said, location="GATEPOST_LOG_FOLDER", hint=hint) from None

    def put(self, lines: Sequence[tuple[int, bytes]]) -> int:
        """Write each line to the files that take its kind; how many are lost in one of them."""
        kept = [line for line in lines if line[0]] if self._has_little_room() else lines
        lost = len(lines) - len(kept)
        with self._lock.held() as is_held:
            for file, wanted in ((self._combined, 0), (self._error, ERROR), (self._security, SECURITY)):
                data = b"".join([line for kind, line in kept if kind & wanted == wanted])
                if data:
                    lost += file.append(data, is_alone=is_held)
        self._tend()
        return lost

    def _has_little_room(self) -> bool:
        now = time.monotonic()
        if now >= self._is_short_until:
            self._is_short_until = now + 1
            try:
                found = os.statvfs(self._folder)
            except OSError:
                return False
            self._is_short = found.f_bavail < found.f_blocks * FREE_SHARE_MIN
        return self._is_short

    def _tend(self) -> None:
        """Look after closed files where one was closed, and once an hour."""
        now = time.monotonic()
        closed = [file.take_closed() for file in (self._combined, self._error, self._security)]
        self._is_due = self._is_due or any(closed) or now - self._tended_at > HOUR_SECONDS
        if self._is_due and (self._tending is None or not self._tending.is_alive()):
            self._tended_at = now
            self._tending = threading.Thread(target=self._archive, name="gatepost-log-archive", daemon=True)
            self._tending.start()

    def _archive(self) -> None:
        while self._is_due:  # one that is closed meanwhile is looked after as well
            self._is_due = False
            if self._has_monitor and seconds_since_tended(self._folder) < MONITOR_SECONDS:
                return
            # Full or read-only, the disk says the same of every line: it is counted there.
            with contextlib.suppress(OSError):
                tend(self._folder, self._bytes_max)


class LogFile:
    """One file that is appended to, and closed at `size_max` bytes or when the day (UTC) is over."""

    def __init__(self, folder: Path, log: str, size_max: int) -> None:
        self._path = folder / f"{log}.log"
        self._log = log
        self._size_max = size_max
        self._descriptor = -1
        self._has_closed_one = False

    def open(self) -> None:
        """Open the file that has the name now. Raises OSError."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        # Without waiting for a reader, where somebody has put a pipe there.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._descriptor = os.open(self._path, flags, _MODE)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(self._path))

    def take_closed(self) -> bool:
        """Whether a file was closed since this was last asked."""
        closed, self._has_closed_one = self._has_closed_one, False
        return closed

    def append(self, data: bytes, *, is_alone: bool) -> int:
        """Write whole lines; how many of them are lost. Only who is alone closes a file or takes back half a line."""
        try:
            self._open_current(may_close=is_alone)
            written = os.write(self._descriptor, data)
            if written < len(data):
                written = self._go_on(data, written, is_alone=is_alone)
        except OSError:
            return data.count(b"\n")
        return data[written:].count(b"\n")

    def _open_current(self, *, may_close: bool) -> None:
        try:
            named = os.stat(self._path)
        except FileNotFoundError:
            self.open()
            return
        own = os.fstat(self._descriptor) if self._descriptor >= 0 else None
        if own is None or (own.st_ino, own.st_dev) != (named.st_ino, named.st_dev):
            self.open()
        now = time.time()
        is_full = named.st_size >= self._size_max
        is_of_yesterday = named.st_size > 0 and named.st_mtime // DAY_SECONDS < now // DAY_SECONDS
        if may_close and (is_full or is_of_yesterday):
            self._path.rename(self._path.with_name(closed_name(self._log, now)))
            self._has_closed_one = True
            self.open()

    def _go_on(self, data: bytes, written: int, *, is_alone: bool) -> int:
        """The disk is nearly full: what was written of the last line is taken back where nobody can stand behind it."""
        with contextlib.suppress(OSError):
            while written < len(data):
                written += os.write(self._descriptor, memoryview(data)[written:])
        whole = data.rfind(b"\n", 0, written) + 1
        if whole < written and is_alone:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - (written - whole))
        return whole


class FolderLock:
    """A lock over processes. Made when it is first needed, and never removed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    @contextlib.contextmanager
    def held(self) -> Generator[bool]:
        """True where it was acquired, False where it was not free within LOCK_SECONDS."""
        is_held = self._acquire()
        try:
            yield is_held
        finally:
            if is_held:
                fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _acquire(self) -> bool:
        deadline = time.monotonic() + LOCK_SECONDS
        try:
            if self._descriptor < 0:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
            while True:
                try:
                    fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        return False
                    time.sleep(0.001)
                else:
                    return True
        except OSError:
            return False
