"""How long to wait before something that failed is tried again, and when not to try at all.

A foundation, for whatever restarts or reconnects by itself. Nothing here waits: the caller does, in its own way.
"""

import random
import time
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from math import inf

Clock = Callable[[], float]


@dataclass(eq=False)
class Backoff:
    """The pauses of a series of failures, in seconds: each twice as long as the one before, from `first` to `longest`.

    `jitter` is the part of a pause that chance may take away, so that processes that failed together do not come back
    together. With `is_first_immediate` the first pause is 0. A series ends by `reset`, or where nothing has failed for
    `calm_seconds` since its last pause was over. `uniform` draws a number between two; tests choose it.
    """

    first: float
    longest: float
    _: KW_ONLY
    jitter: float = 0.5
    is_first_immediate: bool = False
    calm_seconds: float = inf
    clock: Clock = time.monotonic
    uniform: Callable[[float, float], float] = random.uniform

    def __post_init__(self) -> None:
        self._pause_ends_at = -inf
        self.reset()

    def reset(self) -> None:
        """What failed has succeeded: the next failure is a first one."""
        self._next = 0.0 if self.is_first_immediate else self.first

    def next_pause(self) -> float:
        """It has failed: the seconds until it may be tried again."""
        now = self.clock()
        if now - self._pause_ends_at > self.calm_seconds:
            self.reset()
        pause = self._next * self.uniform(1.0 - self.jitter, 1.0)
        self._next = min(self._next * 2 or self.first, self.longest)
        self._pause_ends_at = now + pause
        return pause


class CircuitBreaker:
    """Closed while a service can be reached. While it is open callers fail at once, and one of them, or a task, tries
    again after each `pause`; the first success closes it."""

    def __init__(self, backoff: Backoff, clock: Clock = time.monotonic) -> None:
        self._backoff = backoff
        self._clock = clock
        self._opened_at = 0.0
        self._retry_at = -inf
        self.is_open = False

    @property
    def pause(self) -> float:
        """The seconds until the next try; 0 where one is due, or the circuit is closed."""
        return max(0.0, self._retry_at - self._clock())

    def record_failure(self, since: float | None = None) -> bool:
        """A call or a try has failed, and does so since then on the clock. True where that opens the circuit."""
        now = self._clock()
        is_news = not self.is_open
        if is_news:
            self.is_open = True
            self._opened_at = now if since is None else since
            self._backoff.reset()
        self._retry_at = now + self._backoff.next_pause()
        return is_news

    def record_success(self) -> float | None:
        """A try has succeeded: the circuit is closed. Returns for how many seconds it was open, None where it was
        not."""
        if not self.is_open:
            return None
        self.is_open = False
        self._retry_at = -inf
        return self._clock() - self._opened_at
