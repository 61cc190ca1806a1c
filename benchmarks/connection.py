"""One HTTP connection of a load generator: at most one request in flight, and no more read of a response than its
status and its length. An asyncio protocol on a bare socket, because the load shares the machine with the server."""

import asyncio
import time
from collections.abc import Callable
from typing import cast

Responded = Callable[["Connection", int], None]
Lost = Callable[["Connection"], None]


class Connection(asyncio.Protocol):
    """Calls `responded(self, status)` when a response is whole, and `lost(self)` when the server closes the connection.
    `sent` is the moment of the request under way, 0 where there is none, and `idle_since` since when there was none."""

    transport: asyncio.Transport

    def __init__(self, responded: Responded, lost: Lost) -> None:
        self._responded = responded
        self._lost = lost
        self._buffer = b""
        self.sent = 0.0
        self.idle_since = time.perf_counter()

    @property
    def is_open(self) -> bool:
        """Whether a request can be sent."""
        return not self.transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one without saying so

    def send(self, request: bytes, sent: float) -> None:
        """Send a whole request."""
        self.sent = sent
        self.transport.write(request)

    def close(self) -> None:
        """Go away without a word, as a client that has given up."""
        self.sent = 0.0
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._buffer:
            data = self._buffer + data
        end = data.find(b"\r\n\r\n")
        at = data.find(b"content-length: ", 0, end) if end >= 0 else -1
        if at < 0 or len(data) < end + 4 + int(data[at + 16 : data.index(b"\r\n", at)]):
            self._buffer = data
            return
        self._buffer = b""
        self._responded(self, int(data[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost(self)
