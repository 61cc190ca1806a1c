"""An app with authenticators of its own, and mounted applications with and without a lifespan."""

from typing import Any

import msgspec
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped

from gatepost import (
    Actor,
    App,
    BearerTokens,
    Call,
    Controller,
    Model,
    Resource,
    UserAuthenticator,
    UserColumns,
    VerifiedUser,
    anyone,
    authenticated,
    get,
    post,
)
from gatepost.asgi import Receive, Scope, Send
from gatepost.models.base import NAMING


class HallBase(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class HallUser(HallBase, UserColumns):
    __tablename__ = "hall_users"


class HallNote(HallBase):
    __tablename__ = "hall_notes"

    text: Mapped[str]


happened: list[str] = []
"""What the lifespans of mounted applications did."""


async def respond(send: Send, body: object, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": msgspec.json.encode(body)})


async def telling(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells what it finds, and uses the app at its start and its end."""
    if scope["type"] == "lifespan":
        found: App = scope["gatepost.app"]
        assert (await receive())["type"] == "lifespan.startup"
        scope["state"]["greeting"] = "hello"
        async with found.transaction() as tx:
            tx.session.add(HallNote(text="started"))
        happened.append("started")
        await send({"type": "lifespan.startup.complete"})
        assert (await receive())["type"] == "lifespan.shutdown"
        async with found.transaction() as tx:
            tx.session.add(HallNote(text="stopped"))
        happened.append("stopped")
        await send({"type": "lifespan.shutdown.complete"})
        return
    call: Call = scope["gatepost"]
    async with scope["gatepost.app"].transaction(call.actor) as tx:
        notes = (await tx.session.scalars(tx.select(HallNote))).all()
        body: dict[str, Any] = {
            "actor": call.actor.id,
            "roles": sorted(call.actor.roles),
            "root_path": scope["root_path"],
            "greeting": scope["state"]["greeting"],
            "notes": len(notes) > 0,
            "is_actor": tx.actor is call.actor,
        }
    await respond(send, body)


async def without_lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """As Django is."""
    if scope["type"] != "http":
        raise ValueError(f"only HTTP, not {scope['type']}")
    await respond(send, {"state": dict(scope["state"])})


class HallCookies(UserAuthenticator):
    """The key of a user in a cookie."""

    challenge = "Session"
    headers = ("cookie",)
    is_ambient = True

    def find_credentials(self, call: Call) -> bytes | None:
        session = call.cookie("hall")
        return None if session is None else session.encode()

    async def verify(self, credentials: bytes) -> VerifiedUser:
        return VerifiedUser(credentials.decode())


class HallPartners:
    """An authenticator of its own: the four members, and the actor made by itself."""

    challenge = "Partner"
    headers = ("x-partner",)
    is_ambient = False

    def find(self, call: Call) -> Actor | None:
        return None

    async def load(self, call: Call) -> Actor | None:
        name = call.headers.get(b"x-partner")
        return None if name is None else Actor(name.decode(), frozenset({"partner"}))


class HallRoutes(Controller):
    path = "hall"

    @post("/touch", allow=authenticated)
    async def touch(self, actor: Actor) -> dict[str, Any]:
        return {"actor": actor.id, "roles": sorted(actor.roles)}

    @get("/look", allow=anyone)
    async def look(self, actor: Actor) -> dict[str, Any]:
        return {"actor": actor.id}


app = App(
    Resource(HallNote, path="notes", read=authenticated),
    users=HallUser,
    controllers=[HallRoutes],
    authenticators=[BearerTokens(), HallCookies(), HallPartners()],
    mount={"/telling": telling, "/plain": without_lifespan},
)
