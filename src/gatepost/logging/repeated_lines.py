"""Security lines that anybody can cause in any number: the first of equal ones is written, the others are counted.

Off the request path. Equal lines are of equal events; how many there were is written every PERIOD_SECONDS,
for as long as they come. An attacker with many addresses cannot fill the memory: beyond KEYS_MAX different lines at a
time each is written.
"""

import threading
import time
from collections.abc import Callable, Hashable

import msgspec

PERIOD_SECONDS = 10.0
KEYS_MAX = 10_000

WriteCount = Callable[[msgspec.Struct, int], None]


class RepeatedLines:
    """The lines of the last seconds. `sweep` is called from time to time, and writes what has been counted. Without
    anybody who calls it nothing is counted (`is_counting`)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[Hashable, ...], _Seen] = {}
        self._lock = threading.Lock()
        self._next_sweep = 0.0
        self.is_counting = False

    def is_first(self, event: msgspec.Struct, write_count: WriteCount) -> bool:
        """Whether to write a line of this event. Otherwise it is counted, and `write_count(event, count)` will write
        how many."""
        if not self.is_counting:
            return True
        key = (type(event), *msgspec.structs.astuple(event))
        seen = self._seen.get(key)
        if seen is not None:
            seen.count += 1
            return False
        if len(self._seen) < KEYS_MAX:
            self._seen[key] = _Seen(event, write_count, self._clock() + PERIOD_SECONDS)
        return True

    def sweep(self, *, is_last: bool = False) -> None:
        """Write the counts that are due, and forget what has not been repeated."""
        now = self._clock()
        if now < self._next_sweep and not is_last:
            return
        self._next_sweep = now + 1
        with self._lock:
            due = [key for key, seen in list(self._seen.items()) if is_last or now >= seen.due_at]
            for key in due:
                seen = self._seen[key]
                count, seen.count, seen.due_at = seen.count, 0, now + PERIOD_SECONDS
                if count:
                    seen.write_count(seen.event, count)
                else:
                    del self._seen[key]


class _Seen:
    __slots__ = ("count", "due_at", "event", "write_count")

    def __init__(self, event: msgspec.Struct, write_count: WriteCount, due_at: float) -> None:
        self.count = 0
        self.event = event
        self.write_count = write_count
        self.due_at = due_at
