"""The streams of one process: how many there may be, and what ends them all."""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Protocol

from gatepost.call import Call
from gatepost.errors import Overloaded, ServiceUnavailable
from gatepost.events import Events
from gatepost.settings import StreamSettings

Confirm = Callable[[Call], Awaitable[bool]]
"""Asks again who sends a request, whether that is still the same actor, and whether the actor may still call. Raises
the refusal."""

RETRY_SECONDS = 5
"""After so long a client may find room for another stream."""


class Interruptible(Protocol):
    """A stream that can be ended."""

    def interrupt(self) -> None:
        """End it at once; its client may connect again."""
        ...


class OpenStreams:
    """Admits streams, and ends them when the process is about to stop. Streams ask it what holds for all of them: the
    `settings`, and who their client is (`confirm`)."""

    def __init__(self, settings: StreamSettings, events: Events, confirm: Confirm) -> None:
        self.settings = settings
        self.events = events
        self.confirm = confirm
        self.is_draining = False
        self._count = 0
        self._running: set[Interruptible] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    @contextmanager
    def place(self) -> Generator[None]:
        """A place for one stream, until the end of the block. Raises 503 `overloaded` where there is none, and
        `shutting_down` where the process is about to stop."""
        if self.is_draining:
            raise ServiceUnavailable("shutting_down", "This instance is about to stop; try again.")
        if self._count >= self.settings.streams_max:
            raise Overloaded("overloaded", "There are too many streams.", retry_after_seconds=RETRY_SECONDS)
        self._count += 1
        try:
            yield
        finally:
            self._count -= 1

    def add(self, stream: Interruptible) -> None:
        """A stream runs; where the process is about to stop already, it ends at once."""
        self._loop = asyncio.get_running_loop()
        self._running.add(stream)
        if self.is_draining:
            stream.interrupt()

    def remove(self, stream: Interruptible) -> None:
        """A stream has ended."""
        self._running.discard(stream)

    def drain(self) -> None:
        """End all streams, and begin no other. May be called from the handler of a signal."""
        self.is_draining = True
        if self._loop is not None and self._running:
            self._loop.call_soon_threadsafe(self._interrupt_all)

    def _interrupt_all(self) -> None:
        for stream in [*self._running]:
            stream.interrupt()
