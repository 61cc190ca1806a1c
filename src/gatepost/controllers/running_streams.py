"""A stream while it is sent, in the task of its request: the items of its source, heartbeats between them, and what
ends it.

A stream ends when its source does, when its client has gone or is too slow, when the source raises, when a heartbeat
finds that its client may no longer have it, when its time is up, and when the process is about to stop. Whatever ends
it, the source is closed before the request is over.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from enum import Enum
from typing import Any, cast

from gatepost.asgi import Message, Receive, Send
from gatepost.background import background, is_failure, report
from gatepost.call import Call
from gatepost.controllers.interruptions import Interruption, watch_client
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.stream_formats import StreamFormat
from gatepost.declaring.streams import ServerSentEvent, Stream

Encode = Callable[[Call, Any], Awaitable[bytes | None]]
"""The JSON of an item; None where the client may not see it."""


class Ending(Enum):
    """Why a stream ends before its source."""

    GONE = "its client has gone"
    INTERRUPTED = "its client may connect again"


class RunningStream:
    """One stream. `encode` writes items in the form of `form`; `location` is the endpoint, for the log; `closing` has
    what is held until the stream ends."""

    def __init__(  # noqa: PLR0913 - what a stream is sent with
        self,
        call: Call,
        stream: Stream[Any],
        encode: Encode,
        form: StreamFormat,
        streams: OpenStreams,
        *,
        location: str,
        closing: AsyncExitStack,
    ) -> None:
        self._call = call
        self._source: AsyncIterator[Any] = aiter(stream.source)
        self._encode = encode
        self._form = form
        self._streams = streams
        self._location = location
        self._closing = closing
        self.is_sent = False
        self._interruption = Interruption[Ending | Exception]()
        self._turn = asyncio.Lock()

    def failure(self, problem: bytes) -> bytes | None:
        """The part that tells of a problem."""
        return self._form.failure(problem)

    async def send(self, start: Message, receive: Receive, send: Send) -> None:
        """Send the whole response. Raises what the source raises, and what a heartbeat finds."""
        async with self._closing:
            try:
                await send(start)
                if self._call.scope["method"] == "HEAD":
                    self.is_sent = True
                    await send({"type": "http.response.body", "body": b""})
                    return
                self._call.begin_streaming()
                try:
                    await self._run(receive, send)
                finally:
                    self._call.end_streaming()
            finally:
                await self._close_source()

    def interrupt(self) -> None:
        """End the stream at once; its client may connect again."""
        self._interruption.end(Ending.INTERRUPTED)

    async def _run(self, receive: Receive, send: Send) -> None:
        events, name = self._streams.events, self._call.id
        with self._interruption as interruption:
            helpers = [
                watch_client(receive, interruption, Ending.GONE, f"the client of {name}", events),
                background(self._keep_alive(send), f"the heartbeats of {name}", events),
            ]
            self._streams.add(self)
            try:
                await self._send_items(send)
            except Exception as error:
                if interruption.reason is None:
                    error.add_note(f"Raised by the stream of {self._location}.")
                    raise
                self._report(error)
            finally:
                self._streams.remove(self)
                for helper in helpers:
                    helper.cancel()
        ending = interruption.reason
        if isinstance(ending, Exception):
            raise ending
        if ending is None or (ending is Ending.INTERRUPTED and self._form.is_resumed):
            self.is_sent = True
            await self._send_part(send, b"", is_last=True)

    async def _send_items(self, send: Send) -> None:
        await self._send_part(send, self._form.opening)
        async for item in self._source:
            event = cast("ServerSentEvent[object]", item) if isinstance(item, ServerSentEvent) else None
            data = await self._encode(self._call, item if event is None else event.data)
            if self._interruption.reason is not None:  # a source may have caught its cancellation
                return
            if data is not None:
                await self._send_part(send, self._form.part(data, event))

    async def _send_part(self, send: Send, part: bytes, *, is_last: bool = False) -> None:
        async with self._turn:
            await self._call.send_part(send, part, is_last=is_last)

    async def _keep_alive(self, send: Send) -> None:
        """Ask with each heartbeat who the client is, as a new request would be asked. An error ends the stream: what
        cannot be confirmed is not sent."""
        clock, settings = asyncio.get_running_loop().time, self._streams.settings
        until = float("inf") if settings.stream_seconds is None else clock() + settings.stream_seconds
        while (seconds_left := until - clock()) > 0:
            await asyncio.sleep(min(settings.heartbeat_seconds, seconds_left))
            try:
                is_same = await self._streams.confirm(self._call)
            except Exception as error:
                self._interruption.end(error)
                return
            if not is_same:
                break
            if not self._turn.locked():  # else something is being sent
                await self._send_part(send, self._form.heartbeat)
        self._interruption.end(Ending.INTERRUPTED)

    async def _close_source(self) -> None:
        close = getattr(self._source, "aclose", None)
        try:
            if close is not None:
                await close()
        except BaseException as error:
            self._report(error)

    def _report(self, error: BaseException) -> None:
        """Log what the source raises when it is closed: the stream has ended as it has."""
        if not is_failure(error):
            raise error
        report(f"closing the stream of {self._location}", error, self._streams.events)
