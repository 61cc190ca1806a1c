"""How many requests there were to the operations of an objective, and how many were bad, minute by minute for three
days.

Counters in memory say only how many there were since the server started, so what is kept is how many each minute had.
It is saved with what the counters said last: a monitor that takes the place of another counts what came between.
"""

import zlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from gatepost.alerting.reported_objectives import JudgedObjective
from gatepost.metrics.buckets import BUCKETS, EDGES
from gatepost.metrics.families import REQUEST_SECONDS
from gatepost.metrics.sums import Histogram

STEPS = 3 * 24 * 60
"""Steps of a minute that are kept."""

CAUSED, PAGED = 1, 2
"""Marks of a minute: an alert of its own explains why requests were bad; it was told that they were."""

FAILED = "5xx"
_COUNT_MAX = 2**32 - 1

Labels = tuple[tuple[str, str], ...]


class Counts(NamedTuple):
    """Requests, and those of them that were bad."""

    total: int
    bad: int


class SavedCounts(msgspec.Struct):
    """What is kept of an objective in the file: `step` is the number of the last one, `generation` and the counters
    those of the last look."""

    step: int
    totals: bytes
    bads: bytes
    generation: float
    last: tuple[int, int]
    definition: JudgedObjective
    marks: bytes = b""


class ObjectiveCounts:
    """The minutes of one objective. `step_seconds` is how long a step lasts; times are seconds since the epoch."""

    def __init__(self, objective: JudgedObjective, step_seconds: float, saved: SavedCounts | None = None) -> None:
        self._step_seconds = step_seconds
        self._totals = array("I", bytes(4 * STEPS))
        self._bads = array("I", bytes(4 * STEPS))
        self._marks = bytearray(STEPS)
        self._step: int | None = None
        self._last: Counts | None = None
        self._generation = 0.0
        self._operations = frozenset(objective.operations)
        self.objective = objective
        if saved is not None:
            self._totals, self._bads = _unpacked(saved.totals), _unpacked(saved.bads)
            self._marks = _unpacked_marks(saved.marks)
            self._step = saved.step
            if saved.definition == objective:
                self._last, self._generation = Counts(*saved.last), saved.generation

    def look(self, requests: Mapping[Labels, Histogram], now: float, generation: float) -> None:
        """Add what has come since the last look. `generation` is when the server started that has these counters: those
        of another begin at 0."""
        found = counted(self.objective, self._operations, requests)
        before = self._last
        if before is not None and generation != self._generation:
            before = Counts(0, 0)
        self._last, self._generation = found, generation
        self._advance(now)
        if before is not None:
            self._add(max(0, found.total - before.total), max(0, found.bad - before.bad))

    def mark(self, mark: int, since: float, now: float) -> None:
        """Mark the steps from that moment on."""
        if self._step is not None:
            self._advance(now)
            for step in range(max(int(since / self._step_seconds), self._step - STEPS + 1), self._step + 1):
                self._marks[step % STEPS] |= mark

    def within(self, seconds: float, now: float, without: int = 0) -> Counts:
        """The counts of the last so many seconds, in whole steps, with the one that has begun. Requests of steps with
        one of the marks `without` are not counted as bad."""
        if self._step is None:
            return Counts(0, 0)
        self._advance(now)
        count = min(STEPS, max(1, round(seconds / self._step_seconds)))
        end = self._step % STEPS + 1
        start = end - count
        bad = _sum(self._bads, start, end)
        if bad and without and any(self._marks):
            bad -= sum(self._bads[place] for place in range(start, end) if self._marks[place] & without)
        return Counts(_sum(self._totals, start, end), bad)

    def saved(self) -> SavedCounts | None:
        """What is to be kept; None before the first look."""
        if self._step is None or self._last is None:
            return None
        return SavedCounts(
            self._step,
            _packed(self._totals),
            _packed(self._bads),
            self._generation,
            self._last,
            self.objective,
            zlib.compress(self._marks, 1),
        )

    def _add(self, total: int, bad: int) -> None:
        place = (self._step or 0) % STEPS
        self._totals[place] = min(_COUNT_MAX, self._totals[place] + total)
        self._bads[place] = min(_COUNT_MAX, self._bads[place] + bad)

    def _advance(self, now: float) -> None:
        step = int(now / self._step_seconds)
        passed = 0 if self._step is None else step - self._step
        if passed < 0:  # the clock was set back: what is known was counted up to now
            start = -passed % STEPS
            self._totals = self._totals[start:] + self._totals[:start]
            self._bads = self._bads[start:] + self._bads[:start]
            self._step = step
        for number in range(min(max(0, passed), STEPS)):
            place = (step - number) % STEPS
            self._totals[place] = self._bads[place] = self._marks[place] = 0
        if self._step is None or passed > 0:
            self._step = step


def counted(objective: JudgedObjective, operations: frozenset[str], requests: Mapping[Labels, Histogram]) -> Counts:
    """The requests of an objective in the histograms of `REQUEST_SECONDS`: those that failed or took too long are
    bad."""
    total = bad = 0
    bound = BUCKETS if objective.seconds_max is None else bisect_left(EDGES, objective.seconds_max) + 1
    for labels, histogram in requests.items():
        by_name = dict(labels)
        if by_name.get("operation") not in operations:
            continue
        count = histogram.observations
        total += count
        is_failure = by_name.get("class") == FAILED
        bad += count if is_failure else sum(number for bucket, number in histogram.counts.items() if bucket >= bound)
    return Counts(total, bad)


def _packed(counts: "array[int]") -> bytes:
    # Mostly zeros, or alike: a tenth of it is written.
    return zlib.compress(counts.tobytes(), 1)


def _unpacked(data: bytes) -> "array[int]":
    """The counts of a file; none where it has others."""
    try:
        found = zlib.decompress(data)
    except zlib.error:
        found = b""
    return array("I", found if len(found) == 4 * STEPS else bytes(4 * STEPS))


def _unpacked_marks(data: bytes) -> bytearray:
    try:
        found = zlib.decompress(data)
    except zlib.error:
        found = b""
    return bytearray(found if len(found) == STEPS else STEPS)


def _sum(counts: "array[int]", start: int, end: int) -> int:
    return sum(counts[start:end]) if start >= 0 else sum(counts[start:]) + sum(counts[:end])


REQUESTS = REQUEST_SECONDS.name
"""The histograms that are counted."""
