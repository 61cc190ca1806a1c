"""Processes that are killed within the lock of the shared table: the others go on, and nobody is admitted too much."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from taker_processes import HERE, check_bound

from gatepost.gateway.buckets import BucketTable

PROCESSES = 4
KILLS = 60
SECONDS_MAX = 20.0
LOCKS = Path("/proc/locks")


class Grabbers:
    """Processes that take from one table, each with a record of its own."""

    def __init__(self, folder: Path) -> None:
        table = BucketTable.shared("gatepost-test")
        assert table.descriptor is not None
        self._table = table
        self._folder = folder
        self.pids: list[int] = []
        self._maker = subprocess.Popen(
            [sys.executable, HERE / "killed_takers.py", str(table.descriptor), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            pass_fds=(table.descriptor,),
        )

    def start(self) -> None:
        """One more, which is at work."""
        assert self._maker.stdin is not None
        assert self._maker.stdout is not None
        record = self._folder / str(time.monotonic_ns())
        record.touch()
        self._maker.stdin.write(f"{record.name}\n")
        self._maker.stdin.flush()
        self.pids.append(int(self._maker.stdout.readline()))
        wait_until(lambda: record.stat().st_size > 0, "a new process is admitted")

    def kill_within_the_lock(self) -> None:
        """Stop the oldest wherever it is, until that is within the lock: from there it never goes on."""
        pid = self.pids.pop(0)
        wait_until(lambda: is_stopped_within_the_lock(pid), "a process is within the lock")
        os.kill(pid, signal.SIGKILL)

    def admissions(self) -> list[tuple[int, int]]:
        lines = [line for record in self._folder.iterdir() for line in record.read_text().splitlines()]
        times = [line.split() for line in lines]
        return [(int(before), int(after)) for before, after in times]

    def stop(self) -> None:
        self._maker.kill()  # and the others with it
        self._maker.communicate()


@pytest.fixture
def grabbers(tmp_path: Path) -> Iterator[Grabbers]:
    """Some of them, at work."""
    found = Grabbers(tmp_path)
    try:
        for _ in range(PROCESSES):
            found.start()
        yield found
    finally:
        found.stop()


@pytest.mark.skipif(not LOCKS.exists(), reason="the system does not show who has a lock")
def test_who_is_killed_within_the_lock_gives_it_back_and_the_bound_holds(grabbers: Grabbers) -> None:
    for _ in range(KILLS):
        grabbers.kill_within_the_lock()
        before = len(grabbers.admissions())
        wait_until(lambda: len(grabbers.admissions()) > before, "the others are admitted")  # noqa: B023
        grabbers.start()
    # Each of the killed may have taken a token that it has not recorded; that is one too few, never one too many.
    check_bound(grabbers.admissions())


def is_stopped_within_the_lock(pid: int) -> bool:
    """Stop a process; it goes on where it has no lock."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it is stopped")
    # Lines with an arrow are of those that wait for a lock.
    held = [line.split() for line in LOCKS.read_text().splitlines() if "->" not in line]
    if any(words[1] == "POSIX" and int(words[4]) == pid for words in held):
        return True
    os.kill(pid, signal.SIGCONT)
    time.sleep(random.uniform(0, 0.002))
    return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, f"not within {SECONDS_MAX:.0f} s: {what}"
        time.sleep(0.0005)
