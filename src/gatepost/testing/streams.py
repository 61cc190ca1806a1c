"""Responses that a test reads while they are sent."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import msgspec

from gatepost.asgi import ASGIApp, Message, Scope
from gatepost.declaring.streams import ServerSentEvent


class Exchange:
    """One request and its response, as the application sees them: it sends the next part when the last one is read."""

    def __init__(self, body: bytes) -> None:
        self._request = [{"type": "http.request", "body": body, "more_body": False}]
        self._messages: asyncio.Queue[Message | None] = asyncio.Queue(1)
        self._gone = asyncio.Event()

    async def serve(self, app: ASGIApp, scope: Scope) -> None:
        """Run the application; the response has then ended, in order or not."""
        try:
            await app(scope, self.receive, self.send)
        finally:
            await self._put(None)

    async def receive(self) -> Message:
        """The request, then the disconnect of the client."""
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Take a message of the response; a client that has gone takes none, and nobody is told."""
        await self._put(message)

    async def next(self) -> Message | None:
        """The next message of the response; None where it has ended."""
        return await self._messages.get()

    def disconnect(self) -> None:
        """The client goes."""
        self._gone.set()
        while not self._messages.empty():
            self._messages.get_nowait()

    async def _put(self, message: Message | None) -> None:
        if not self._gone.is_set():
            await self._messages.put(message)


class ClientStream:
    """A response that is read while it is sent. `headers` are by lower-case name; `is_complete` says whether its end
    has been read. A body that is cut off before its end raises `ConnectionError` where it is read."""

    def __init__(self, exchange: Exchange, start: Message) -> None:
        self._exchange = exchange
        self.status: int = start["status"]
        self.headers = headers_of(start)
        self.is_complete = False

    async def parts(self) -> AsyncGenerator[bytes]:
        """The body, part by part as it was sent."""
        while not self.is_complete:
            message = await self._exchange.next()
            if message is None:
                raise cut_off()
            self.is_complete = not message.get("more_body", False)
            if part := message.get("body", b""):
                yield part

    async def lines(self) -> AsyncGenerator[Any]:
        """The values of NDJSON, without heartbeats."""
        async for line in self._lines():
            if line:
                yield msgspec.json.decode(line)

    async def events(self) -> AsyncGenerator[ServerSentEvent[Any]]:
        """Server-sent events, without heartbeats."""
        fields: dict[str, str] = {}
        async for line in self._lines():
            if not line and "data" in fields:
                retry = int(fields["retry"]) / 1000 if "retry" in fields else None
                data = msgspec.json.decode(fields["data"])
                yield ServerSentEvent(data, id=fields.get("id"), name=fields.get("event"), retry_seconds=retry)
            name, _, value = line.decode().partition(":")
            fields = {**fields, name: value.removeprefix(" ")} if line else {}

    async def _lines(self) -> AsyncGenerator[bytes]:
        rest = b""
        async with aclosing(self.parts()) as parts:
            async for part in parts:
                *lines, rest = (rest + part).split(b"\n")
                for line in lines:
                    yield line


def headers_of(start: Message) -> dict[str, str]:
    """The headers of a response, by lower-case name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}


def cut_off() -> ConnectionError:
    """What is raised for a body without its end."""
    return ConnectionError("The server cut the response off before its end.")
