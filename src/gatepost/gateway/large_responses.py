"""Large responses: sent in parts, so that what a client does not take is known, counted and, in time, given up.

The server takes a whole body at once and keeps it until the client has read it; of one in parts it takes the next part
only when there is room. Small bodies fit into the buffers of the system and go out whole.
"""

from time import monotonic_ns
from typing import TYPE_CHECKING

from gatepost.response_backlog import ResponseBacklog

if TYPE_CHECKING:
    from gatepost.gateway.admission import AdmissionQueue
    from gatepost.gateway.gate_call import GateCall
    from gatepost.gateway.request_deadlines import RequestDeadlines

LARGE_BYTES = 65_536
PART_BYTES = 262_144
"""A part costs some 50 us."""


class LargeResponses:
    """Sends the bodies of one gate. While a part waits for its client, the request is paused. If that takes too long,
    `RequestDeadlines` cancels the request and the connection is cut."""

    __slots__ = (
        "_backlog",
        "_deadlines",
        "_queue",
    )

    def __init__(self, backlog: ResponseBacklog, deadlines: "RequestDeadlines", queue: "AdmissionQueue") -> None:
        self._backlog = backlog
        self._deadlines = deadlines
        self._queue = queue

    async def send(self, call: "GateCall", body: bytes) -> None:
        """Send a body whose length the head has stated."""
        waiting, queue = self._deadlines.waiting, self._queue
        # All of it, until its last part is taken: so long it is in memory.
        self._backlog.pending += len(body)
        try:
            for start in range(0, len(body), PART_BYTES):
                part = body[start : start + PART_BYTES]
                waiting[call] = since = monotonic_ns()
                queue.pause(call)
                try:
                    more = start + PART_BYTES < len(body)
                    await call.send({"type": "http.response.body", "body": part, "more_body": more})
                finally:
                    del waiting[call]
                    queue.resume(call, since)
        finally:
            self._backlog.pending -= len(body)
