"""How many requests may run at once: as many as do not make each other slow.

A simpler form of Netflix's gradient limit: what an action takes while hardly anything runs is its pace; where requests
take much longer than that, there are too many of them.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.request import Action

LIMIT_FIRST, LIMIT_MIN, LIMIT_MAX = 256, 4, 4096
LIMIT_IDLE = 32
"""No fewer while this process has time to spare: then it is somebody else who is slow."""

BUSY_SHARE = 0.5
"""Of a processor, used by the event loop: above it this process is busy. The server's threads use the rest."""

WINDOW_NS = 50_000_000
"""How often the limit is adapted."""

SETTLING = 0.02
"""How much of its pace an action learns from one request that ran alone."""

SLOW, BRISK = 2.0, 1.5
"""So many times the pace is too slow, or still well."""

BEARABLE_NS = 8_000_000
"""Below it nobody is slow: whoever queues for some cheap work does not mind."""

CPU_EACH_NS = 500_000
"""What a request costs, as long as that is not known."""


class ConcurrencyLimit:
    """`allowed` requests may run. `count` is counted up by whoever ends one,
    `is_reached` set by whoever lets one wait.
    """

    __slots__ = (
        "_cpu",
        "_cpu_each",
        "_noted",
        "_paces",
        "_read_cpu",
        "_since",
        "_taken",
        "_wanted",
        "allowed",
        "count",
        "is_reached",
    )

    def __init__(self, cpu: Callable[[], int] = time.thread_time_ns) -> None:
        """`cpu` is what this thread has used of a processor, in nanoseconds."""
        self._read_cpu = cpu
        self.allowed = LIMIT_FIRST
        self.is_reached = False
        self._paces: dict[Action | None, float] = {}
        self._wanted = 0.0
        self._taken = 0
        self._noted = 0
        self.count = 0
        self._since = 0
        self._cpu = 0
        self._cpu_each = CPU_EACH_NS

    def note(self, action: "Action | None", taken: int, running: int) -> None:
        """A request has taken so many nanoseconds; so many others are still running."""
        pace = self._paces.get(action)
        if pace is None:
            self._paces[action] = pace = float(taken)
        elif not running or taken < pace:
            self._paces[action] = pace = pace + (taken - pace) * SETTLING
        self._wanted += pace
        self._taken += taken
        self._noted += 1

    def per(self, nanoseconds: int) -> int:
        """How many requests this process can do in a time, by what they cost of it; at least one."""
        return max(1, nanoseconds // self._cpu_each)

    def adapt(self, now: int) -> None:
        """Called often; does something once in a window."""
        if now - self._since < WINDOW_NS or not self._noted:
            return
        cpu = self._read_cpu()
        if now - self._since < 4 * WINDOW_NS:
            self._cpu_each = (cpu - self._cpu) // max(1, self.count)
        mean, ratio = self._taken // self._noted, self._taken / max(self._wanted, 1.0)
        least = LIMIT_MIN if cpu - self._cpu > BUSY_SHARE * (now - self._since) else LIMIT_IDLE
        if ratio > SLOW and mean > BEARABLE_NS:
            self.allowed = max(min(least, self.allowed), int(self.allowed * max(0.7, SLOW / ratio)))
        elif self.is_reached and (ratio < BRISK or mean < BEARABLE_NS):
            self.allowed = min(LIMIT_MAX, self.allowed + max(1, self.allowed // 8))
        self.is_reached = False
        self._wanted, self._taken, self._noted, self.count = 0.0, 0, 0, 0
        self._since, self._cpu = now, cpu
