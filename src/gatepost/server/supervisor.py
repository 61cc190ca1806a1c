"""The workers of one server: who takes the place of one that has died, and, at SIGHUP, of one after the other.

Before the request path: in the master, which never loads the application. A worker that is replaced goes on with the
connections that it has while the others take all new ones; each of its responses tells the client to come back on
another connection. So no request is refused and none is cut off (`docs/decisions/0009-replacing-workers.md`).
"""

import contextlib
import multiprocessing
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gatepost.backoff import Backoff
from gatepost.events import Events, WorkerDied, WorkerNotReplaced, WorkerReplaced, ending_of
from gatepost.server.signals import HAND_OVER

START_SECONDS_MAX = 60.0
"""How long a new worker may take to load the application before the one that it is to replace stays instead."""

HAND_OVER_SECONDS = 3.0
"""How long a replaced worker waits for the next request of each of its connections, to respond that it closes."""

RESTART_SECONDS = (0.5, 10.0)
"""Before a dead worker is replaced: the first at once, one that keeps dying ever later, but for ever."""

STABLE_SECONDS = 60.0
"""After this long without a death in its place, a worker's death counts as a first one."""

POLL_SECONDS = 0.01
"""How often it is seen what has become of workers."""

Spawn = Callable[[int], Any]
"""Makes the process of the worker with this number, not yet started."""


@dataclass
class Succession:
    """Whether workers take the place of others. A new process has it as it is at its start."""

    has_begun: bool = False


class WorkerSupervisor:
    """Looks after the workers of `server`, a Granian, in whose list `wrks` they stand by number.

    Behind them in that list stand those that come or go, so that they end with the server as well. `succession` says
    so before the first worker that takes the place of another is started: what keeps a server from starting must not
    end one that serves. `on_serving` is called once, when the first worker serves.
    """

    def __init__(self, server: Any, events: Events, on_serving: Callable[[], None]) -> None:
        self._server = server
        self._events = events
        self._on_serving = on_serving
        self._incoming, self.reports = multiprocessing.Pipe(duplex=False)
        self._ready: set[int] = set()
        self._has_served = False
        self.succession = Succession()
        self._backoffs = defaultdict[int, Backoff](
            lambda: Backoff(*RESTART_SECONDS, is_first_immediate=True, jitter=0.0, calm_seconds=STABLE_SECONDS)
        )
        self._restart_at: dict[int, float] = {}

    def signal_workers(self, number: signal.Signals) -> None:
        """Send a signal to every worker."""
        for worker in self._server.wrks:
            _send_signal(worker, number)

    def wait_for_the_end(self, seconds: float) -> None:
        """Wait until no worker is left."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and any(worker.is_alive() for worker in self._server.wrks):
            time.sleep(POLL_SECONDS)

    def wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait for something that workers do, in vain where the server is told to stop meanwhile."""
        deadline = time.monotonic() + seconds
        while not (until() or self._server.interrupt_signal or time.monotonic() > deadline):
            time.sleep(POLL_SECONDS)

    def replace_dead(self, spawn: Spawn, *, even_before_any_served: bool = False) -> bool:
        """Start a worker for each that has died. False if none has ever served, where that matters: then a restart
        would not help."""
        server = self._server
        self._read_reports()
        while server.interrupt_children:
            if not (self._has_served or even_before_any_served):
                return False
            index = server.interrupt_children.pop(0)
            # Where one lives in this place, the one that had it before was meant.
            if not server.wrks[index].is_alive():
                self._restart_at[index] = self._schedule_restart(index)
        if self._restart_at:
            self.succession.has_begun = True
        for index in [index for index, moment in self._restart_at.items() if moment <= time.monotonic()]:
            del self._restart_at[index]
            server.wrks[index] = worker = spawn(index)
            worker.start()
        return True

    def forget_dead(self) -> None:
        """All workers are replaced by those of other code: none is started again for one that died before, and a death
        is a first one."""
        self._server.interrupt_children.clear()
        self._restart_at.clear()
        self._backoffs.clear()

    @property
    def next_look_seconds(self) -> float | None:
        """When to call `replace_dead` again; None where nothing waits for it."""
        if not self._has_served:
            return POLL_SECONDS
        return max(0.0, min(self._restart_at.values()) - time.monotonic()) if self._restart_at else None

    def replace_all(self, spawn: Spawn) -> None:
        """Replace every worker, one after the other. The first that does not start ends it: the old ones go on."""
        for index in range(self._server.workers):
            if self._server.interrupt_signal or not self._replace(index, spawn):
                return

    def _replace(self, index: int, spawn: Spawn) -> bool:
        self.succession.has_begun = True
        new = spawn(index)
        new.interrupt_by_parent = True  # how it ends before it is ready is looked at here
        self._server.wrks.append(new)
        new.start()
        self.wait(START_SECONDS_MAX, until=lambda: self._is_ready(new) or not new.is_alive())
        if not self._is_ready(new):
            self._report_failure(index, new)
            self._stop(new, seconds=0)
            return False
        old = self._swap(index, new)
        self._events.emit(WorkerReplaced(worker=index + 1, pid=new.inner.pid, old_pid=old.inner.pid))
        _send_signal(old, HAND_OVER)
        self.wait(HAND_OVER_SECONDS, until=lambda: not old.is_alive())
        self._stop(old, seconds=self._server.workers_kill_timeout)
        return True

    def _swap(self, index: int, new: Any) -> Any:
        """The new worker in its place, the old one behind the others."""
        wrks = self._server.wrks
        wrks.remove(new)
        old, wrks[index] = wrks[index], new
        wrks.append(old)
        self._restart_at.pop(index, None)
        old.interrupt_by_parent = True
        new.interrupt_by_parent = False
        if not new.is_alive():
            self._server.interrupt_children.append(index)
        return old

    def _stop(self, worker: Any, *, seconds: float) -> None:
        """Let it finish what it has, for `seconds`. If the server is told to stop meanwhile, that ends it as well."""
        worker.terminate()
        self.wait(seconds, until=lambda: not worker.is_alive())
        if self._server.interrupt_signal:
            return
        worker.kill()
        worker.join()
        self._server.wrks.remove(worker)
        self._ready.discard(worker.inner.pid)

    def _is_ready(self, worker: Any) -> bool:
        self._read_reports()
        return worker.inner.pid in self._ready

    def _read_reports(self) -> None:
        while self._incoming.poll():
            self._ready.add(self._incoming.recv())
            if not self._has_served:
                self._has_served = True
                self._on_serving()

    def _schedule_restart(self, index: int) -> float:
        pause = self._backoffs[index].next_pause()
        died = self._server.wrks[index].inner
        ended_by = ending_of(died.exitcode)
        self._events.emit(WorkerDied(worker=index + 1, pid=died.pid, ended_by=ended_by, replaced_in_seconds=pause))
        return time.monotonic() + pause

    def _report_failure(self, index: int, new: Any) -> None:
        if self._server.interrupt_signal:
            return
        late = f"it does not serve after {START_SECONDS_MAX:g} s"
        reason = late if new.is_alive() else f"it ended by {ending_of(new.inner.exitcode)} before it served"
        self._events.emit(WorkerNotReplaced(worker=index + 1, reason=reason))


def _send_signal(worker: Any, number: signal.Signals) -> None:
    # One that has just died, or whose process is not yet there, has nothing to be told.
    with contextlib.suppress(ProcessLookupError, TypeError):
        os.kill(worker.inner.pid, number)
