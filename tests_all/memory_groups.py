"""A control group with little memory, in which the kernel kills a process as on a machine that has none left.

Only who may write to the control groups of the machine can make one: root, as a rule. Nobody else can have the kernel
kill by memory alone; what it sends is SIGKILL, which anybody may send to his own processes.
"""

import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

CGROUPS = Path("/sys/fs/cgroup")
LIMIT_BYTES = 1024 * 1024
REMOVAL_SECONDS_MAX = 10.0


class Files(NamedTuple):
    """Where groups are, and what their files are called."""

    parent: Path
    limit: str
    events: str


V2 = Files(CGROUPS, "memory.max", "memory.events")
"""https://docs.kernel.org/admin-guide/cgroup-v2.html#memory"""
V1 = Files(CGROUPS / "memory", "memory.limit_in_bytes", "memory.oom_control")


class MemoryGroup:
    """One; `kills` are the processes that the kernel has killed in it."""

    def __init__(self, folder: Path, files: Files) -> None:
        self._folder = folder
        self._files = files

    def take(self, pid: int) -> None:
        """Let a process have LIMIT_BYTES more than it has."""
        (self._folder / "cgroup.procs").write_text(str(pid))

    @property
    def kills(self) -> int:
        lines = (self._folder / self._files.events).read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])


@contextmanager
def memory_group() -> Generator[MemoryGroup | None]:
    """A new group; None where this user may make none."""
    files = V2 if (CGROUPS / "cgroup.controllers").exists() else V1
    folder = files.parent / f"gatepost-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        try:
            (folder / files.limit).write_text(str(LIMIT_BYTES))
        except OSError:  # memory is not divided among the groups of this parent
            yield None
            return
        with suppress(OSError):  # where there is no swap
            (folder / "memory.swap.max").write_text("0")
        yield MemoryGroup(folder, files)
    finally:
        _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + REMOVAL_SECONDS_MAX
    while True:
        try:
            folder.rmdir()
        except OSError:  # the killed process has not left it yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
