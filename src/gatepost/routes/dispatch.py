"""Behind the gate: the access control, then the endpoint's handler."""

from collections.abc import Awaitable, Callable, Mapping
from typing import NoReturn

from msgspec.structs import replace

from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send
from gatepost.call import Admit, Call, Response
from gatepost.errors import Header, Problem
from gatepost.operations import RouteRules
from gatepost.response_additions import ResponseAdditions, StreamedBody

Explain = Callable[[Exception], Awaitable[Problem | None]]


class Dispatch:
    """The innermost ASGI layer. `admit` is that of the access control, which finds the actor. `explain` is asked what
    an unexpected error means. `mounts` are the mounted applications, by their routes. Behind middlewares (`is_wrapped`)
    a response is sent as the messages that they read."""

    def __init__(
        self, *, admit: Admit, mounts: Mapping[RouteRules, ASGIApp], explain: Explain, is_wrapped: bool = False
    ) -> None:
        self._is_wrapped = is_wrapped
        self._admit = admit
        self._explain = explain
        self._mounts = mounts

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request that the gate has admitted."""
        call: Call = scope["gatepost"]
        if call.endpoint is None:
            assert call.rules is not None  # noqa: S101 - the gate refuses what matches nothing
            await self._mounts[call.rules](scope, receive, send)
            return
        admit = self._admit  # as a local name: Python 3.11 is slow at calling an attribute that is not a method
        try:
            if (pending := admit(call)) is not None:
                await pending
            _, handler = call.endpoint
            response = await handler(call)
        except Problem:
            raise
        except Exception as error:
            await self._raise_explained(error)
        if call.additions is not None:
            call.additions.is_kept = True  # whether or not the client still takes the response
            response = completed(response, call.additions)
            if call.additions.streamed is not None:
                await self._stream(call.additions.streamed, response, receive, send)
                return
        if self._is_wrapped:
            await send_messages(response, send)
        else:
            await call.respond(response)

    async def _stream(self, body: StreamedBody, response: Response, receive: Receive, send: Send) -> None:
        """Send a response whose body is made meanwhile."""
        try:
            await body.send(_start(response), receive, send)
        except Problem:
            raise
        except Exception as error:
            await self._raise_explained(error)

    async def _raise_explained(self, error: Exception) -> NoReturn:
        """Raise the refusal that an unexpected error means, or the error itself."""
        problem = await self._explain(error)
        if problem is None:
            raise error
        raise problem from error


async def send_messages(response: Response, send: Send) -> None:
    """Send a response as ASGI messages."""
    await send(_start(response, (b"content-length", b"%d" % len(response.body))))
    await send({"type": "http.response.body", "body": response.body})


def _start(response: Response, *further: Header) -> Message:
    """The message that begins a response."""
    headers = [*response.headers, *further]
    if response.cache_control is not None:
        headers.append((b"cache-control", response.cache_control))
    return {"type": "http.response.start", "status": response.status, "headers": headers}


def completed(response: Response, additions: ResponseAdditions) -> Response:
    """A response with what code has added to it."""
    return replace(
        response,
        headers=additions.headers(response.headers),
        cache_control=additions.caching(response.cache_control),
    )
