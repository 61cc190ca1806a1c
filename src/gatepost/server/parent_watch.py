"""Tells workers when their master has ended: a pipe whose writing end only the master holds.

Before the request path. When the master ends, even by kill -9, the kernel closes that end, and a read of the other end
returns: on every system, and without polling.
"""

import os
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any


class ParentWatch:
    """Made by the master, and handed to its workers by a fork or by pickling; the master keeps it as long as it lives.

    Whatever else the master starts must not inherit the writing end: programs do not, because descriptors are closed
    when one is executed.
    """

    _writer: "Connection[Any, Any] | None"

    def __init__(self) -> None:
        self._reader, self._writer = Pipe(duplex=False)

    def __getstate__(self) -> "Connection[Any, Any]":
        return self._reader

    def __setstate__(self, reader: "Connection[Any, Any]") -> None:
        self._reader = reader
        self._writer = None

    def watch(self, act: Callable[[], None]) -> None:
        """In a worker: call `act`, in a thread, when the master has ended."""
        if self._writer is not None:
            self._writer.close()  # a fork's copy, by which it would keep itself and the others waiting
        threading.Thread(target=self._wait, args=[act], name="gatepost-parent-watch", daemon=True).start()

    def _wait(self, act: Callable[[], None]) -> None:
        os.read(self._reader.fileno(), 1)  # returns at the end alone: nothing is ever written
        act()
