"""`Monitor`: what tells operators how an instance is, in a process of its own."""

import contextlib
import os
import socket
import threading
from pathlib import Path

from gatepost.events import Events
from gatepost.logging.levels import LevelTable
from gatepost.metrics.memory import MetricsMemory
from gatepost.monitor.admin import AdminServer
from gatepost.monitor.pages import Pages

FOLD_SECONDS = 5.0


class Monitor:
    """The admin listener on these sockets; with a `token`, those that are ports want it."""

    def __init__(
        self, memory: MetricsMemory, levels: LevelTable, listeners: "list[socket.socket]", token: str | None
    ) -> None:
        self._memory = memory
        self._levels = levels
        self._listeners = listeners
        self._token = token
        self._over = threading.Event()

    def start(self, events: Events) -> None:
        """Serve in threads. `events` get what operators do."""
        pages = Pages(self._memory, self._levels, events)
        for listener in self._listeners:
            token = None if listener.family == socket.AF_UNIX else self._token
            AdminServer(listener, pages.find, token).start()

    def run(self, events: Events) -> None:
        """Serve, and keep the counts of those who have ended, until the process is told to stop."""
        self.start(events)
        while not self._over.wait(FOLD_SECONDS):
            with self._memory.regions():
                pass  # processes that have ended are added to the departed

    def stop(self) -> None:
        """End `run`."""
        self._over.set()


def remove_sockets(listeners: "list[socket.socket]") -> None:
    """When a server has ended: nobody is to find its sockets."""
    for listener in listeners:
        if listener.family == socket.AF_UNIX:
            with contextlib.suppress(OSError):
                Path(os.fsdecode(listener.getsockname())).unlink()
        listener.close()
