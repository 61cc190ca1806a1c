"""Granian with its traps cured: `serve` runs one master and its workers until a signal ends them.

Before the request path: the sockets and HTTP/1 itself are Granian's. What is cured here, and what was seen without
it: silent connections that are never closed (`http=1`, short head timeout), idle connections that block everybody (high
backpressure), servers that share a port unnoticed (`listening.py`), orphans (`worker.py`), a second Ctrl-C that hangs.
"""

import contextlib
import logging
import math
import multiprocessing
import os
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import granian
import granian.net
from granian.constants import HTTPModes, Interfaces, Loops
from granian.http import HTTP1Settings
from granian.log import LogLevels

from gatepost.request import ASGIApp
from gatepost.server.listening import BACKLOG
from gatepost.server.worker import DRAIN_SIGNAL, REFUSED
from gatepost.settings import ServerSettings

HEADER_SECONDS = 8.0
"""How long a request's head may take, and how long a connection may idle."""

CONNECTIONS_MAX = 16_384
"""Connections per worker. Not a limit of concurrent requests: that is the gate's, and the pool's."""

# Neither is typed: what is overridden below is checked by the tests of tests/acceptance, against the running server.
_Granian: Any = granian.Granian  # pyright: ignore[reportUnknownMemberType]
_SocketHolder: Any = granian.net.SocketHolder  # type: ignore[attr-defined]  # pyright: ignore[reportPrivateImportUsage]

_QUIET_LOGGING: dict[str, Any] = {"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}}


class Server(_Granian):  # type: ignore[misc]
    """A Granian that listens on a socket of ours. See `serve`."""

    def __init__(self, listener: socket.socket, drain_seconds: float, **options: Any) -> None:
        host, port = listener.getsockname()[:2]
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            "gatepost",
            address=host,
            port=port,
            interface=Interfaces.ASGI,
            loop=Loops.uvloop if sys.platform != "win32" else Loops.auto,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=int(HEADER_SECONDS * 1000)),
            websockets=False,
            backpressure=CONNECTIONS_MAX,
            log_level=LogLevels.warning,
            log_dictconfig=dict(_QUIET_LOGGING, loggers={}),
            workers_kill_timeout=max(1, math.ceil(drain_seconds)),
            **options,
        )
        self._listener = listener
        self.refused = False
        logging.getLogger("_granian").addFilter(self._is_news)

    def signal_handler_interrupt(self, *arguments: Any, **options: Any) -> None:
        """The first signal drains, the second ends at once: Granian's own workers hang at a third one."""
        if self.interrupt_signal:
            for worker in self.wrks:
                worker.kill()
            os._exit(130)
        self._announce_drain()
        super().signal_handler_interrupt(*arguments, **options)  # pyright: ignore[reportUnknownMemberType]

    def _is_news(self, record: logging.LogRecord) -> bool:
        """A worker that refused has said why, and Ctrl-C in a terminal reaches the workers too: such an end is not
        unexpected."""
        return not (self.interrupt_signal or any(worker.inner.exitcode == REFUSED for worker in self.wrks))

    def _announce_drain(self) -> None:
        for worker in self.wrks:
            # One that has just died, or whose process is not yet there, has nothing to announce.
            with contextlib.suppress(ProcessLookupError, TypeError):
                os.kill(worker.inner.pid, DRAIN_SIGNAL)

    def _init_shared_socket(self) -> None:
        self._ssp = None
        self._shd = _SocketHolder(self._listener.fileno(), False, BACKLOG)
        self._sfd = self._listener.fileno()
        self._sso = self._listener

    def _respawn_workers(self, workers: Sequence[int], *arguments: Any, **options: Any) -> None:
        if any(self.wrks[index].inner.exitcode == REFUSED for index in workers):
            self.refused = True
            self.interrupt_signal = True
            self.main_loop_interrupt.set()
            return
        super()._respawn_workers(workers, *arguments, **options)  # pyright: ignore[reportUnknownMemberType]


def serve(listener: socket.socket, load: Callable[[], ASGIApp], settings: ServerSettings) -> None:
    """Serve with `settings.workers` processes, each of which calls `load`, until SIGTERM or SIGINT.

    A worker that dies is replaced; one that dies again within seconds ends the server with status 1, one that exits
    with REFUSED with that status.
    """
    server = Server(listener, settings.drain_seconds, workers=settings.workers, respawn_failed_workers=True)
    _run(server, load)


def serve_and_reload(
    listener: socket.socket, load: Callable[[], ASGIApp], folder: Path, on_change: Callable[[Sequence[Path]], None]
) -> None:
    """Serve with one process that is replaced whenever a Python file below `folder` changes.

    `on_change` is called with the files before. Connections made meanwhile wait for the new process.
    """
    from watchfiles import Change, PythonFilter

    changed: list[Path] = []

    class Filter(PythonFilter):
        ignore_dirs = (*PythonFilter.ignore_dirs, ".gatepost", ".ruff_cache", "build", "dist", "migrations", "tests")

        def __call__(self, change: Change, path: str) -> bool:
            wanted = super().__call__(change, path)
            if wanted:
                changed.append(Path(path))
            return wanted

    server = Server(
        listener,
        1,
        workers=1,
        reload=True,
        reload_paths=[folder],
        reload_filter=Filter,
        reload_ignore_worker_failure=True,
    )

    def announce() -> None:
        files = sorted(set(changed))
        changed.clear()
        on_change(files)

    server.on_reload(announce)
    _run(server, load)


def _run(server: Server, load: Callable[[], ASGIApp]) -> None:
    if sys.platform == "linux":
        # Python 3.14 no longer forks by itself; a fork shares what is loaded, and takes the listener along.
        multiprocessing.set_start_method("fork", force=True)
    server.serve(target_loader=load, wrap_loader=False)
    if server.refused:
        sys.exit(REFUSED)
