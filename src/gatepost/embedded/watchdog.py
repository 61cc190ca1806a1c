"""Restarts the embedded PostgreSQL when it ends unexpectedly: killed, out of memory, crashed.

Outside the request path: a thread in the master of `gatepost dev` and `make run`. Meanwhile the workers respond with
503, as with any database that is away, and find it again by themselves.
"""

import threading
import time
from typing import Self

from gatepost.backoff import Backoff
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.errors import ConfigurationError
from gatepost.events import (
    EmbeddedDatabaseEnded,
    EmbeddedDatabaseNotRestarted,
    EmbeddedDatabaseRestarted,
    Events,
    ending_of,
)

RESTART_SECONDS = (0.5, 5.0)
"""The pauses before restarts: the first is immediate, the longest repeats while it keeps ending."""

CALM_SECONDS = 30.0
"""After it has run for longer than this, the next end counts as the first again."""


class Watchdog:
    """Starts `server`, which runs already, again whenever it ends, while the `with` block lasts.

    The thread that starts a server has to live as long as the server (`processes.spawn`), so this one ends
    only with the server: leave the block first, then stop the server.
    """

    def __init__(self, server: EmbeddedPostgreSQL, events: Events) -> None:
        self._server = server
        self._events = events
        self._is_over = threading.Event()
        self._starting = threading.Lock()
        self._backoff = Backoff(*RESTART_SECONDS, is_first_immediate=True, jitter=0.0, calm_seconds=CALM_SECONDS)

    def __enter__(self) -> Self:
        threading.Thread(target=self._run, name="gatepost-postgresql", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        with self._starting:  # a start that has begun is finished, so that there is something to stop
            pass

    def _run(self) -> None:
        while True:
            status = self._server.wait()
            if self._is_over.is_set():
                return
            self._events.emit(EmbeddedDatabaseEnded(ended_by=ending_of(status)))
            if not self._bring_back():
                return

    def _bring_back(self) -> bool:
        """True when it runs; False once it is no longer needed."""
        began = time.monotonic()
        complaint = ""
        while not self._is_over.wait(self._backoff.next_pause()):
            try:
                with self._starting:
                    if self._is_over.is_set():
                        return False
                    self._server.start()
            except ConfigurationError as error:
                # Said once, not at each try.
                if str(error) != complaint:
                    self._events.emit(EmbeddedDatabaseNotRestarted(reason=str(error)))
                complaint = str(error)
            else:
                self._events.emit(EmbeddedDatabaseRestarted(seconds=time.monotonic() - began))
                return True
        return False
