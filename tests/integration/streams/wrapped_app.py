"""An app whose endpoints stream and send files behind middlewares."""

import math
from collections.abc import AsyncIterator
from functools import partial

from sqlalchemy.orm import Mapped
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response as StarletteResponse

from gatepost import App, Controller, File, Model, Resource, Stream, anyone, get
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send

lines: list[str] = []


class Wrapped(Model):
    __tablename__ = "stream_wrapped"

    name: Mapped[str]


class Marking:
    """Adds a header, and marks nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-marked", b"yes")]
            await send(message)

        await self._app(scope, receive, marked)


async def in_a_task(request: Request, call_next: RequestResponseEndpoint) -> StarletteResponse:
    """Starlette runs what is behind it in a task of its own."""
    return await call_next(request)


async def numbers(count: float, *, fails: bool) -> AsyncIterator[int]:
    try:
        number = 0
        while number < count:
            yield number
            number += 1
        if fails:
            raise RuntimeError("no more")
    finally:
        lines.append("closed")


class Numbers(Controller):
    path = "numbers"

    @get("", allow=anyone)
    async def numbers(self, fails: bool = False) -> Stream[int]:
        return Stream(numbers(2, fails=fails))

    @get("/endless", allow=anyone)
    async def endless(self) -> Stream[int]:
        """Its source never waits."""
        return Stream(numbers(math.inf, fails=False))

    @get("/file", allow=anyone)
    async def file(self) -> File:
        return File(b"0123456789")


marked = App(Resource(Wrapped, read=anyone), controllers=[Numbers], middleware=[Marking])
in_task = App(
    Resource(Wrapped, read=anyone),
    controllers=[Numbers],
    middleware=[Marking, partial(BaseHTTPMiddleware, dispatch=in_a_task)],
)
