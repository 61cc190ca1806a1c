"""Requests that wait to begin, by age. `admission.py` decides which of them are served and which are refused."""

import asyncio
from collections import deque

import msgspec

from gatepost.operations import RouteRules


class Admission(msgspec.Struct, eq=False):
    """Where one request stands with the admission queue, which alone writes it.

    `arrived_at` and `begun_at` are when it came and when it began to run, in monotonic nanoseconds; `begun_at` is 0
    while it waits, and if it does not count. `pending` ends its wait, None unless it waits.
    """

    arrived_at: int
    begun_at: int = 0
    rules: RouteRules | None = None
    pending: asyncio.Future[None] | None = None


class QueueLane:
    """Waiting requests by age. What has left the queue is dropped when it comes to an end of its lane, so that leaving
    costs no search."""

    def __init__(self) -> None:
        self._requests: deque[Admission] = deque()

    def append(self, admission: Admission) -> None:
        """Add the newest."""
        self._requests.append(admission)

    def find_oldest(self) -> Admission | None:
        """The one that has waited longest, None where none waits."""
        requests = self._requests
        while requests and requests[0].pending is None:
            requests.popleft()
        return requests[0] if requests else None

    def find_newest(self) -> Admission | None:
        """The one that arrived last, None where none waits."""
        requests = self._requests
        while requests and requests[-1].pending is None:
            requests.pop()
        return requests[-1] if requests else None

    def clear(self) -> None:
        """Forget all that wait."""
        for admission in self._requests:
            admission.pending = None
        self._requests.clear()


def older(one: Admission | None, other: Admission | None) -> Admission | None:
    """The one of two that has waited longer."""
    if one is None or other is None:
        return one or other
    return one if one.arrived_at <= other.arrived_at else other
