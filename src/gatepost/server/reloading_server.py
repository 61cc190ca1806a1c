"""The server of `gatepost dev`: one worker, replaced whenever a Python file changes, and at once where it dies.

Before the request path. Connections made meanwhile wait for the new process: the master holds the socket.
"""

import os
import socket
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from watchfiles import PythonFilter, watch

from gatepost.events import Events
from gatepost.server.granian_server import Server
from gatepost.server.monitoring import Monitoring
from gatepost.server.worker import Worker

LOOK_MILLISECONDS = 100
"""How often it is seen whether the worker lives, while no file changes."""

NAMES_MAX = 3


class WatchedFiles(PythonFilter):
    """Python files, without those that the application is not loaded from."""

    ignore_dirs = (*PythonFilter.ignore_dirs, ".gatepost", ".ruff_cache", "build", "dist", "migrations", "tests")


class ReloadingServer(Server):
    """Serves with one worker until SIGTERM or SIGINT, and replaces it when a file below `folder` changes; `on_change`
    gets the names before. One that dies is started again: at once, one that keeps dying ever later."""

    def __init__(  # noqa: PLR0913, PLR0917 - as those of a server, and two more
        self,
        listener: socket.socket,
        worker: Worker,
        events: Events,
        folder: Path,
        on_change: Callable[[str], None],
        monitoring: Monitoring | None = None,
    ) -> None:
        super().__init__(listener, worker, events, monitoring=monitoring, has_own_monitor=False, workers=1)
        self._folder = folder
        self._on_change = on_change

    def is_set(self) -> bool:
        """Whether to end: `watch` takes the server as the event that stops it."""
        return bool(self.interrupt_signal)

    def _serve_loop(self, spawn_target: Any, target_loader: Any) -> None:
        spawn = self.spawner(spawn_target, target_loader)
        # Unfiltered: a log file that is written all the time would keep it from ever looking at the worker.
        seen = watch(
            self._folder,
            watch_filter=None,
            stop_event=self,
            rust_timeout=LOOK_MILLISECONDS,
            yield_on_timeout=True,
        )
        is_watched = WatchedFiles()
        for changes in seen:
            files = {path for change, path in changes if is_watched(change, path)}
            if files:
                self._announce(files)
                self._stop_workers()
                self.supervisor.forget_dead()
                self._spawn_workers(spawn_target, target_loader)
            if not self.interrupt_signal:
                self.supervisor.replace_dead(spawn, even_before_any_served=True)

    def _announce(self, files: Iterable[str]) -> None:
        paths = [os.path.relpath(path) for path in sorted(files)]
        names = ", ".join(paths[:NAMES_MAX]) + (", ..." if len(paths) > NAMES_MAX else "")
        self.note("reload", f"The application is loaded again: {names} changed.")
        self._on_change(names)
