"""The lifespan of a mounted application: it starts after the app and stops before it, as a server would run it.

ASGI, "Lifespan Protocol": an application that raises when it is called with a lifespan has none. Nor has one that does
not ask for its first event, because it does not look at the type of its scope.
"""

import asyncio
import contextlib
from typing import Any

from gatepost.asgi import ASGIApp, Message
from gatepost.background import background
from gatepost.errors import ConfigurationError
from gatepost.events import Events

RECEIVE_SECONDS = 1.0
"""An application with a lifespan asks for its first event at once."""


class MountedLifespan:
    """Starts and stops one mounted application. `state` is what it keeps for its requests (`scope["state"]`)."""

    def __init__(self, prefix: str, app: ASGIApp, extra: dict[str, Any], events: Events) -> None:
        """`extra` is put into the scopes of the lifespan and of requests."""
        self._emitted = events
        self._prefix = prefix
        self._app = app
        self.extra = extra
        self._has_started = False
        self.state: dict[str, Any] = {}
        self._events: asyncio.Queue[Message] = asyncio.Queue()
        self._replies: asyncio.Queue[Message | None] = asyncio.Queue()
        """None: it has ended."""
        self._task: asyncio.Task[None] | None = None
        self._has_asked = asyncio.Event()

    async def start(self) -> None:
        """Run its startup. Raises `ConfigurationError` where it says that it failed."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self.state}
        task = background(self._run({**scope, **self.extra}), f"lifespan of {self._prefix}", self._emitted)
        if not await self._is_heard(task):
            task.cancel()
            return
        self._task = task
        reply = await self._exchange(task, "lifespan.startup")
        if reply is not None and reply["type"] == "lifespan.startup.failed":
            self._task = None
            task.cancel()
            reason = str(reply.get("message", "")).strip().rpartition("\n")[2]
            raise ConfigurationError(
                f"did not start: {reason or 'it gave no reason'}.", location=f"mount={self._prefix!r}"
            )

    async def stop(self, seconds: float) -> None:
        """Run its shutdown, for so many seconds at most."""
        task, self._task = self._task, None
        if task is None or task.done():
            return
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._exchange(task, "lifespan.shutdown")
                    await asyncio.wait({task})
        finally:
            task.cancel()

    async def _is_heard(self, task: asyncio.Task[None]) -> bool:
        """Whether the application asks for its first event, or has ended."""
        asked = asyncio.ensure_future(self._has_asked.wait())
        await asyncio.wait({task, asked}, timeout=RECEIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        return task.done() or self._has_asked.is_set()

    async def _receive(self) -> Message:
        self._has_asked.set()
        return await self._events.get()

    async def _exchange(self, task: asyncio.Task[None], event: str) -> Message | None:
        """Its reply to an event; None where it has ended without one."""
        if task.done():
            return None
        self._events.put_nowait({"type": event})
        return await self._replies.get()

    async def _run(self, scope: dict[str, Any]) -> None:
        async def send(message: Message) -> None:
            self._has_started |= message["type"] == "lifespan.startup.complete"
            self._replies.put_nowait(message)

        try:
            await self._app(scope, self._receive, send)
        except Exception:
            if self._has_started:
                raise  # else it has no lifespan, or has told that it failed
        finally:
            self._replies.put_nowait(None)
