"""`Reading`: what the metrics of all processes say at one look, as far as alerts depend on it."""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatepost.alerting.objective_counts import REQUESTS, Labels
from gatepost.metrics import families
from gatepost.metrics.sums import Histogram, Sums

_GAUGES = (families.MEMORY, families.POOL_WAITING, families.POOL_IN_USE, families.DATABASE_REACHABLE)
NAMES = frozenset({REQUESTS, families.SIGN_INS.name, families.LOG_LINES_LOST.name, *(each.name for each in _GAUGES)})
"""The metrics that are read."""


class WorkerReading(NamedTuple):
    """A serving process."""

    pid: str
    resident_bytes: float
    pool_waiting: float
    pool_in_use: float
    has_database: bool


class Disk(NamedTuple):
    """Where the instance writes."""

    folder: str
    free_bytes: int
    total_bytes: int


class Reading(NamedTuple):
    """Counters are since the server started."""

    requests: Mapping[Labels, Histogram]
    workers: list[WorkerReading]
    failed_sign_ins: float
    lost_log_lines: float
    disks: list[Disk]


def reading_of(found: Sums, folders: Sequence[str]) -> Reading:
    """What these sums say."""
    numbers = found.numbers
    gauges = {
        family.name: {dict(labels).get("pid", ""): value for labels, value in numbers.get(family.name, {}).items()}
        for family in _GAUGES
    }
    memory = gauges[families.MEMORY.name]
    waiting, in_use = gauges[families.POOL_WAITING.name], gauges[families.POOL_IN_USE.name]
    reachable = gauges[families.DATABASE_REACHABLE.name]
    return Reading(
        requests=found.histograms.get(REQUESTS, {}),
        workers=[
            WorkerReading(pid, size, waiting.get(pid, 0), in_use.get(pid, 0), bool(reachable.get(pid, 1)))
            for pid, size in sorted(memory.items())
        ],
        failed_sign_ins=_total(found, families.SIGN_INS.name, ("outcome", "failed")),
        lost_log_lines=_total(found, families.LOG_LINES_LOST.name, None),
        disks=[disk for disk in map(_disk, dict.fromkeys(folders)) if disk is not None],
    )


def _total(found: Sums, name: str, label: tuple[str, str] | None) -> float:
    return sum(value for labels, value in found.numbers.get(name, {}).items() if label is None or label in labels)


def _disk(folder: str) -> Disk | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return Disk(folder, found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
