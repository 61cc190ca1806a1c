"""Eight processes that take from the same buckets, and the check of what they were admitted."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

from taker import LIMIT, SECOND

from gatepost.gateway.buckets import Table

PROCESSES = 8
HERE = Path(__file__).parent


@contextmanager
def crowd(store: str | Table, *arguments: str, processes: int = PROCESSES) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes, ready to take."""
    passed: tuple[int, ...] = ()
    if isinstance(store, Table):
        assert store.descriptor is not None
        passed = (store.descriptor,)
    name = str(passed[0]) if passed else str(store)
    prefix = uuid.uuid4().hex
    environ = {**os.environ, "PYTHONPATH": str(HERE)}
    started = [
        subprocess.Popen(
            [sys.executable, HERE / "taker.py", name, prefix, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environ,
            pass_fds=passed,
        )
        for _ in range(processes)
    ]
    try:
        for process in started:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield started
    finally:
        for process in started:
            process.kill()
            process.communicate()


def admissions(store: str | Table, seconds: float) -> dict[str, list[tuple[int, int]]]:
    """When the crowd was admitted for each key in so many seconds: asked and answered."""
    found: dict[str, list[tuple[int, int]]] = {}
    with crowd(store, str(seconds)) as processes:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        for process in processes:
            output, _ = process.communicate(timeout=seconds + 60)
            assert process.returncode == 0
            for line in output.split("\n"):
                if line:
                    key, before, after = line.split()
                    found.setdefault(key, []).append((int(before), int(after)))
    return found


def check_bound(admitted: Sequence[tuple[int, int]]) -> None:
    """No stretch of time admits more than capacity and refill. It begins when the first of its requests was asked and
    ends when the last was answered; admitted they were somewhere in between."""
    rate = Fraction(LIMIT.count, round(LIMIT.per * SECOND))
    for start in sorted({before for before, _ in admitted}):
        ends = sorted(after for before, after in admitted if before >= start)
        for count, end in enumerate(ends, 1):
            assert count <= LIMIT.capacity + (end - start) * rate, (count, (end - start) / SECOND)
