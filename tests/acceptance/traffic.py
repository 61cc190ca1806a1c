"""Clients of a running server, and an exact account of what happened to each of their requests.

Raw sockets, because a library that quietly tries again would hide what these tests are about. `kept` clients send one
request after the other on one connection, and open another when a response says that it closes; `fresh` ones open a
connection for each request.
"""

import asyncio
import threading
from collections import Counter
from types import TracebackType
from typing import Self

REQUEST = b"GET %b HTTP/1.1\r\nhost: test\r\n\r\n"
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Traffic:
    """Requests from `clients` kept connections and as many fresh ones, from entering to leaving the block.

    `responses` counts statuses, `refused` and `cut` the requests without one, each by the kind of client. A connection
    is refused that cannot be opened; a request is cut that was sent, or was about to be, on one that was opened.
    """

    def __init__(self, port: int, path: str = "/livez", *, clients: int = 4, pause_seconds: float = 0.0) -> None:
        self._port = port
        self._request = REQUEST % path.encode()
        self._clients = clients
        self._pause_seconds = pause_seconds
        self._is_over = False
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="traffic")
        self.responses: dict[str, Counter[int]] = {"kept": Counter(), "fresh": Counter()}
        self.refused: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.closed = 0
        """Responses on a kept connection that said that it closes."""

    @property
    def count(self) -> int:
        """Requests that got a response."""
        return sum(responses.total() for responses in self.responses.values())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every client finish its request, and send no more. Idempotent."""
        self._is_over = True
        self._thread.join()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as clients:
            for _ in range(self._clients):
                clients.create_task(self._client("kept"))
                clients.create_task(self._client("fresh"))

    async def _client(self, kind: str) -> None:
        connection: Connection | None = None
        while not self._is_over:
            connection = connection or await self._open(kind)
            if connection is not None and (not await self._is_kept(kind, connection) or kind == "fresh"):
                connection[1].close()
                connection = None
            await asyncio.sleep(self._pause_seconds)
        if connection is not None:
            connection[1].close()

    async def _open(self, kind: str) -> Connection | None:
        try:
            return await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            self.refused[kind] += 1
            await asyncio.sleep(0.01)
            return None

    async def _is_kept(self, kind: str, connection: Connection) -> bool:
        """Ask once; whether the connection can be used again."""
        reader, writer = connection
        try:
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.cut[kind] += 1
            return False
        self.responses[kind][int(head[9:12])] += 1
        is_closed = b"connection: close" in head
        self.closed += is_closed and kind == "kept"
        return not is_closed
