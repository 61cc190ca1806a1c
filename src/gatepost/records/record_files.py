"""`RecordFiles`: the files in which an instance keeps its records, or memory where it has no folder for them.

Off the request path. The master opens them before it starts the monitor, so that also the memory outlives a monitor.
Each has a fixed size, so that records never fill a disk; what is not written yet takes no room.
"""

import fcntl
import os
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from gatepost.records.snapshots import Snapshot
from gatepost.shared_files import shared_file

MIB = 1024 * 1024
SIZES: Mapping[str, int] = {
    "application": 4 * MIB,
    "changes": 2 * MIB,
    "alerts": 4 * MIB,
    "deployment": 8192,
    "errors": 16 * MIB,
    "statements": 4 * MIB,
    "incident": 16 * 1024,
    "statement_texts": 4 * MIB,
    "history": 23 * MIB,
    "history_longer": 5 * MIB,
    "history_look": 4 * MIB,
}
"""The files and their bytes."""

OF_ONE_START = frozenset({"history_look"})
"""Those that mean nothing to the next server: always in memory."""

WAIT_SECONDS = 1.0

_MODE = 0o640


class RecordFiles:
    """Opens the files below `folder`, which belongs to one server at a time; in memory where it is None.

    Raises OSError where the folder cannot be had: BlockingIOError where another server has it.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._lock: int | None = None
        self.unreadable: dict[str, str] = {}
        """By the names of files, why what they hold could not be read."""
        if folder is not None:
            folder.mkdir(mode=0o750, parents=True, exist_ok=True)
            # Held as long as the master or the monitor has the descriptor, which no program that they start gets.
            self._lock = _opened(folder / ".lock")
            _lock(self._lock)
        self._descriptors = {name: self._open(name, size) for name, size in SIZES.items()}

    def close(self) -> None:
        """Leave them to the other processes of the server, in one that has them only because it was forked."""
        for descriptor in (*self._descriptors.values(), *([] if self._lock is None else [self._lock])):
            os.close(descriptor)
        self._descriptors.clear()
        self._lock = None

    def descriptor(self, name: str) -> int:
        """The file of this name, of SIZES[name] bytes."""
        return self._descriptors[name]

    def snapshot(self, name: str) -> Snapshot:
        """The file of this name, as one that keeps one value."""
        return Snapshot(self._descriptors[name], SIZES[name], partial(self.note_unreadable, name))

    def note_unreadable(self, name: str, reason: str) -> None:
        """Something in the file of this name cannot be read."""
        self.unreadable[name] = reason

    def _open(self, name: str, size: int) -> int:
        if self.folder is None or name in OF_ONE_START:
            return shared_file(f"gatepost-{name}", size)
        descriptor = _opened(self.folder / name)
        found = os.fstat(descriptor).st_size
        if found not in {0, size}:
            self.note_unreadable(name, f"it has {found} bytes in place of {size}")
        os.ftruncate(descriptor, size)
        return descriptor


def _lock(descriptor: int) -> None:
    """Wait a moment for the monitor of a server that was killed, which is about to end."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
