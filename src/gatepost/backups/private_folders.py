"""Folders for the sockets of one process: as short as a socket's path has to be, closed to other users, and removed by
the next process of the same kind where their own was killed.

The process is in the folder's name, and holds a lock on it: who cannot see the process, because it is in another
container, sees the lock.
"""

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from gatepost.embedded.account import Account
from gatepost.embedded.processes import command_line

Kind = Literal["wal", "restore"]

_PARENT = Path("/tmp")  # noqa: S108 - not TMPDIR, which may be long


@contextmanager
def private_folder(kind: Kind, account: Account) -> Generator[Path]:
    """A new folder that only the account may enter, as long as the block lasts; forked children leave it alone."""
    _remove_abandoned(kind, {os.geteuid(), account.uid})
    folder = Path(tempfile.mkdtemp(prefix=f"{_prefix(kind)}{os.getpid()}-", dir=_PARENT))
    maker = os.getpid()
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if account.changes:
            os.chown(folder, account.uid, account.gid)
        yield folder
    finally:
        os.close(lock)
        if os.getpid() == maker:
            shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned(kind: Kind, owners: set[int]) -> None:
    for folder in _PARENT.glob(f"{_prefix(kind)}*"):
        match = re.fullmatch(rf"{_prefix(kind)}(\d+)-\w+", folder.name)
        with suppress(OSError):  # it is gone meanwhile
            found = folder.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid in owners
            if match and is_ours and not command_line(int(match[1])) and not _is_locked(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _prefix(kind: Kind) -> str:
    return f"gatepost-{kind}-"
