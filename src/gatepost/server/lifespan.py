"""The application as the server sees it: what happens before its start and after its end, and what stands in for it.

First on the request path of ASGI, where it adds one comparison: everything but the lifespan goes straight through.
"""

import gc
import logging
from collections.abc import Awaitable, Callable

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.errors import ConfigurationError
from gatepost.logging.logs import Logs

LOGGER = logging.getLogger("gatepost")

OLDEST_THRESHOLD = 50
"""So many collections of the middle generation come before one of the oldest; Python's own default is 10."""


class Lifespan:
    """The application with what has to happen before its start and after its end.

    `prepare` runs before the application starts, `on_ready` when it has started, `on_over` when it has ended. `refuse`
    gets what keeps it from starting and gives what is served instead; without it the error goes on.
    """

    def __init__(  # noqa: PLR0913 - made in one place
        self,
        app: ASGIApp,
        logs: Logs,
        *,
        prepare: Callable[[], Awaitable[None]] | None = None,
        refuse: Callable[[ConfigurationError], ASGIApp] | None = None,
        on_ready: Callable[[], None] | None = None,
        on_over: Callable[[], None] | None = None,
    ) -> None:
        self._app = app
        self._entry = app
        self._logs = logs
        self._prepare = prepare
        self._refuse = refuse
        self._on_ready = on_ready
        self._on_over = on_over
        self._has_started = False

    def serve(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """The ASGI application."""
        if scope["type"] == "lifespan":
            return self._lifespan(scope, receive, send)
        entry = self._entry
        return entry(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._run(scope, receive, send)
        except ConfigurationError as error:
            await self._serve_refusal(error, scope, receive, send)
        except Exception as error:
            if self._has_started:
                raise
            # Granian would serve an application that failed to start, as one that knows no lifespan.
            LOGGER.exception("application_not_started")
            text = f"The application did not start: {type(error).__name__}: {error}"
            await self._serve_refusal(ConfigurationError(text), scope, receive, send)
        finally:
            if self._on_over is not None:
                self._on_over()
            self._logs.close()

    async def _run(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Prepare, start, and stop when the server says so. Raises ConfigurationError where the application reports
        that it did not start."""
        failures: list[str] = []

        async def watch(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                failures.append(message.get("message", "") or "The application did not start.")
                return
            if message["type"] == "lifespan.startup.complete":
                self._has_started = True
                self._entry = getattr(self._app, "entry", self._app)
                _freeze_gc()
                if self._on_ready is not None:
                    self._on_ready()
            await send(message)

        if self._prepare is not None:
            await self._prepare()
        await self._app(scope, receive, watch)
        if failures:
            raise ConfigurationError(failures[0])

    async def _serve_refusal(self, error: ConfigurationError, scope: Scope, receive: Receive, send: Send) -> None:
        if self._refuse is None:
            raise error
        self._app = self._entry = self._refuse(error)
        await self._app(scope, receive, send)


class RefusalApp:
    """Responds to every request with 503 and the reason why there is no application: in development only."""

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


def _freeze_gc() -> None:
    """What was made at start lives as long as the process: the collector need not look at it again.

    Nor look at everything else as often as it does by itself. Under overload thousands of requests wait, all of them
    alive, and looking through them again and again took a quarter of the time.
    """
    gc.collect()
    gc.freeze()
    youngest, middle, _ = gc.get_threshold()
    gc.set_threshold(youngest, middle, OLDEST_THRESHOLD)
