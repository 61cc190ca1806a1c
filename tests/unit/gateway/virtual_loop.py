"""An event loop in virtual time, with one processor: callbacks say what they cost, and nothing else takes time."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Any, cast

Callback = Callable[..., object]


class VirtualLoop:
    """What the admission queue uses of an event loop, with `now` in nanoseconds and the processor time `used`.

    As in a real loop, a pass runs the callbacks that were ready when it began. `input` is called after something has
    happened outside, and told whether the loop sleeps.
    """

    def __init__(self, input: Callable[[bool], None]) -> None:
        self.now = 1_000_000_000
        self.used = 0
        self._input = input
        self._ready: deque[tuple[Callback, tuple[Any, ...]]] = deque()
        self.timers: list[tuple[int, int, Callback, tuple[Any, ...]]] = []
        self._outside: list[tuple[int, int, Callback, tuple[Any, ...]]] = []
        self._numbers = count()

    def as_loop(self) -> asyncio.AbstractEventLoop:
        """Itself, for those who want a whole event loop and use three methods of it."""
        return cast(asyncio.AbstractEventLoop, self)

    def clock(self) -> int:
        """The monotonic clock."""
        return self.now

    def cpu(self) -> int:
        """The clock of the loop's thread."""
        return self.used

    def spend(self, nanoseconds: int) -> None:
        """The running callback computes for so long."""
        self.now += nanoseconds
        self.used += nanoseconds

    def call_soon(self, callback: Callback, *args: Any, context: object = None) -> None:
        self._ready.append((callback, args))

    def call_later(self, seconds: float, callback: Callback, *args: Any) -> object:
        entry = (self.now + int(seconds * 1e9), next(self._numbers), callback, args)
        heapq.heappush(self.timers, entry)
        return entry

    def create_future(self) -> "asyncio.Future[None]":
        return asyncio.Future(loop=self.as_loop())

    def get_debug(self) -> bool:
        return False

    def happen(self, at: int, callback: Callback, *args: Any) -> None:
        """Outside of the loop, at that moment, `callback(at, *args)`."""
        heapq.heappush(self._outside, (at, next(self._numbers), callback, args))

    def run_until(self, end: int) -> None:
        """Run passes until `now` is at least `end`."""
        ready, timers, outside = self._ready, self.timers, self._outside
        while self.now < end:
            while timers and timers[0][0] <= self.now:
                _, _, callback, args = heapq.heappop(timers)
                ready.append((callback, args))
            if not ready:
                self.now = max(self.now, min([end, *(heap[0][0] for heap in (timers, outside) if heap)]))
                self._look_outside()
                self._input(True)
            for _ in range(len(ready)):
                callback, args = ready.popleft()
                callback(*args)
                if outside and outside[0][0] <= self.now:
                    self._look_outside()
                    self._input(False)

    def _look_outside(self) -> None:
        """The world goes on while a callback computes; what comes in meanwhile is for the next pass."""
        outside = self._outside
        while outside and outside[0][0] <= self.now:
            at, _, callback, args = heapq.heappop(outside)
            callback(at, *args)
