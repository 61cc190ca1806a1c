"""Requests byte by byte, each on a new connection, and the responses.

A client library would repair what it sends, and hide what it gets; here nothing is repaired.
"""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Sequence

import msgspec

from gatepost.inspection.target import Target

RESPONSE_SECONDS_MAX = 10.0
HEAD_BYTES_MAX = 262_144
BODY_BYTES_MAX = 262_144


class Reply(msgspec.Struct):
    """A response. `status` 0: none came, either because the connection `ended`, or because time was up."""

    status: int = 0
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    ended: bool = False
    seconds: float = 0.0
    asked: str = ""

    def header(self, name: str) -> str | None:
        """The value of a header, several lines joined; None where it is absent."""
        values = [value for key, value in self.headers if key == name]
        return ", ".join(values) if values else None

    @property
    def is_closed(self) -> bool:
        """Whether the server closed the connection instead of responding."""
        return self.status == 0 and self.ended

    @property
    def is_refusal(self) -> bool:
        """Whether the request was refused: by a 4xx, or by closing the connection."""
        return 400 <= self.status < 500 or self.is_closed

    def __str__(self) -> str:
        if self.status:
            return str(self.status)
        return "a closed connection" if self.ended else "no response"


class RateLimited(Exception):
    """The server's rate limit refused; `seconds` is what it says of when to come back."""

    def __init__(self, seconds: str) -> None:
        super().__init__(seconds)
        self.seconds = seconds


class RawClient:
    """Speaks to one target; `replies` are all that came back."""

    def __init__(self, target: Target, context: ssl.SSLContext | None = None) -> None:
        self.target = target
        self._context = context
        self.replies: list[Reply] = []

    async def ask(self, method: str, path: str | None = None, *headers: str, body: bytes = b"") -> Reply:
        """A well-formed request. Raises `RateLimited` for a 429, OSError where nothing listens."""
        lines = [*headers, "user-agent: gatepost-doctor", "accept: */*", "connection: close"]
        if body:
            lines.append(f"content-length: {len(body)}")
        reply = await self.send(self.head(method, path, *lines) + body)
        if reply.status == 429:
            raise RateLimited(reply.header("retry-after") or "some")
        return reply

    def head(self, method: str, path: str | None, *headers: str) -> bytes:
        """The head of a request: to send with `send`, or to spoil first."""
        lines = [f"{method} {path or self.target.path} HTTP/1.1", f"host: {self.target.authority}", *headers, "", ""]
        return "\r\n".join(lines).encode("latin-1")

    async def send(
        self, data: bytes, *, seconds: float = RESPONSE_SECONDS_MAX, drip: bytes = b"", drip_seconds: float = 1.0
    ) -> Reply:
        """Bytes as they are; then `drip`, byte by byte, until a response or the end comes, or the time is up."""
        started = time.monotonic()
        reader, writer = await self.connect()
        dripping = asyncio.ensure_future(_drip(writer, drip, drip_seconds))
        reply = Reply()
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await asyncio.wait_for(_read(reader, reply, is_head=data.startswith(b"HEAD ")), seconds)
        except TimeoutError:
            pass
        finally:
            dripping.cancel()
            writer.transport.abort()
        reply.seconds = time.monotonic() - started
        reply.asked = data.partition(b"\r\n")[0][:80].decode("latin-1")
        self.replies.append(reply)
        return reply

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A new connection."""
        opening = asyncio.open_connection(
            self.target.host,
            self.target.port,
            ssl=self._context,
            server_hostname=self.target.host if self._context is not None else None,
            limit=HEAD_BYTES_MAX,
        )
        return await asyncio.wait_for(opening, RESPONSE_SECONDS_MAX)


async def _drip(writer: asyncio.StreamWriter, drip: bytes, seconds: float) -> None:
    with contextlib.suppress(ConnectionError):
        for byte in drip:
            await asyncio.sleep(seconds)
            writer.write(bytes([byte]))


async def _read(reader: asyncio.StreamReader, reply: Reply, *, is_head: bool) -> None:
    """Fill in the reply as it comes, so that what has come is there when time is up."""
    try:
        status, fields = 100, list[str]()
        while 100 <= status < 200:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *fields = head.removesuffix("\r\n\r\n").split("\r\n")
            status = int(line.split(" ")[1])
        pairs = (field.partition(":")[::2] for field in fields)
        reply.headers = [(name.lower(), value.strip()) for name, value in pairs]
        reply.status = status
        if not is_head and status not in (204, 304):
            await _read_body(reader, reply)
        reply.ended = await _ends(reader)
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError, IndexError):
        reply.ended = True


async def _read_body(reader: asyncio.StreamReader, reply: Reply) -> None:
    length = reply.header("content-length")
    if length is not None and length.isdigit():
        reply.body = await reader.readexactly(min(int(length), BODY_BYTES_MAX))
        return
    is_chunked = (reply.header("transfer-encoding") or "").lower() == "chunked"
    while len(reply.body) < BODY_BYTES_MAX:
        part = await (_chunk(reader) if is_chunked else reader.read(65536))
        if not part:
            return
        reply.body += part


async def _chunk(reader: asyncio.StreamReader) -> bytes:
    size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
    return (await reader.readexactly(size + 2))[:-2]


async def _ends(reader: asyncio.StreamReader, seconds: float = 0.5) -> bool:
    """Whether the server closes the connection after its response. Raises ConnectionError where it resets it."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
            return True
    return False
