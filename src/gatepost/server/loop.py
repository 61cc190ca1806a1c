"""The event loop of a worker: uvloop, made to hear of the signals that come while it does not run.

Before the request path. A loop runs twice in a worker, to start the application and to serve it, and uvloop by itself
forgets a signal that comes before or between: a worker told to stop just then would stay until it is killed.
"""

import asyncio
import signal
from collections.abc import Callable
from typing import Any, TypeVarTuple

import granian
import uvloop

Ts = TypeVarTuple("Ts")

LOOP_NAME = "gatepost"
"""By which Granian knows this loop, in every process that imports this module."""


class SignalSafeLoop(uvloop.Loop):
    """A uvloop whose signal handlers are called in it whenever the signal came: now, or as soon as it runs."""

    def __init__(self) -> None:
        super().__init__()
        self._handled: set[int] = set()

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        """Call `callback(*args)` in this loop after each signal `sig`. In the main thread only."""
        signal.signal(sig, lambda _number, _frame: self.call_soon_threadsafe(callback, *args))
        signal.siginterrupt(sig, False)
        self._handled.add(sig)

    def remove_signal_handler(self, sig: int) -> bool:
        """Let the signal do what it does by itself; False where nothing was called for it."""
        if sig not in self._handled:
            return False
        self._handled.remove(sig)
        signal.signal(sig, signal.default_int_handler if sig == signal.SIGINT else signal.SIG_DFL)
        return True

    def close(self) -> None:
        """Close the loop; signals do what they do by themselves."""
        for sig in list(self._handled):
            self.remove_signal_handler(sig)
        super().close()


@granian.loops.register(LOOP_NAME)
def _make() -> SignalSafeLoop:
    loop = SignalSafeLoop()
    asyncio.set_event_loop(loop)
    return loop
