"""One serving process: dies with its master, loads the application, gives it a log, and hands it to the server.

First on the request path of ASGI, where it adds one comparison: everything but the lifespan goes straight through.
"""

import ctypes
import gc
import math
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from gatepost.errors import ConfigurationError
from gatepost.logging import Logs, complain
from gatepost.request import ASGIApp, Message, Receive, Scope, Send
from gatepost.server.loading import find_app
from gatepost.settings import Settings

if TYPE_CHECKING:
    from gatepost.app import App

REFUSED = 2
"""Exit status of a worker whose application cannot start as it is: starting it again would not help."""

DRAIN_SIGNAL = signal.SIGUSR1
"""The master's word that it will stop this worker: from then on it is not ready for new work."""

_PR_SET_PDEATHSIG = 1

Prepare = Callable[["App", Settings], Awaitable[None]]


@dataclass(frozen=True)
class Worker:
    """What Granian calls in a new process to get the application; `prepare` runs before the application starts.

    `stays` makes a worker that answers 503 with the reason instead of ending when the application cannot start.
    """

    settings: Settings
    reference: str
    master: int
    prepare: Prepare | None = None
    stays: bool = False

    def __call__(self) -> ASGIApp:
        die_with(self.master, self.settings.server.drain_seconds)
        logs = Logs(self.settings)
        logs.start()
        try:
            app = find_app(self.reference)
        except ConfigurationError as error:
            return Lifespan(self._without(error, logs), logs)
        logs.subscribe(app.observations)
        signal.signal(DRAIN_SIGNAL, _on_signal(app.drain))
        return Lifespan(app, logs, prepare=self._prepare(app), refuse=lambda error: self._without(error, logs))

    def _prepare(self, app: "App") -> Callable[[], Awaitable[None]] | None:
        prepare = self.prepare
        return None if prepare is None else lambda: prepare(app, self.settings)

    def _without(self, error: ConfigurationError, logs: Logs) -> ASGIApp:
        complain(error)
        if self.stays:
            return Refusal(str(error))
        logs.close()
        os._exit(REFUSED)


def _on_signal(act: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: act()


class Lifespan:
    """The application with what has to happen before its start and after its end. See `Worker`."""

    def __init__(
        self,
        app: ASGIApp,
        logs: Logs,
        *,
        prepare: Callable[[], Awaitable[None]] | None = None,
        refuse: Callable[[ConfigurationError], ASGIApp] | None = None,
    ) -> None:
        self._app = app
        self._entry = app
        self._logs = logs
        self._prepare = prepare
        self._refuse = refuse

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "lifespan":
            return self._lifespan(scope, receive, send)
        return self._entry(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        failures: list[str] = []

        async def watch(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message.get("message", "") or "The application did not start.")
                return
            if message["type"] == "lifespan.startup.complete":
                self._entry = getattr(self._app, "entry", self._app)
                _settle()
            await send(message)

        try:
            await self._run(scope, receive, watch)
            _raise_first(failures)
        except ConfigurationError as error:
            if self._refuse is None:
                raise
            self._app = self._entry = self._refuse(error)
            await self._app(scope, receive, send)
        finally:
            self._logs.close()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._prepare is not None:
            await self._prepare()
        await self._app(scope, receive, send)


class Refusal:
    """Answers every request with 503 and the reason why there is no application: in development only."""

    def __init__(self, reason: str) -> None:
        self._body = f"The application cannot start.\n\n{reason}\n".encode(errors="backslashreplace")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            while (await receive())["type"] != "lifespan.shutdown":
                pass
            await send({"type": "lifespan.shutdown.complete"})
            return
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


def die_with(master: int, drain_seconds: float) -> None:
    """End this process in order when its master dies, by kill -9, too; and at the latest `drain_seconds` later.

    Where there is no such signal (macOS), a killed master leaves its workers; the next start then says that the port
    is taken.
    """

    def orphaned() -> None:
        signal.alarm(max(1, math.ceil(drain_seconds)))  # ends even a worker that a request keeps
        os.kill(os.getpid(), signal.SIGTERM)

    if sys.platform != "linux":
        return
    signal.signal(signal.SIGUSR2, _on_signal(orphaned))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGUSR2))
    if os.getppid() != master:
        os._exit(1)


def _raise_first(failures: list[str]) -> None:
    if failures:
        raise ConfigurationError(failures[0])


def _settle() -> None:
    """What was made at start lives as long as the process: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
