"""Requests that wait to begin, by age. `admission.py` decides which of them are served and which are refused."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.gateway.gate_call import GateCall


class QueuedRequest:
    """A request that has waited since `since`. `call` is None once it has been admitted, refused or abandoned."""

    __slots__ = (
        "admitted",
        "call",
        "since",
    )

    def __init__(self, call: "GateCall", admitted: "asyncio.Future[None]") -> None:
        self.call: GateCall | None = call
        self.admitted = admitted
        self.since = call.started


class QueueLane:
    """Waiting requests by age. What has left the queue is dropped when it comes to an end of its lane, so that leaving
    costs no search."""

    __slots__ = ("_requests",)

    def __init__(self) -> None:
        self._requests: deque[QueuedRequest] = deque()

    def append(self, queued: QueuedRequest) -> None:
        """Add the newest."""
        self._requests.append(queued)

    def find_oldest(self) -> QueuedRequest | None:
        """The one that has waited longest, None where none waits."""
        waiters = self._requests
        while waiters and waiters[0].call is None:
            waiters.popleft()
        return waiters[0] if waiters else None

    def find_newest(self) -> QueuedRequest | None:
        """The one that arrived last, None where none waits."""
        waiters = self._requests
        while waiters and waiters[-1].call is None:
            waiters.pop()
        return waiters[-1] if waiters else None

    def clear(self) -> None:
        """Forget all that wait."""
        for queued in self._requests:
            queued.call = None
        self._requests.clear()


def older(one: QueuedRequest | None, other: QueuedRequest | None) -> QueuedRequest | None:
    """The one of two that has waited longer."""
    if one is None or other is None:
        return one or other
    return one if one.since <= other.since else other
