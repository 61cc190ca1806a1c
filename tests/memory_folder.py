"""A folder in memory for a server of tests: what each of hundreds of databases copies there never goes to a disk."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

MEMORY = Path("/dev/shm")  # noqa: S108 - the file system that glibc itself uses for shared memory
BYTES_MIN = 4 * 1024**3  # a container has 64 MB there, unless told otherwise; four servers need less than one GB
PREFIX = "gatepost-tests-"


@contextlib.contextmanager
def memory_folder(otherwise: Path) -> Iterator[Path]:
    """A folder of this process in memory, removed afterwards; `otherwise` where there is little or none."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < BYTES_MIN:
        yield otherwise
        return
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=MEMORY))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Remove what runs that were killed have left: nothing else would before the machine starts anew."""
    for folder in MEMORY.glob(f"{PREFIX}*"):
        if not psutil.pid_exists(int(folder.name.removeprefix(PREFIX).partition("-")[0])):
            shutil.rmtree(folder, ignore_errors=True)
