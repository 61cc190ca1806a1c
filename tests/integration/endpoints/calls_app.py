"""Endpoints that use their call: headers, cookies, state, language, and what runs after the response."""

import asyncio
from typing import Annotated, Any

import msgspec
from annotated_types import Len
from sqlalchemy.orm import Mapped

from gatepost import (
    CORS,
    App,
    Call,
    Conflict,
    Controller,
    Model,
    RateLimit,
    Resource,
    Response,
    anyone,
    authenticated,
    get,
    minutes,
    post,
)
from gatepost.asgi import Receive, Scope, Send
from gatepost.events import AfterResponseFailed
from gatepost.response_additions import AfterResponse


class Lamp(Model):
    __tablename__ = "call_lamps"

    name: Mapped[Annotated[str, Len(1, 50)]]


class Word(msgspec.Struct):
    word: str


happened: list[str] = []
"""What ran after responses, in order."""

scheduled: list[AfterResponse] = []
"""What `/schedule` is to run after its response."""

failures: list[AfterResponseFailed] = []


class Calls(Controller):
    path = "calls"

    @get("/told", allow=anyone)
    async def told(self, call: Call) -> dict[str, Any]:
        call.set_header("X-Note", "seen")
        return {"agent": call.header("User-Agent"), "none": call.header("x-none"), "language": call.language}

    @get("/plain", allow=anyone)
    async def plain(self) -> dict[str, Any]:
        return {}

    @post("/cookie", allow=anyone)
    async def cookie(self, call: Call) -> None:
        call.set_cookie("theme", "light")
        call.set_cookie("theme", "dark", max_age=60)
        call.set_cookie("seen", "1", path="/api")

    @get("/cached", allow=anyone, cache_control="public, max-age=60")
    async def cached(self) -> dict[str, Any]:
        return {}

    @get("/cached-cookie", allow=anyone, cache_control="public, max-age=60")
    async def cached_cookie(self, call: Call) -> dict[str, Any]:
        call.set_cookie("theme", "dark")
        return {}

    @get("/cached-refusal", allow=anyone, cache_control="public, max-age=60")
    async def cached_refusal(self) -> dict[str, Any]:
        raise Conflict("not_now", "Later.")

    @get("/cached-itself", allow=anyone, cache_control="public, max-age=60")
    async def cached_itself(self, call: Call) -> Response:
        return Response.json({"own": True}, cache_control="no-cache")

    @get("/cached-header", allow=anyone)
    async def cached_header(self, call: Call) -> dict[str, Any]:
        call.set_header("Cache-Control", "max-age=5")
        return {}

    @post("/refused", allow=anyone, raises=[Conflict("not_now", "Later.")])
    async def refused(self, call: Call) -> None:
        call.set_header("X-Note", "seen")
        call.set_cookie("theme", "dark")
        call.after_response(lambda: happened.append("refused"))
        raise Conflict("not_now", "Later.")

    @post("/split", allow=anyone)
    async def split(self, body: Word, call: Call) -> None:
        call.set_header("X-Note", body.word)

    @get("/state", allow=anyone)
    async def state(self, call: Call) -> dict[str, Any]:
        call.state["count"] = call.state.get("count", 0) + 1
        return {"count": call.state["count"], "is_scopes": call.scope["state"] is call.state}

    @post("/after", allow=anyone)
    async def after(self, body: Word, call: Call) -> str:
        async def later() -> None:
            await asyncio.sleep(0)
            happened.append(f"async {body.word}")

        def fails() -> None:
            raise RuntimeError(body.word)

        call.after_response(lambda: happened.append(f"sync {body.word}"))
        call.after_response(fails)
        call.after_response(later)
        happened.append(f"endpoint {body.word}")
        return body.word

    @post("/schedule", allow=anyone)
    async def schedule(self, call: Call) -> None:
        for callback in scheduled:
            call.after_response(callback)

    @post("/teapot", allow=authenticated, status=202, headers={"Referrer-Policy": "same-origin"})
    async def teapot(self) -> str:
        return "tea"

    @post("/limited", allow=anyone, rate_limit=RateLimit(2, per=minutes(1)), body_bytes_max=40)
    async def limited(self, body: Word) -> str:
        return body.word

    @get("/shared", allow=anyone, cors=CORS("https://shop.example"))
    async def shared(self) -> str:
        return "shared"

    @get("/redirect", allow=anyone)
    async def redirect(self) -> Response:
        return Response.redirect("/api/calls/plain")


class LampRoutes(Controller[Lamp]):
    """Inherits what the resource declares."""

    @post("/words", allow=anyone)
    async def words(self, body: Word) -> str:
        return body.word


async def legacy(scope: Scope, receive: Receive, send: Send) -> None:
    """A mounted application that uses the call."""
    call: Call = scope["gatepost"]
    call.set_header("x-note", "mounted")
    call.set_cookie("theme", "dark")
    call.after_response(lambda: happened.append("mounted"))
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"public")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"old"})


def calls_app() -> App:
    """The app: one of its own for a test that starts and stops one."""
    made = App(
        Resource(
            Lamp,
            path="lamps",
            read=anyone,
            controller=LampRoutes,
            rate_limit=RateLimit(3, per=minutes(1)),
            body_bytes_max=60,
            json_depth_max=2,
            headers={"Referrer-Policy": "origin"},
            cors=CORS("https://lamps.example"),
        ),
        controllers=[Calls],
        mount={"/legacy": legacy},
    )
    made.events.subscribe(AfterResponseFailed, failures.append)
    return made


app = calls_app()
