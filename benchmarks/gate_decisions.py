"""What one decision costs within a process: out of a lease, at the shared table, at a table of the process alone.

CPU of the thread, the reading of the clock included, as the limiter does it. Tables are asked for 1,000 clients by
turns, leases for one.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from fcntl import LOCK_EX, LOCK_UN, lockf

from benchmarks.gate_figures import Figure
from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.gateway.buckets import BucketTable, LocalBuckets
from gatepost.gateway.buckets.local import LocalGroup

LIMIT = RateLimit(1_000_000_000, per=minutes(15))
CLIENTS = [f"192.0.2.{number % 250}" for number in range(1000)]
TAKES = 20_000


def measure_decisions(rounds: int, progress: Callable[[str], None]) -> list[Figure]:
    """All by turns in each round; medians."""
    shared = LocalBuckets(BucketTable.shared("gatepost-benchmark"))
    private = LocalBuckets()
    specs = [("api", LIMIT)]
    descriptor = shared.table.descriptor
    assert descriptor is not None
    works: dict[str, Callable[[], None]] = {
        "out of a lease": _taking(shared, shared.group(specs), CLIENTS[:1] * len(CLIENTS)),
        "at the shared table": _taking(shared, shared.group(specs, strict=True), CLIENTS),
        "of which the lock": lambda: _locking(descriptor),
        "at a table of the process alone": _taking(private, private.group(specs, strict=True), CLIENTS),
    }
    samples: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds):
        progress(f"decisions, round {number + 1} of {rounds}")
        for name, work in works.items():
            before = time.thread_time_ns()
            work()
            samples[name].append((time.thread_time_ns() - before) / TAKES / 1000)
    part = "One decision in process: CPU"
    return [Figure(part, name, round(statistics.median(times), 3), "us") for name, times in samples.items()]


def _taking(buckets: LocalBuckets, group: LocalGroup, keys: Sequence[str]) -> Callable[[], None]:
    clock, take = buckets.clock, group.take

    def work() -> None:
        for _ in range(TAKES // len(keys)):
            for key in keys:
                take(key, clock())

    return work


def _locking(descriptor: int) -> None:
    for _ in range(TAKES):
        lockf(descriptor, LOCK_EX, 1, 512)
        lockf(descriptor, LOCK_UN, 1, 512)
