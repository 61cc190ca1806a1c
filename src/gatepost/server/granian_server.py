"""Granian with its pitfalls fixed: `serve` runs one master and its workers until a signal ends them.

Before the request path: the sockets and HTTP/1 itself are Granian's. What is fixed here was observed without it:
silent connections that are never closed (`http=1`, short header timeout), idle connections that block all clients
(high backpressure, `descriptors.py`), unread responses and servers that share a port unnoticed (`listening.py`),
orphans (`parent_watch.py`), lost signals (`loop.py`), replaced workers that cut connections off, and
replacements that do not start (`supervisor.py`), a second Ctrl-C that hangs.
"""

import logging
import math
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import granian
import granian.net
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gatepost.events import Events
from gatepost.gateway.buckets import BucketTable
from gatepost.monitor.supervision import LOOK_SECONDS, MonitorSupervisor
from gatepost.records.change_events import subscribe_changes
from gatepost.records.changes import ChangeKind, change
from gatepost.server.descriptors import connections_max
from gatepost.server.listening import BACKLOG
from gatepost.server.monitoring import Monitoring, count_process, monitor_events
from gatepost.server.parent_watch import ParentWatch
from gatepost.server.service_manager import READY, STOPPING, tell_service_manager
from gatepost.server.signals import DRAIN, ignore_until_handled
from gatepost.server.supervisor import Spawn, WorkerSupervisor
from gatepost.server.worker import EXIT_REFUSED, Worker, WorkerContext

# Neither is typed: what is overridden below is checked by the tests of tests/acceptance, against the running server.
_Granian: Any = granian.Granian  # pyright: ignore[reportUnknownMemberType]
_SocketHolder: Any = granian.net.SocketHolder  # type: ignore[attr-defined]  # pyright: ignore[reportPrivateImportUsage]

_LOGGER = logging.getLogger("_granian")


