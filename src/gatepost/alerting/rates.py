"""`Rate`: how fast a counter rises now, and how fast it usually does."""

from collections import deque

MINUTE_SECONDS = 60.0
USUAL_MINUTES = 24 * 60


class Rate:
    """What a counter had in each of the last minutes of a day. `step_seconds` is how long a minute is."""

    def __init__(self, step_seconds: float = MINUTE_SECONDS) -> None:
        self._step_seconds = step_seconds
        self._minutes: deque[float] = deque([0.0], maxlen=USUAL_MINUTES)
        self._last: float | None = None
        self._began_at = 0.0

    def look(self, value: float, now: float) -> None:
        """Note what the counter says. One that has fallen began anew."""
        if self._last is None:
            self._last, self._began_at = value, now
        passed = min(USUAL_MINUTES, int((now - self._began_at) / self._step_seconds))
        if passed > 0:
            self._minutes.extend([0.0] * passed)
            self._began_at += passed * self._step_seconds
            if now - self._began_at > self._step_seconds:
                self._began_at = now
        self._minutes[-1] += value - self._last if value >= self._last else value
        self._last = value

    @property
    def now(self) -> float:
        """In the minute that has begun or the one before, whichever had more."""
        return max(list(self._minutes)[-2:])

    @property
    def usual(self) -> float:
        """In a minute on average, without the last two; 0 where that is not known."""
        before = list(self._minutes)[:-2]
        return sum(before) / len(before) if before else 0.0

    def within(self, minutes: int) -> float:
        """In so many of the last minutes."""
        return sum(list(self._minutes)[-minutes:])
