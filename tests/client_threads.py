"""Clients of a running server, each in a thread of its own."""

import threading
from types import TracebackType
from typing import Self


class ClientThreads:
    """So many clients that run from entering to leaving the block: `run` goes on until `is_over` is set."""

    def __init__(self, clients: int) -> None:
        self.is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self.run, args=[number], name=f"client-{number}") for number in range(clients)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.is_over.set()
        for thread in self._threads:
            thread.join()

    def run(self, number: int) -> None:
        """What the client of this number does."""
        raise NotImplementedError
