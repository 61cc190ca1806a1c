"""Eight processes that take from the same buckets, and the check of what they were admitted."""

import math
import os
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from taker_process import LIMIT, SECOND

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketTable

PROCESSES = 8
HERE = Path(__file__).parent


@contextmanager
def taker_processes(
    store: str | BucketTable, *arguments: str, processes: int = PROCESSES
) -> Iterator[list["subprocess.Popen[str]"]]:
    """So many processes, ready to take."""
    passed: tuple[int, ...] = ()
    if isinstance(store, BucketTable):
        assert store.descriptor is not None
        passed = (store.descriptor,)
    name = str(passed[0]) if passed else str(store)
    prefix = uuid.uuid4().hex
    environ = {**os.environ, "PYTHONPATH": str(HERE)}
    started = [
        subprocess.Popen(
            [sys.executable, HERE / "taker_process.py", name, prefix, *arguments],
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


def admissions(store: str | BucketTable, seconds: float) -> dict[str, list[tuple[int, int]]]:
    """When the processes were admitted for each key in so many seconds: asked and answered."""
    found: dict[str, list[tuple[int, int]]] = {}
    with taker_processes(store, str(seconds)) as processes:
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


def check_bound(admitted: Iterable[tuple[int, int]], limit: RateLimit = LIMIT) -> None:
    """No stretch of time admits more than capacity and refill. It begins when the first of its requests was asked and
    ends when the last was answered; admitted they were somewhere in between.

    Exact, in whole numbers, for all stretches: their beginnings are gone through from the last to the first, and a tree
    over the ends keeps of all stretches that begin there the one that admits most for its length.
    """
    per = round(limit.per * SECOND)
    ordered = sorted(admitted, key=lambda times: times[1])
    leaves = 1 << len(ordered).bit_length()
    counts, worst = [0] * (2 * leaves), [-math.inf] * (2 * leaves)
    for place in sorted(range(len(ordered)), key=lambda place: ordered[place][0], reverse=True):
        before, after = ordered[place]
        node = leaves + place
        counts[node], worst[node] = 1, per - limit.count * after
        while node > 1:
            node //= 2
            left, right = 2 * node, 2 * node + 1
            counts[node] = counts[left] + counts[right]
            worst[node] = max(worst[left], counts[left] * per + worst[right])
        excess = worst[1] + limit.count * before - limit.capacity * per
        assert excess <= 0, f"{excess / per:.6f} tokens too many from {before} on"


def share(admitted: Sequence[tuple[int, int]], limit: RateLimit = LIMIT) -> float:
    """How much of what could have been admitted was, from the first request to the last."""
    seconds = (max(after for _, after in admitted) - min(before for before, _ in admitted)) / SECOND
    return len(admitted) / (limit.capacity + limit.count * seconds / limit.per)
