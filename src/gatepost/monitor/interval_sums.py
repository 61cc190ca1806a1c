"""`IntervalSums`: what the steps of the history's ring add up to, for pages that are asked for the same range again.

The sums of intervals that are over are kept: a day has 8,640 steps, and reading all of them takes seconds. Where there
are longer steps (`longer_steps.py`), those are read first. What an interval has so far is read each time.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Generic, Protocol, Self, TypeVar

from gatepost.monitor.longer_steps import LONGER_SECONDS, LongerSteps
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

    def __init__(
        self, ring: HistoryRing, make: Callable[[], S], kept_max: int, longer: LongerSteps | None = None
    ) -> None:
        self._ring = ring
        self._longer = longer
        self._make = make
        self._kept_max = kept_max
        self._kept: OrderedDict[tuple[float, float], S | None] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()
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

    def total(self, since: float, until: float, lengths: Sequence[int]) -> S:
        """The sums of all that is within these times, which are the caller's. What neighbouring intervals add up to is
        kept as well, so that a day that is asked for again is added up of a few."""
        over = min(until, self._over())
        found = self._make()
        for part in (*self._runs(since, over, lengths), self._fresh(max(since, over), until)):
            if part is not None:
                found.add(part)
        return found

    def _runs(self, since: float, until: float, lengths: Sequence[int]) -> Iterator[S | None]:
        """What the longest intervals within these times add up to, with what is before and behind them."""
        if not lengths:
            yield self._fresh(since, until)
            return
        length = lengths[0]
        begin, end = -(-since // length) * length, until // length * length
        if begin >= end:
            yield from self._runs(since, until, lengths[1:])
            return
        yield from self._runs(since, begin, lengths[1:])
        yield self._run(begin, end, lengths)
        yield from self._runs(end, until, lengths[1:])

    def _run(self, begin: float, end: float, lengths: Sequence[int]) -> S | None:
        """What the intervals from one moment to another add up to."""
        starts = [begin + number * lengths[0] for number in range(round((end - begin) / lengths[0]))]
        if len(starts) == 1:
            return self._of(begin, lengths[0], lengths)
        if (kept := self._find(begin, end)) is not None:
            return kept[0]
        newest = self._newest
        parts = [part for at in starts if (part := self._of(at, lengths[0], lengths)) is not None]
        sums = self._together(parts)
        self._keep(begin, end, sums, newest)
        return sums

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
        if (kept := self._find(begin, begin + length)) is not None:
            return kept[0]
        with self._making:  # who asks for the same meanwhile waits for it
            kept = self._find(begin, begin + length)
            return self._added_up(begin, length, lengths) if kept is None else kept[0]

    def _find(self, begin: float, end: float) -> "tuple[S | None] | None":
        """What is kept of a while: there may be nothing in it."""
        with self._lock:
            if (begin, end) not in self._kept:
                return None
            self._kept.move_to_end((begin, end))
            return (self._kept[begin, end],)

    def _added_up(self, begin: float, length: int, lengths: Sequence[int]) -> S | None:
        end = begin + length
        with self._lock:
            newest = self._newest
            shorter = next((each for each in lengths if each < length), length)
            parts = ((begin + offset, begin + offset + shorter) for offset in range(0, length, shorter))
            known = [(start, self._kept[start, stop]) for start, stop in parts if (start, stop) in self._kept]
        sums = self._made(begin, end, known, shorter)
        self._keep(begin, end, sums, newest)
        return sums

    def _keep(self, begin: float, end: float, sums: S | None, newest: float) -> None:
        with self._lock:
            if newest <= self._newest:  # the clock was not set back meanwhile
                self._kept[begin, end] = sums
                while len(self._kept) > self._kept_max:
                    self._kept.popitem(last=False)

    def _made(self, begin: float, end: float, known: "Sequence[tuple[float, S | None]]", length: int) -> S | None:
        """Of parts of this length that are known already, and of the steps around them."""
        parts: list[S | None] = []
        unread = begin
        for at, part in known:
            parts += [self._fresh(unread, at), part]
            unread = at + length
        parts.append(self._fresh(unread, end))
        return self._together([part for part in parts if part is not None])

    def _together(self, parts: Sequence[S]) -> S | None:
        if len(parts) <= 1:
            return parts[0] if parts else None
        sums = self._make()
        for part in parts:
            sums.add(part)
        return sums

    def _fresh(self, since: float, until: float) -> S | None:
        if since >= until:
            return None
        sums: S | None = None
        for step in self._steps(since, until):
            sums = self._make() if sums is None else sums
            sums.add_step(step)
        return sums

    def _steps(self, since: float, until: float) -> Iterator[OpenedStep]:
        """The longer ones that are there, and those of the ring around them."""
        unread, begin = since, -(-since // LONGER_SECONDS) * LONGER_SECONDS
        while self._longer is not None and begin + LONGER_SECONDS <= until:
            step = self._longer.find(begin)
            if step is not None:
                yield from self._short(unread, begin)
                yield step
                unread = begin + LONGER_SECONDS
            begin += LONGER_SECONDS
        yield from self._short(unread, until)

    def _short(self, since: float, until: float) -> Iterator[OpenedStep]:
        if since >= until:
            return
        for kept in self._ring.steps(since, until):
            if since <= (kept.since + kept.until) / 2 < until:
                with suppress(ValueError):  # of a version that comes after this one
                    yield opened(kept.data)
