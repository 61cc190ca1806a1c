"""The signals between a master and its workers, and what a worker does with those that its master got.

Before the request path. SIGTERM and SIGINT stop a worker in order; they are Granian's. Ours are DRAIN and HAND_OVER,
which come before.
"""

import math
import os
import signal
from collections.abc import Callable
from types import FrameType

DRAIN = signal.SIGUSR1
"""This server is about to stop: not ready, and every response closes its connection; new ones are still taken."""

HAND_OVER = signal.SIGUSR2
"""Another worker has taken this one's place: no new connections, and every response closes its own; readiness stays."""


def on_signal(number: signal.Signals, act: Callable[[], None]) -> None:
    """Call `act` in the main thread when the signal comes."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        act()

    signal.signal(number, handle)


def ignore_until_handled() -> None:
    """In the master, before it forks: neither a worker that has not started nor a stray signal may end it."""
    for number in (DRAIN, HAND_OVER):
        signal.signal(number, signal.SIG_IGN)


def reset_inherited_signals() -> None:
    """In a worker, before it loads the application: a fork inherits the master's handlers, which are not for it.

    Until the server sets its own, SIGTERM and SIGINT simply end the process: there is nothing to finish yet.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def terminate_gracefully(seconds_max: float) -> None:
    """End this process as SIGTERM does, and at the latest after `seconds_max`, whatever a request may be doing."""
    signal.alarm(max(1, math.ceil(seconds_max)))
    os.kill(os.getpid(), signal.SIGTERM)
