"""Work of a task that is ended from outside: the task is cancelled, and takes the cancellation back where the work
ends, as `asyncio.timeout` does."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Generic, TypeVar

from gatepost.asgi import Receive
from gatepost.background import background
from gatepost.errors import Problem
from gatepost.events import Events

R = TypeVar("R")


class Interruption(Generic[R]):
    """Ends its block. `reason` is why it was ended, None where it was not."""

    def __init__(self) -> None:
        self.reason: R | None = None
        self._task: asyncio.Task[object] | None = None

    def end(self, reason: R) -> None:
        """End the block, unless it has ended. To be called by another task of the same loop, so that the one of the
        block waits for something meanwhile and is cancelled inside of it."""
        if self._task is not None and self.reason is None:
            self.reason = reason
            self._task.cancel()

    def __enter__(self) -> "Interruption[R]":
        self._task = asyncio.current_task()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if self.reason is None or task is None:
            return False
        task.uncancel()
        if task.cancelling():  # by someone else as well
            raise asyncio.CancelledError
        return isinstance(error, asyncio.CancelledError)


def watch_client(
    receive: Receive, interruption: "Interruption[R]", gone: R, name: str, events: Events
) -> "asyncio.Task[None]":
    """End the block with this reason when the client has gone."""

    async def watch() -> None:
        with suppress(Problem):  # of a body that breaks a limit
            while (await receive())["type"] != "http.disconnect":
                pass
        interruption.end(gone)

    return background(watch(), name, events)
