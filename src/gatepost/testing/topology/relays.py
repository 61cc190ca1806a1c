"""A relay between two parts of a site: what passes can be cut, as a network does, and the far end can be moved.

Relays listen on Unix sockets in folders that only their users may enter: who reaches one is a superuser of the
database behind it.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gatepost.embedded.data_folder import SOCKET_NAME
from gatepost.errors import ConfigurationError

CHUNK_BYTES = 65_536


class Named(Protocol):
    """A part of a site."""

    @property
    def name(self) -> str: ...


class Relay:
    """Forwards bytes between those that connect to `socket` and the socket that `target` names at that moment.

    While it is cut nothing passes and nobody is told: connections stay open and are silent, and new ones are taken and
    hear nothing, until `heal`. It stands between `near` and what `far` returns at that moment.
    """

    def __init__(self, near: Named, far: Callable[[], Named], socket: Path, target: Callable[[], Path]) -> None:
        self._near = near
        self._far = far
        self.socket = socket
        self.target = target
        self._flow = asyncio.Event()
        self._flow.set()
        self._streams: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[object]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, owner: int | None = None) -> None:
        """Begin to listen; the folder is made, for our user or for `owner`."""
        folder = self.socket.parent
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.socket)
        if owner is not None and os.geteuid() == 0:
            for path in (folder, self.socket):
                os.chown(path, owner, -1)

    def connects(self, a: Named, b: Named) -> bool:
        """Whether it stands between these two."""
        return (self._near, self._far()) in ((a, b), (b, a))

    def cut(self) -> None:
        """Let nothing pass."""
        self._flow.clear()

    def heal(self) -> None:
        """Let everything pass, what was held back first."""
        self._flow.set()

    def drop(self) -> None:
        """Break off the connections that are open."""
        for stream in self._streams:
            stream.transport.abort()

    async def stop(self) -> None:
        """Break off everything and listen no more."""
        if self._server is not None:
            self._server.close()
        self.drop()
        self.heal()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if (serving := asyncio.current_task()) is not None:
            self._serving.add(serving)
            serving.add_done_callback(self._serving.discard)
        self._streams.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            await self._flow.wait()
            far_reader, far = await asyncio.open_unix_connection(self.target())
            self._streams.add(far)
            await asyncio.gather(self._pump(reader, far), self._pump(far_reader, writer))
        except OSError:
            pass  # nobody is there
        finally:
            for stream in filter(None, (writer, far)):
                stream.transport.abort()
                self._streams.discard(stream)

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        """Forward one direction until its end; that is told once it may pass."""
        try:
            while data := await source.read(CHUNK_BYTES):
                await self._flow.wait()
                target.write(data)
                await target.drain()
        except ConnectionError:
            pass  # as if it had ended
        await self._flow.wait()
        target.close()


class Relays:
    """All relays of a site, each in a folder of its own below `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._relays: list[Relay] = []

    async def add(
        self, near: Named, far: Callable[[], Named], target: Callable[[], Path], *, name: str, owner: int | None = None
    ) -> Relay:
        """Begin to relay from one part to another, whose `name` may be that of a role."""
        relay = Relay(near, far, self._folder / f"{near.name}-{name}" / SOCKET_NAME, target)
        await relay.start(owner)
        self._relays.append(relay)
        return relay

    def between(self, a: Named, b: Named) -> list[Relay]:
        """Those between two parts, in whichever direction. Raises ConfigurationError where there are none."""
        found = [relay for relay in self._relays if relay.connects(a, b)]
        if not found:
            raise ConfigurationError(f"Nothing connects {a} and {b}.", location="Site.cut")
        return found

    async def stop(self) -> None:
        """Break off everything."""
        for relay in self._relays:
            await relay.stop()
