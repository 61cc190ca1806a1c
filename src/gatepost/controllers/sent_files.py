"""A file while it is sent: its segments, part by part, in the task of its request."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing

from gatepost.asgi import Message, Receive, Send
from gatepost.call import Call
from gatepost.controllers.byte_ranges import ByteRange
from gatepost.controllers.file_contents import PART_BYTES, FileContent
from gatepost.controllers.interruptions import Interruption, watch_client
from gatepost.events import Events


class SentFile:
    """The body of one response: `segments` are bytes, or ranges of `content`. `closing` closes what is held until the
    end; `location` is the endpoint, for the log."""

    def __init__(  # noqa: PLR0913 - what a file is sent with
        self,
        call: Call,
        content: FileContent,
        segments: Sequence[bytes | ByteRange],
        events: Events,
        *,
        location: str,
        closing: AsyncExitStack,
    ) -> None:
        self._call = call
        self._content = content
        self._segments = segments
        self._events = events
        self._location = location
        self._closing = closing
        self.is_sent = False

    def failure(self, problem: bytes) -> bytes | None:
        """A body that is shorter than its length tells it."""
        return None

    async def send(self, start: Message, receive: Receive, send: Send) -> None:
        """Send the whole response. Raises what reading raises."""
        async with self._closing:
            await send(start)
            if self._call.scope["method"] == "HEAD":
                self.is_sent = True
                await send({"type": "http.response.body", "body": b""})
                return
            self._call.begin_streaming()
            try:
                await self._send_watched(receive, send)
            finally:
                self._call.end_streaming()

    async def _send_watched(self, receive: Receive, send: Send) -> None:
        """Send the body for as long as the client is there: the server takes parts for one that has gone as well."""
        if self._content.has_ranges and self._content.length <= PART_BYTES:
            await self._send_segments(send)
            return
        with Interruption[bool]() as interruption:
            watcher = watch_client(receive, interruption, True, f"the client of {self._call.id}", self._events)
            try:
                await self._send_segments(send)
            finally:
                watcher.cancel()

    async def _send_segments(self, send: Send) -> None:
        try:
            for segment in self._segments:
                if isinstance(segment, bytes):
                    await self._call.send_part(send, segment)
                    continue
                async with aclosing(self._content.parts(segment)) as parts:
                    async for part in parts:
                        await self._call.send_part(send, part)
        except Exception as error:
            error.add_note(f"Raised by the file of {self._location}.")
            raise
        self.is_sent = True
        await self._call.send_part(send, b"", is_last=True)
