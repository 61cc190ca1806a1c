"""A TCP relay in front of PostgreSQL that can stop forwarding, as a network, a host or a pooler does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path


class Relay:
    """Forwards bytes between clients and PostgreSQL's Unix socket.

    `stall` stops the connections that are open, both ways and without a word, and `stall_new` those to come; `flow`
    lets everything go on. `edit` changes what PostgreSQL sends, `watch` sees what it is sent before it is forwarded.
    """

    def __init__(self, database_url: str) -> None:
        self._url, _, folder = database_url.partition("?host=")
        self._server = Path(folder) / ".s.PGSQL.5432"
        self._port = 0
        self._flows: list[asyncio.Event] = []
        self._streams: set[asyncio.StreamWriter] = set()
        self._stalls_new = False
        self.accepted = 0
        self.edit: Callable[[bytes], bytes] = bytes
        self.watch: Callable[[bytes], None] = lambda _data: None

    @property
    def url(self) -> str:
        """The DSN of the database behind the relay."""
        return self._url.replace("@/", f"@127.0.0.1:{self._port}/")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Relay"]:
        """Itself, while it forwards."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for stream in self._streams:
                stream.transport.abort()
            self.flow()

    def stall(self, *, oldest: int | None = None) -> None:
        """Forward nothing more on the connections that are open, or so many of them: to both ends it looks like
        silence."""
        for flows in self._flows[:oldest]:
            flows.clear()

    def stall_new(self) -> None:
        """Take new connections, and forward nothing on them."""
        self._stalls_new = True

    def flow(self) -> None:
        """Forward everything, also what was held back."""
        self._stalls_new = False
        for flows in self._flows:
            flows.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        flows = asyncio.Event()
        self._flows.append(flows)
        if not self._stalls_new:
            flows.set()
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._server))
        self._streams |= {writer, far_writer}
        await asyncio.gather(
            self._pump(reader, far_writer, flows, self._watched), self._pump(far_reader, writer, flows, self._edited)
        )

    def _edited(self, data: bytes) -> bytes:
        return self.edit(data)

    def _watched(self, data: bytes) -> bytes:
        self.watch(data)
        return data

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        flows: asyncio.Event,
        edit: Callable[[bytes], bytes],
    ) -> None:
        try:
            while data := await source.read(65536):
                edited = edit(data)
                await flows.wait()
                if target.is_closing():
                    return
                target.write(edited)
        except ConnectionError:
            pass  # as if it had ended
        await flows.wait()
        target.close()
