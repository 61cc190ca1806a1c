"""Switches the threads of a worker to SCHED_BATCH while the process is busy, so that they do not preempt each other.

Beside the request path, twice a second. The kernel lets a thread that wakes up interrupt the one that runs. In a busy
worker that does not help: what one thread has read or written has to wait for the interpreter, which the interrupted
one holds. It costs two switches and warm caches, at every packet that comes in and at every body that is read. Threads
with the policy SCHED_BATCH preempt no other thread, in other processes neither: a worker with time to spare goes
without it, so that its requests need not wait until some other program has computed its slice.
`docs/decisions/0013-precedence-of-threads.md` has the figures.
"""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path

BUSY_SHARE, IDLE_SHARE = 0.5, 0.3
"""Of a processor, used by this process: above the first it is busy, until it uses less than the second. Between them
lies more than what taking turns saves, or the one would lead to the other."""

SAMPLE_SECONDS = 0.5


class BatchScheduling:
    """Schedules the threads of this process as SCHED_BATCH while it is busy. Uses a timer of the loop, no thread."""

    __slots__ = ("_cpu", "_is_busy", "_now")

    def __init__(self) -> None:
        self._is_busy = False
        self._cpu = time.process_time_ns()
        self._now = time.monotonic_ns()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, as long as the loop runs.

        Does nothing if the system has no such policy or does not report it, or if the process was started with another
        policy than the default.
        """
        with contextlib.suppress(OSError):
            if sys.platform == "linux" and os.sched_getscheduler(0) == os.SCHED_OTHER:
                loop.call_later(SAMPLE_SECONDS, self._sample, loop)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        cpu, now = time.process_time_ns(), time.monotonic_ns()
        share = (cpu - self._cpu) / (now - self._now)
        self._cpu, self._now = cpu, now
        if self._is_busy != (share > (IDLE_SHARE if self._is_busy else BUSY_SHARE)):
            self._is_busy = not self._is_busy
            _set_policy(os.SCHED_BATCH if self._is_busy else os.SCHED_OTHER)
        loop.call_later(SAMPLE_SECONDS, self._sample, loop)


def _set_policy(policy: int) -> None:
    """Of every thread there is; one that is made later inherits it from its maker. One that has just ended, or a system
    that forbids it, changes nothing."""
    for thread in Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(thread.name), policy, os.sched_param(0))
