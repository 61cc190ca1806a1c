"""A club whose controllers register members, sign them in and change passwords: what the tests of this folder serve."""

import contextlib
import json
from typing import Annotated, Any

import msgspec
from annotated_types import Len
from asyncpg.exceptions import InvalidCachedStatementError
from sqlalchemy import MetaData, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    DTO,
    Accounts,
    Actor,
    App,
    Call,
    Conflict,
    Controller,
    Created,
    Credentials,
    Field,
    Model,
    Resource,
    Service,
    Unauthorized,
    UserColumns,
    anyone,
    authenticated,
    computed,
    get,
    nobody,
    owner,
    post,
)
from gatepost.asgi import Receive, Scope, Send
from gatepost.models.base import NAMING


class ClubBase(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class ClubMember(ClubBase, UserColumns):
    __tablename__ = "club_members"

    username: Mapped[Annotated[str, Len(2, 50)]] = mapped_column(unique=True)
    greeting: Mapped[str] = mapped_column(default="")


class ClubMembers(Service[ClubMember]):
    """An override that a registration must not step around."""

    async def before_create(self, draft: ClubMember, actor: Actor) -> None:
        if draft.username == "forbidden":
            raise Conflict("not_this_name", "Choose another name.")
        draft.greeting = f"Hello {draft.username}, from {actor!r}"

    async def rename(self, member: ClubMember, password: str) -> str:
        """A service that uses accounts."""
        return await self.accounts.set_password(member, password)


class Me(DTO[ClubMember]):
    username: str
    token: str | None = computed(Accounts().token())


class NewMember(msgspec.Struct):
    username: str
    email: str
    password: str


class Guesses(msgspec.Struct):
    email: str
    passwords: list[str]


class NewPassword(msgspec.Struct):
    password: str


ran: set[str] = set()


def run_again_once(name: str) -> None:
    """Fail as a statement does that a migration has changed: the transaction runs again."""
    if name not in ran:
        ran.add(name)
        raise InvalidCachedStatementError("cached plan must not change result type")


class Door(Controller):
    path = "door"
    accounts: Accounts

    @post("/register", allow=anyone)
    async def register(self, body: NewMember) -> Created[ClubMember]:
        member = ClubMember(username=body.username, email=body.email)
        return Created(await self.accounts.register(member, body.password))

    @post("/enter", allow=anyone)
    async def enter(self, body: Credentials, call: Call) -> dict[str, Any]:
        before = call.actor.is_anonymous
        member: ClubMember = await self.accounts.sign_in(body.email, body.password)
        return {
            "was_anonymous": before,
            "actor": call.actor.id,
            "username": member.username,
            "token": await self.accounts.issue(member),
        }

    @post("/look", allow=anyone)
    async def look(self, body: Credentials) -> ClubMember:
        """Shows the row as the member sees it."""
        member: ClubMember = await self.accounts.sign_in(body.email, body.password)
        return member

    @post("/join", allow=anyone, answers=Me)
    async def join(self, body: NewMember) -> Created[ClubMember]:
        member = ClubMember(username=body.username, email=body.email)
        return Created(await self.accounts.register(member, body.password))

    @post("/me", allow=anyone, answers=Me)
    async def me_signed_in(self, body: Credentials) -> ClubMember:
        member: ClubMember = await self.accounts.sign_in(body.email, body.password)
        return member

    @get("/me", allow=authenticated, answers=Me)
    async def me(self, actor: Actor, members: ClubMembers) -> ClubMember:
        return await members.get(actor.require_id(), actor)

    @get("/members", allow=anyone, answers=Me)
    async def members(self) -> Select[ClubMember]:
        return select(ClubMember).order_by(ClubMember.username).limit(1)

    @post("/strict", allow=anyone, auth=True)
    async def strict(self, body: Credentials, accounts: Accounts) -> dict[str, Any]:
        return {"token": await accounts.issue(await accounts.sign_in(body.email, body.password))}

    @post("/refuse", allow=anyone)
    async def refuse(self, body: Credentials) -> None:
        """Signs in, and refuses all the same."""
        await self.accounts.sign_in(body.email, body.password)
        raise Conflict("closed", "The club is closed today.")

    @post("/register-and-refuse", allow=anyone)
    async def register_and_refuse(self, body: NewMember) -> None:
        await self.accounts.register(ClubMember(username=body.username, email=body.email), body.password)
        raise Conflict("full", "The club is full.")

    @post("/many", allow=anyone)
    async def many(self, body: Guesses, accounts: Accounts) -> dict[str, Any]:
        """Tries several passwords in one request."""
        for password in body.passwords:
            with contextlib.suppress(Unauthorized):
                await accounts.sign_in(body.email, password)
        return {}

    @post("/twice/register", allow=anyone)
    async def register_twice(self, body: NewMember) -> Created[ClubMember]:
        member = ClubMember(username=body.username, email=body.email)
        await self.accounts.register(member, body.password)
        run_again_once(body.username)
        return Created(member)

    @post("/twice/enter", allow=anyone)
    async def enter_twice(self, body: Credentials, call: Call) -> str | None:
        """Signs in in a transaction that runs twice. A wrong password is no error."""
        member: ClubMember | None = None
        with contextlib.suppress(Unauthorized):
            member = await self.accounts.sign_in(body.email, body.password)
        run_again_once(call.id)
        return None if member is None else member.username

    @post("/password", allow=authenticated)
    async def password(self, body: NewPassword, actor: Actor, members: ClubMembers) -> dict[str, Any]:
        member = await members.get(actor.require_id(), actor)
        return {"token": await members.rename(member, body.password), "again": await self.accounts.issue(member)}

    @post("/password/{username}", allow=anyone)
    async def password_of(self, username: str, body: NewPassword, members: ClubMembers, call: Call) -> dict[str, Any]:
        """Changes the password of another one: the actor keeps the own token."""
        member = (await members.session.scalars(select(ClubMember).where(ClubMember.username == username))).one()
        before = call.actor.id
        token = await self.accounts.set_password(member, body.password)
        return {"token": token, "is_same_actor": call.actor.id == before}


async def lobby(scope: Scope, receive: Receive, send: Send) -> None:
    """A mounted application that signs members in."""
    message = await receive()
    given = json.loads(message["body"])
    member = await app.accounts.sign_in(given["email"], given["password"])
    body = msgspec.json.encode({"token": await app.accounts.issue(member)})
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": body})


app = App(
    Resource(
        ClubMember,
        path="members",
        read=anyone,
        update=owner("id"),
        service=ClubMembers,
        fields={"email": Field(read=owner("id"), write=nobody), "greeting": Field(read=anyone, write=nobody)},
    ),
    users=ClubMember,
    controllers=[Door],
    mount={"/lobby": lobby},
)
