"""Large responses: sent in parts, so that what a client does not take is known, counted and, in time, given up.

The server takes a whole body at once and keeps it until the client has read it; of one in parts it takes the next part
only when there is room. Small bodies fit into the buffers of the system and go out whole.
"""

from dataclasses import dataclass

from gatepost.asgi import Send
from gatepost.gateway.request_deadlines import Deadline, RequestDeadlines
from gatepost.response_backlog import ResponseBacklog

LARGE_BYTES = 65_536
PART_BYTES = 262_144
"""A part costs some 50 us."""


@dataclass(frozen=True, eq=False)
class LargeResponses:
    """Sends the bodies of one gate. While a part waits for its client, the request is paused. If that takes too long,
    `RequestDeadlines` cancels the request and the connection is cut."""

    backlog: ResponseBacklog
    deadlines: RequestDeadlines

    async def send(self, send: Send, body: bytes, deadline: Deadline) -> None:
        """Send a body whose length the head has stated."""
        # All of it, until its last part is taken: so long it is in memory.
        self.backlog.pending += len(body)
        try:
            for start in range(0, len(body), PART_BYTES):
                part = body[start : start + PART_BYTES]
                await self.send_part(send, part, deadline, is_last=start + PART_BYTES >= len(body))
        finally:
            self.backlog.pending -= len(body)

    async def send_part(self, send: Send, part: bytes, deadline: Deadline, *, is_last: bool) -> None:
        """Send a part of a body, and wait until there is room for it."""
        wait = self.deadlines.pause(deadline)
        try:
            await send({"type": "http.response.body", "body": part, "more_body": not is_last})
        finally:
            self.deadlines.resume(wait)
