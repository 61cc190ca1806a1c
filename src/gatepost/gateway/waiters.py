"""Requests that wait to begin, by age. `admission.py` decides which of them are served and which are refused."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost.gateway.exchange import Exchange


class Waiter:
    """A request that has waited since `since`. `exchange` is None once it has been admitted, refused or abandoned."""

    __slots__ = ("admitted", "exchange", "since")

    def __init__(self, exchange: "Exchange", admitted: "asyncio.Future[None]") -> None:
        self.exchange: Exchange | None = exchange
        self.admitted = admitted
        self.since = exchange.started


class Lane:
    """Waiting requests by age. What has left the queue is dropped when it comes to an end of its lane, so that leaving
    costs no search."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: deque[Waiter] = deque()

    def append(self, waiter: Waiter) -> None:
        """Add the newest."""
        self._waiters.append(waiter)

    def find_oldest(self) -> Waiter | None:
        """The one that has waited longest, None where none waits."""
        waiters = self._waiters
        while waiters and waiters[0].exchange is None:
            waiters.popleft()
        return waiters[0] if waiters else None

    def find_newest(self) -> Waiter | None:
        """The one that arrived last, None where none waits."""
        waiters = self._waiters
        while waiters and waiters[-1].exchange is None:
            waiters.pop()
        return waiters[-1] if waiters else None

    def clear(self) -> None:
        """Forget all that wait."""
        for waiter in self._waiters:
            waiter.exchange = None
        self._waiters.clear()


def older(one: Waiter | None, other: Waiter | None) -> Waiter | None:
    """The one of two that has waited longer."""
    if one is None or other is None:
        return one or other
    return one if one.since <= other.since else other
