"""What became of a load over time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Event = tuple[float, Callable[[], None]]
"""So many seconds after the start of a load, do this to the server."""


@dataclass
class Course:
    """Responses by the second of their arrival, since the start: `served` (2xx) with its latencies in seconds, and
    `refused` (503); any other status is `failed`. A response after its client has given up does not count. `pending`
    requests had none at the end, and of those of an open loop `cut` had none because their connection ended."""

    served: list[float] = field(default_factory=list[float])
    latencies: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])
    failed: int = 0
    given_up: int = 0
    cut: int = 0
    not_sent: int = 0
    pending: int = 0
    lag_seconds: float = 0.0
    """By how much the last request left later than it was due: more than a little, and less was asked for than told."""
    began: float = field(default_factory=time.perf_counter)

    def note(self, status: int, sent: float, now: float) -> None:
        """A response has arrived."""
        if status < 300:
            self.served.append(now - self.began)
            self.latencies.append(now - sent)
        elif status == 503:
            self.refused.append(now - self.began)
        else:
            self.failed += 1

    def served_per_second(self, since: float, until: float) -> float:
        """2xx per second that arrived in this stretch."""
        return _per_second(self.served, since, until)

    def refused_per_second(self, since: float, until: float) -> float:
        """503 per second that arrived in this stretch."""
        return _per_second(self.refused, since, until)

    def percentile_ms(self, percent: float, since: float, until: float) -> float:
        """The latency that `percent` of what was served in this stretch stayed below."""
        responses = zip(self.served, self.latencies, strict=True)
        ordered = sorted(latency for moment, latency in responses if since <= moment < until)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000 if ordered else float("inf")


def _per_second(moments: Sequence[float], since: float, until: float) -> float:
    return sum(since <= moment < until for moment in moments) / (until - since)
