"""A proxy between the app and PostgreSQL that knows where messages of the protocol begin, and can fail at any of them.

`record` notes the messages of the connections that serve requests; `fault` says what happens at one of them. The
listener's connection, with its heartbeats, passes through unseen.
"""

import asyncio
import contextlib
import re
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit, urlunsplit

Act = Literal["cut", "stall", "delay", "replace"]

CANCEL_REQUEST = 80877102

_LISTENS = re.compile(rb"(?<!UN)LISTEN ")
"""The listener's command; `UNLISTEN` is in the reset of every connection."""


class Message(NamedTuple):
    """One message: who sent it (`>` the app, `<` PostgreSQL), its type, and what it says."""

    sender: str
    kind: str
    payload: bytes

    @property
    def name(self) -> str:
        """`>B`, `<C`: as the manual of the protocol names them."""
        return self.sender + self.kind


@dataclass
class Fault:
    """What is to happen before the message `index` of those recorded is passed on, or which payload, and which
    `kind` where it is given, replace its own."""

    index: int
    act: Act = "cut"
    seconds: float = 0.0
    payload: bytes = b""
    kind: bytes = b""


@dataclass(eq=False)
class Link:
    """One connection of the app's, and the one to PostgreSQL that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_listener: bool = False
    is_cut: bool = False
    stalled: dict[str, asyncio.Event] = field(default_factory=dict)
    backend: int = 0

    def cut(self) -> None:
        """The app sees a reset; PostgreSQL reads what was passed on, then the end."""
        self.is_cut = True
        self.client.transport.abort()
        self.server.close()


class Proxy:
    """Use as an asynchronous context; `dsn` is what the app connects to."""

    def __init__(self, dsn: str) -> None:
        self._parts = urlsplit(dsn)
        self.messages: list[Message] = []
        self._fault: Fault | None = None
        self._is_recording = False
        self.is_away = False
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.happened = asyncio.Event()
        self.cut_backends: list[int] = []

    @property
    def dsn(self) -> str:
        """The DSN of the same database through this proxy."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        user = self._parts.netloc.rpartition("@")[0]
        place = f"{user}@127.0.0.1:{port}" if user else f"127.0.0.1:{port}"
        return urlunsplit(self._parts._replace(netloc=place, query="sslmode=disable"))

    def record(self, fault: Fault | None = None) -> list[Message]:
        """Note every message from now on, and let one of them fail."""
        self.messages = []
        self._fault, self._is_recording = fault, True
        self.happened.clear()
        self.cut_backends = []
        return self.messages

    def rest(self) -> None:
        """Pass everything on; what stalls until now arrives nowhere."""
        self._fault, self._is_recording = None, False
        for link in list(self._links):
            if link.stalled:
                self.cut_backends.append(link.backend)
                link.cut()
            for event in link.stalled.values():
                event.set()

    async def __aenter__(self) -> "Proxy":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            link.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._link(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_away:
            writer.transport.abort()
            return
        server_reader, server_writer = await self._reach()
        link = Link(writer, server_writer)
        self._links.add(link)
        try:
            startup = await _read_startup(reader)
            server_writer.write(startup)
            if struct.unpack("!I", startup[4:8])[0] == CANCEL_REQUEST:
                await server_reader.read()
                return
            ways = [
                asyncio.ensure_future(self._pass(link, ">", reader, server_writer)),
                asyncio.ensure_future(self._pass(link, "<", server_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        finally:
            self._links.discard(link)
            for each in (writer, server_writer):
                each.close()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        query = dict(parse_qsl(self._parts.query))
        host, port = query.get("host", self._parts.hostname or ""), int(query.get("port", self._parts.port or 5432))
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _pass(self, link: Link, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readexactly(5)
                payload = await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
                message = Message(sender, chr(head[0]), payload)
                if message.name == "<K":
                    link.backend = struct.unpack("!I", payload[:4])[0]
                link.is_listener = link.is_listener or (sender == ">" and _LISTENS.search(payload) is not None)
                if not link.is_listener and self._is_recording and await self._fails(link, message):
                    return
                if self._is_replaced(message):
                    fault = cast("Fault", self._fault)
                    payload = fault.payload
                    head = (fault.kind or head[:1]) + struct.pack("!I", len(payload) + 4)
                writer.write(head + payload)

    def _is_replaced(self, message: Message) -> bool:
        fault = self._fault
        if fault is None or fault.act != "replace" or len(self.messages) <= fault.index:
            return False
        return self.messages[fault.index] is message

    async def _fails(self, link: Link, message: Message) -> bool:
        """Note the message and do what is to happen before it; True where it goes no further."""
        index, fault = len(self.messages), self._fault
        self.messages.append(message)
        if sender_stalled := link.stalled.get(message.sender):
            await sender_stalled.wait()
        if fault is None or fault.index != index:
            return False
        self.happened.set()
        if fault.act == "cut":
            self.cut_backends.append(link.backend)
            await link.server.drain()
            link.cut()
            return True
        if fault.act == "replace":
            return False
        if fault.act == "delay":
            await asyncio.sleep(fault.seconds)
        else:
            event = link.stalled[message.sender] = asyncio.Event()
            await event.wait()
        return link.is_cut


async def _read_startup(reader: asyncio.StreamReader) -> bytes:
    size = await reader.readexactly(4)
    return size + await reader.readexactly(struct.unpack("!I", size)[0] - 4)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    """Wait until it comes true."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL sets no event
            await asyncio.sleep(0.005)
