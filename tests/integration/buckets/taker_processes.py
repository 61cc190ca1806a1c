"""Eight processes that take from the same buckets, and the check of what they were admitted."""

import contextlib
import math
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from taker_process import LIMIT, SECOND

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketTable

PROCESSES = 8
HERE = Path(__file__).parent


@contextmanager
def taker_processes(
    store: str | BucketTable, seconds: str = "", *, processes: int = PROCESSES
) -> Iterator[list[TextIO]]:
    """So many processes, ready to take: their input and output."""
    passed = [] if isinstance(store, str) else [store.descriptor]
    pairs = [socket.socketpair() for _ in range(processes)]
    theirs = [other.fileno() for _, other in pairs]
    environ = {**os.environ, "PYTHONPATH": str(HERE)}
    program = [sys.executable, HERE / "taker_process.py", str((passed or [store])[0]), uuid.uuid4().hex, seconds]
    with contextlib.ExitStack() as stack:
        started = subprocess.Popen(
            [*program, *map(str, theirs)], stdin=subprocess.DEVNULL, env=environ, pass_fds=[*passed, *theirs]
        )
        stack.callback(started.wait, 60)
        takers: list[TextIO] = []
        for ours, other in pairs:
            other.close()
            ours.settimeout(60 + float(seconds or 0))
            takers.append(stack.enter_context(ours.makefile("rw")))
            ours.close()  # the file keeps it open; at its end the process ends as well
        for taker in takers:
            assert taker.readline() == "ready\n"
        yield takers
    assert started.returncode == 0


def admissions(store: str | BucketTable, seconds: float) -> dict[str, list[tuple[int, int]]]:
    """When the processes were admitted for each key in so many seconds: the moments of asking and of the reply."""
    found: dict[str, list[tuple[int, int]]] = {}
    with taker_processes(store, str(seconds)) as takers:
        for taker in takers:
            taker.write("go\n")
            taker.flush()
        for taker in takers:
            for line in taker:
                if line != "\n":
                    key, before, after = line.split()
                    found.setdefault(key, []).append((int(before), int(after)))
    return found


def check_bound(admitted: Iterable[tuple[int, int]], limit: RateLimit = LIMIT) -> None:
    """No stretch of time admits more than capacity and refill. It begins when the first of its requests was asked and
    ends when the last had its reply; they were admitted somewhere in between.

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