class Server(_Granian):  # type: ignore[misc]
    """A Granian that serves on a given socket. See `serve`. The monitor is a process, or threads of this one where it
    does not have its own."""

    def __init__(  # noqa: PLR0913 - what a server is made of
        self,
        listener: socket.socket,
        worker: Worker,
        events: Events,
        on_serving: Callable[[], None] = lambda: None,
        *,
        monitoring: Monitoring | None = None,
        has_own_monitor: bool = True,
        **options: Any,
    ) -> None:
        settings = worker.settings
        host, port = listener.getsockname()[:2]
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "gatepost",
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            loop=worker.loop,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=int(settings.server.header_seconds * 1000)),
            websockets=False,
            backpressure=connections_max(),
            log_level=LogLevels.warning,
            log_dictconfig={"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}},
            workers_kill_timeout=max(1, math.ceil(settings.server.drain_seconds)),
            **options,
        )
        self._listener = listener
        self._settings = settings
        self._events = events
        self._delay_seconds = settings.server.drain_delay_seconds or 0.0
        self._ends_with_terminal = not settings.is_production
        self._has_own_monitor = has_own_monitor
        self._reports = None if monitoring is None else monitoring.shared.reports
        self.supervisor = WorkerSupervisor(self, events, partial(self._note_start, on_serving))
        supervisor = self.supervisor
        parent_watch = ParentWatch()
        self._monitor = None if monitoring is None else self._supervisor_of(monitoring, parent_watch)
        shared = None if monitoring is None else monitoring.shared
        buckets = BucketTable.shared(f"gatepost-limits-{port}") if shared is None else shared.buckets
        admin_socket = None if monitoring is None else monitoring.admin_socket
        context = WorkerContext(
            parent_watch, listener, supervisor.reports, buckets, supervisor.succession, shared, admin_socket
        )
        self._load = partial(worker, context)
        # How a worker ended is said by the supervisor, or by the worker itself.
        _LOGGER.addFilter(lambda record: "Unexpected exit" not in record.getMessage())

    def _supervisor_of(self, monitoring: Monitoring, parent_watch: ParentWatch) -> MonitorSupervisor:
        subscribe_changes(self._events, monitoring.shared.reports.send)
        count_process(monitoring.shared, self._events)
        return MonitorSupervisor(
            monitoring.monitor,
            monitoring.listeners,
            make_events=partial(monitor_events, self._settings, monitoring.shared),
            own_listener=self._listener,
            watch_parent=parent_watch.watch,
            events=self._events,
        )

    def run(self) -> None:
        """Serve until a signal. Ends the process with EXIT_REFUSED if a worker's application cannot start."""
        if sys.platform == "linux":
            # Python 3.14 no longer forks by itself; a fork shares what is loaded, and takes the listener along.
            multiprocessing.set_start_method("fork", force=True)
        ignore_until_handled()
        # A process that is not forked would have none of the sockets.
        if self._monitor is not None and not (self._has_own_monitor and multiprocessing.get_start_method() == "fork"):
            self._monitor.run_here()
        self.serve(target_loader=self._load, wrap_loader=False)  # pyright: ignore[reportUnknownMemberType]

    def signal_handler_interrupt(self, *arguments: Any, **options: Any) -> None:
        """The first signal drains, the second ends at once: Granian's own workers hang at a third one."""
        if self.interrupt_signal:
            for worker in self.wrks:
                worker.kill()
            if self._monitor is not None:
                self._monitor.stop()
            os._exit(130)
        tell_service_manager(STOPPING)
        self.note("stop", f"The server stops{_by_signal(arguments)}.")
        self.supervisor.signal_workers(DRAIN)
        super().signal_handler_interrupt(*arguments, **options)  # pyright: ignore[reportUnknownMemberType]

    def signal_handler_reload(self, *arguments: Any, **options: Any) -> None:
        """In development SIGHUP means that the terminal was closed: stop, as with Ctrl-C."""
        if self._ends_with_terminal:
            self.signal_handler_interrupt()
        else:
            self.note("reload", "The workers are replaced one after the other (SIGHUP).")
            super().signal_handler_reload(*arguments, **options)  # pyright: ignore[reportUnknownMemberType]

    def _note_start(self, on_serving: Callable[[], None]) -> None:
        count = self._settings.server.workers
        self.note("start", f"The server has started with {count} worker{'' if count == 1 else 's'}.")
        tell_service_manager(READY)
        on_serving()

    def note(self, kind: ChangeKind, summary: str) -> None:
        """Tell the monitor what has changed."""
        if self._reports is not None:
            self._reports.send(change(kind, summary))

    def shutdown(self, exit_code: int = 0) -> None:
        """Called by Granian when its loop has ended. Connections are taken for a while: load balancers need it."""
        if self.interrupt_signal:
            # Ctrl-C in a terminal reaches workers as well: from now on the end of one is no failure.
            for worker in self.wrks:
                worker.interrupt_by_parent = True
            self.supervisor.wait_for_the_end(self._delay_seconds)
        elif any(worker.inner.exitcode == EXIT_REFUSED for worker in self.wrks):
            exit_code = EXIT_REFUSED
        try:
            super().shutdown(exit_code)  # pyright: ignore[reportUnknownMemberType]
        finally:
            # Last: until then it tells how the workers end.
            if self._monitor is not None:
                self._monitor.stop()

    def _stop_workers(self) -> None:
        """Ask all to end, and kill those that do not in time.

        Granian joins them while its own thread waits for the same process: the one that comes second is told that there
        is no such child, and takes it for alive.
        """
        for worker in self.wrks:
            worker.terminate()
        self.supervisor.wait_for_the_end(self.workers_kill_timeout)
        for worker in self.wrks:
            if worker.is_alive():
                _LOGGER.warning(
                    "Worker %d had not ended %d s after it was asked to, and was killed: what it still served is cut "
                    "off, and its transactions are rolled back. That is harmless where a file was saved while it "
                    "started.",
                    worker.idx + 1,
                    self.workers_kill_timeout,
                )
                worker.kill()
                worker.join()
        self.wrks.clear()
        if self.interrupt_signal:
            self.interrupt_children.clear()

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = _SocketHolder(self._listener.fileno(), False, BACKLOG)
        self._sfd = self._listener.fileno()
        self._sso = self._listener

    @property
    def _next_look_seconds(self) -> float | None:
        seconds = self.supervisor.next_look_seconds
        if self._monitor is None:
            return seconds
        return LOOK_SECONDS if seconds is None else min(seconds, LOOK_SECONDS)

    def spawner(self, spawn_target: Any, target_loader: Any) -> Spawn:
        """What makes the process of a worker."""
        return lambda index: self._spawn_worker(idx=index, target=spawn_target, callback_loader=target_loader)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        spawn = self.spawner(spawn_target, target_loader)
        self.reload_signal = False
        while not self.interrupt_signal:
            self.main_loop_interrupt.wait(self._next_look_seconds)
            self.main_loop_interrupt.clear()
            if self._monitor is not None:
                self._monitor.look()
            if not self.supervisor.replace_dead(spawn):
                return
            if self.reload_signal:
                self.reload_signal = False
                self.supervisor.replace_all(spawn)


def _by_signal(arguments: Sequence[Any]) -> str:
    """What a handler of signals was called with, in words."""
    return f" ({signal.Signals(arguments[0]).name})" if arguments else ""


def serve(
    listener: socket.socket,
    worker: Worker,
    events: Events,
    on_serving: Callable[[], None],
    monitoring: Monitoring | None = None,
) -> None:
    """Serve with `settings.workers` processes until SIGTERM or SIGINT; SIGHUP replaces them one by one.

    `on_serving` is called when the first of them serves. `events` gets what happens to the processes. A worker that
    dies is replaced. One that dies before any has served ends the server with status 1, and one that ends with
    EXIT_REFUSED with that status.
    """
    server = Server(listener, worker, events, on_serving, monitoring=monitoring, workers=worker.settings.server.workers)
    server.run()
