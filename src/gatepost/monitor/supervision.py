"""`MonitorSupervisor`: in the master, keeps a monitor running. Nothing that it does can end the master.

The sockets are the master's: a monitor that takes the place of another goes on at them, and no client is refused
meanwhile. The server's own listener is not for it, so it closes its copy.
"""

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from gatepost.backoff import Backoff
from gatepost.events import Events, MonitorDied, ending_of
from gatepost.monitor.monitor import Monitor, remove_sockets

NAME = "gatepost-mon"
"""What `ps -o comm` and `top` call the process; Linux keeps 15 characters."""

LOOK_SECONDS = 1.0
STOP_SECONDS = 2.0

HUNG_SECONDS = 60.0
"""A monitor whose event loop has not run for so long is killed: another one takes its place."""

WatchParent = Callable[[Callable[[], None]], None]


class MonitorSupervisor:
    """Starts the monitor, replaces it when it dies, and ends it. `watch_parent` calls what ends it with its master;
    `make_events` makes, in its process, the events that it emits, with their log."""

    def __init__(  # noqa: PLR0913 - made in one place
        self,
        monitor: Monitor,
        listeners: "list[socket.socket]",
        *,
        make_events: Callable[[], Events],
        own_listener: socket.socket,
        watch_parent: WatchParent,
        events: Events,
    ) -> None:
        self._monitor = monitor
        self._make_events = make_events
        self._listeners = listeners
        self._own_listener = own_listener
        self._watch_parent = watch_parent
        self._events = events
        self._process: BaseProcess | None = None
        self._backoff = Backoff(0.5, 10.0, is_first_immediate=True, jitter=0.0, calm_seconds=60.0)
        self._start_at = 0.0
        self._is_here = False
        self._is_starting = False
        os.register_at_fork(after_in_child=self._leave)

    def look(self) -> None:
        """Start it where it does not run. Called about once a second."""
        if self._is_here:
            return
        process = self._process
        if process is not None and not process.is_alive():
            self._process = None
            pause = self._backoff.next_pause()
            self._start_at = time.monotonic() + pause
            ended_by = ending_of(process.exitcode or 0)
            if self._monitor.pulse.silent_seconds > HUNG_SECONDS:
                ended_by += f": it had not responded for {HUNG_SECONDS:g} s"
            self._events.emit(MonitorDied(pid=process.pid or 0, ended_by=ended_by, replaced_in_seconds=pause))
        elif process is not None and self._monitor.pulse.silent_seconds > HUNG_SECONDS:
            process.kill()
        if self._process is None and time.monotonic() >= self._start_at:
            self._monitor.pulse.beat()
            self._process = multiprocessing.get_context().Process(target=self._run, name="gatepost-monitor")
            self._is_starting = True
            try:
                self._process.start()
            finally:
                self._is_starting = False

    def run_here(self) -> None:
        """Be the monitor, in threads of this process: where it is one's own machine, a process more is no gain."""
        self._monitor.start(self._events)
        self._is_here = True

    def stop(self) -> None:
        """End it, and remove the sockets."""
        process = self._process
        if process is not None:
            process.terminate()
            process.join(STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
        remove_sockets(self._listeners)

    def _leave(self) -> None:
        if not self._is_starting:
            self._monitor.leave()

    def _run(self) -> None:
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the master says when it ends
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # until the monitor's loop handles it
        self._own_listener.close()
        self._watch_parent(lambda: os._exit(0))
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                os.nice(5)
            with contextlib.suppress(OSError), open("/proc/self/comm", "w", encoding="ascii") as name:
                name.write(NAME)
        self._monitor.run(self._make_events())
