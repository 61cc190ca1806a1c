"""Ordinary ASGI middlewares between the gate and the dispatch, for endpoints and mounts.

Composed at start; without any the gate calls the dispatch directly. What an endpoint raises, refusals too, passes
through them as an exception, which the gate renders. What they send for an endpoint is collected, so that the gate
compresses it and sends it as any other response.
"""

from collections.abc import Sequence
from functools import reduce

import msgspec

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.call import Response
from gatepost.declaring.middleware import Wrap
from gatepost.errors import ConfigurationError, Header
from gatepost.gateway.body_limits import PassedReceive
from gatepost.gateway.gate_call import GateCall, may_clash
from gatepost.response_additions import StreamedBody

COLLECTOR = "gatepost.response"
"""Where a scope has the `ResponseCollector` of its request."""


class MiddlewareStack:
    """The application that the gate calls: the middlewares, the first one outermost, around the dispatch."""

    def __init__(self, app: ASGIApp, middlewares: Sequence[Wrap], source: str) -> None:
        """Raises `ConfigurationError` where one cannot be made."""
        self._dispatch = app
        inner: ASGIApp = self._pass_on
        self._app = reduce(lambda within, wrap: _wrapped(wrap, within, source), reversed(middlewares), inner)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request through the middlewares."""
        call: GateCall = scope["gatepost"]
        scope.setdefault("state", {})  # before one of them copies the scope, so that all share it
        if call.endpoint is None:
            await self._app(scope, receive, send)
            return
        collector = scope[COLLECTOR] = ResponseCollector(call, send)
        try:
            await self._app(scope, receive, collector.send)
        finally:
            del scope[COLLECTOR]  # which leads back to the call

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the innermost middleware calls."""
        call: GateCall = scope["gatepost"]
        if receive is not call.receive:
            call.receive = PassedReceive(receive, call.receive)
        if call.endpoint is not None:
            scope[COLLECTOR].is_whole = True
        await self._dispatch(scope, receive, send)


class ResponseCollector(msgspec.Struct, eq=False):
    """Collects what middlewares send for an endpoint. A middleware that responds without the endpoint may stream."""

    call: GateCall
    pass_on: Send
    is_whole: bool = False
    start: Message | None = None
    body: bytes = b""

    async def send(self, message: Message) -> None:
        """The `send` of the outermost middleware."""
        if not self.is_whole:
            await self.pass_on(message)
        elif (streamed := self._streamed) is not None:
            # A middleware may end a body whose source has failed, before it passes on the error.
            is_cut = message["type"] == "http.response.body" and not streamed.is_sent
            await self.pass_on({**message, "more_body": True} if is_cut else message)
        elif message["type"] == "http.response.start":
            self.start = message
        elif message["type"] == "http.response.body" and self.start is not None:
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._respond(self.start)

    @property
    def _streamed(self) -> StreamedBody | None:
        """The body that the endpoint sends while it is made, which is never in memory as a whole."""
        return None if self.call.additions is None else self.call.additions.streamed

    async def _respond(self, start: Message) -> None:
        given = [(name.lower(), value) for name, value in start.get("headers", ())]
        headers = tuple(header for header in given if header[0] != b"content-length")
        caching = dict(headers).get(b"cache-control")
        others = tuple(header for header in headers if header[0] != b"cache-control")
        if may_clash(others):
            await self._send_as_given(start["status"], given)
        else:
            await self.call.respond(Response(start["status"], self.body, others, caching))

    async def _send_as_given(self, status: int, headers: list[Header]) -> None:
        """A response whose headers say what the gate's would: they are held against each other, as those of mounts."""
        await self.pass_on({"type": "http.response.start", "status": status, "headers": headers})
        await self.pass_on({"type": "http.response.body", "body": self.body})


def _wrapped(wrap: Wrap, app: ASGIApp, source: str) -> ASGIApp:
    name = getattr(wrap, "__name__", repr(wrap))
    try:
        made = wrap(app)
    except TypeError as error:
        raise ConfigurationError(f"{error}.", location=f"App(middleware=[{name}])", source=source) from error
    if not callable(made):
        hint = "Return an ASGI application."
        raise ConfigurationError(f"returned {made!r}.", location=f"App(middleware=[{name}])", hint=hint, source=source)
    return made
