"""`IntervalSums`: what the steps of the history's ring add up to, for pages that are asked for the same range again.

The sums of intervals that are over are kept: a day has 8,640 steps, and reading all of them takes seconds. What an
interval has so far is read each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, Protocol, Self, TypeVar

from gatepost.records.history import HistoryRing
from gatepost.records.step_decoding import OpenedStep, opened


class Sums(Protocol):
    """What steps can be added to, and the sums of other steps."""

    def add_step(self, step: OpenedStep) -> None:
        """Add a step."""
        ...

    def add(self, other: Self) -> None:
        """Add the sums of other steps, which stay as they are."""
        ...


S = TypeVar("S", bound=Sums)

_MINUTE = 60


def kept_lengths(step_seconds: int) -> Sequence[int]:
    """Of the intervals that a page with steps of this length may keep: the steps, and the minutes of one that has only
    begun."""
    is_of_minutes = step_seconds > _MINUTE and step_seconds % _MINUTE == 0
    return (step_seconds, _MINUTE) if is_of_minutes else (step_seconds,)


class IntervalSums(Generic[S]):
    """Sums that begin as `make()`. Those of `kept_max` intervals are kept, the ones that were used last. For threads.

    A step belongs to the interval that its middle is in.
    """

    def __init__(self, ring: HistoryRing, make: Callable[[], S], kept_max: int) -> None:
        self._ring = ring
        self._make = make
        self._kept_max = kept_max
        self._kept: OrderedDict[tuple[int, float], S | None] = OrderedDict()
        self._lock = threading.Lock()
        self._newest = 0.0

    def between(self, since: float, until: float, lengths: Sequence[int]) -> Iterator[tuple[float, S]]:
        """The sums of what is within these times (seconds since the epoch; `until` itself is not), piece by piece in
        their order, each with its begin; none where there are no steps. They are not to be changed. `lengths` are those
        of the intervals that may be kept, in seconds: the longest first, each a multiple of the next. No piece reaches
        beyond a multiple of the longest."""
        over = min(until, self._over())
        at = since
        while at < until:
            length = next((each for each in lengths if at % each == 0 and at + each <= over), None)
            if length is not None:
                end = at + length
                sums = self._of(at, length, lengths)
            else:
                end = (at // lengths[-1] + 1) * lengths[-1]
                if end > over:  # nothing from here on can be kept
                    end = (at // lengths[0] + 1) * lengths[0]
                end = min(end, until)
                sums = self._fresh(at, end)
            if sums is not None:
                yield at, sums
            at = end

    def _over(self) -> float:
        """The moment before which no more steps can come: the newest that is there began then. Where the clock was set
        back, what is kept may be wrong, and is forgotten."""
        newest = self._ring.read(self._ring.last)
        since = 0.0 if newest is None else newest.since
        with self._lock:
            if since < self._newest:
                self._kept.clear()
            self._newest = since
        return since

    def _of(self, begin: float, length: int, lengths: Sequence[int]) -> S | None:
        key = length, begin
        with self._lock:
            newest = self._newest
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
            shorter = next((each for each in lengths if each < length), length)
            starts = (begin + offset for offset in range(0, length, shorter))
            known = [(start, self._kept[shorter, start]) for start in starts if (shorter, start) in self._kept]
        sums = self._made(begin, begin + length, known, shorter)
        with self._lock:
            if newest <= self._newest:  # the clock was not set back meanwhile
                self._kept[key] = sums
                while len(self._kept) > self._kept_max:
                    self._kept.popitem(last=False)
        return sums

    def _made(self, begin: float, end: float, known: "Sequence[tuple[float, S | None]]", length: int) -> S | None:
        """Of parts of this length that are known already, and of the steps around them."""
        parts: list[S | None] = []
        unread = begin
        for at, part in known:
            parts += [self._fresh(unread, at), part]
            unread = at + length
        parts.append(self._fresh(unread, end))
        found = [part for part in parts if part is not None]
        if len(found) <= 1:
            return found[0] if found else None
        sums = self._make()
        for part in found:
            sums.add(part)
        return sums

    def _fresh(self, since: float, until: float) -> S | None:
        if since >= until:
            return None
        sums: S | None = None
        for kept in self._ring.steps(since, until):
            if since <= (kept.since + kept.until) / 2 < until:
                try:
                    step = opened(kept.data)
                except ValueError:  # of a version that comes after this one
                    continue
                sums = self._make() if sums is None else sums
                sums.add_step(step)
        return sums
