"""Whether PostgreSQL has been silent for too long, decided by one timer that heartbeats need not touch.

Fed by the listener, asked by readiness, which therefore never waits for the database. A process that stood still has
heard nothing either: it gives the replies that may have arrived meanwhile a moment to be read before it judges.
"""

import asyncio
import functools
import time
from collections.abc import Callable

HEARTBEAT_TIMEOUT_SECONDS = 2.0
"""A peer that has sent nothing for so long is taken to be gone."""

STALL_SECONDS = 0.1
"""If a timer fires this late, this process was suspended: that says nothing about the peer."""

clock: Callable[[], float] = (
    # Unlike CLOCK_MONOTONIC it keeps counting while a laptop or a virtual machine is suspended.
    functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
)
"""The clock of everything that the listener says, in seconds."""


class HeartbeatMonitor:
    """`record` whenever the peer has replied; `on_silence` is called once each time that it has been silent for
    `seconds`. Silent until it is first heard."""

    __slots__ = ("_heard_at", "_on_silence", "_seconds", "_timer", "is_silent")

    def __init__(self, on_silence: Callable[[], None], seconds: float = HEARTBEAT_TIMEOUT_SECONDS) -> None:
        self._on_silence = on_silence
        self._seconds = seconds
        self._heard_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.is_silent = True

    def record(self) -> None:
        """The peer has replied just now."""
        self._heard_at = clock()
        if self.is_silent:
            self.is_silent = False
            if self._timer is None:
                self._wait(self._seconds)

    def stop(self) -> None:
        """Stop; `is_silent` keeps its last value."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait(self, seconds: float) -> None:
        self._timer = asyncio.get_running_loop().call_later(seconds, self._judge, clock() + seconds)

    def _judge(self, due: float) -> None:
        self._timer = None
        now = clock()
        left = self._heard_at + self._seconds - now
        if now - due > STALL_SECONDS:
            self._wait(max(left, STALL_SECONDS))
        elif left > 0:
            self._wait(left)
        else:
            self.is_silent = True
            self._on_silence()
