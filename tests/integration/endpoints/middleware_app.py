"""An app behind middlewares of its own and of Starlette."""

from functools import partial
from typing import Annotated

import msgspec
from annotated_types import Len
from sqlalchemy.orm import Mapped
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gatepost import App, Call, Conflict, Controller, Model, Resource, anyone, get, post
from gatepost.asgi import ASGIApp, Message, Receive, Scope, Send


class Tile(Model):
    __tablename__ = "middleware_tiles"

    name: Mapped[Annotated[str, Len(1, 50)]]


class Word(msgspec.Struct):
    word: str


happened: list[str] = []


class Named:
    """A pure ASGI middleware: notes what passes, and adds a header."""

    def __init__(self, app: ASGIApp, *, name: str) -> None:
        self.app = app
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        call: Call = scope["gatepost"]
        assert call.rules is not None
        happened.append(f"{self.name} {call.rules.pattern}")

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"x-" + self.name.encode(), b"1")]}
            await send(message)

        try:
            await self.app({**scope}, receive, send_named)
        except Conflict as error:
            happened.append(f"{self.name} sees {error.code}")
            raise


class Shared(BaseHTTPMiddleware):
    """One of Starlette's own kind: runs the rest in another task."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        if "x-stop" in request.headers:
            return JSONResponse({"stopped": True}, 418, {"x-frame-options": "SAMEORIGIN"})
        request.state.word = request.headers.get("x-word", "none")
        response = await call_next(request)
        response.headers["x-shared"] = "1"
        return response


def upper(app: ASGIApp) -> ASGIApp:
    """A middleware that is a function: it changes the body that comes in."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def receive_upper() -> Message:
            message = await receive()
            return {**message, "body": message.get("body", b"").replace(b"small", b"LARGE")}

        await app(scope, receive_upper, send)

    return wrapped


class Words(Controller):
    path = "words"

    @get("/state", allow=anyone)
    async def state(self, call: Call) -> str:
        call.after_response(lambda: happened.append("after"))
        word: str = call.state["word"]
        return word

    @post("/echo", allow=anyone, body_bytes_max=100)
    async def echo(self, body: Word) -> str:
        return body.word

    @get("/refused", allow=anyone)
    async def refused(self) -> str:
        raise Conflict("not_now", "Later.")

    @get("/long", allow=anyone, cache_control="max-age=5")
    async def long(self, call: Call) -> str:
        call.set_header("x-note", "n")
        return "word " * 2000


async def legacy(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"old", "more_body": True})
    await send({"type": "http.response.body", "body": b"er"})


app = App(
    Resource(Tile, path="tiles", read=anyone, write=anyone),
    controllers=[Words],
    middleware=[partial(Named, name="outer"), Middleware(Shared), upper, Middleware(Named, name="inner")],
    mount={"/legacy": legacy},
)

zipped = App(Resource(Tile, path="tiles", read=anyone), controllers=[Words], middleware=[Middleware(GZipMiddleware)])
