"""A box office whose own endpoints can be refused for every reason that derived ones are."""

from typing import Annotated
from uuid import UUID

import msgspec
from annotated_types import Len
from sqlalchemy import ForeignKey, MetaData, Select, select
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import (
    DTO,
    Actor,
    App,
    BearerTokens,
    Call,
    Changes,
    Controller,
    Created,
    Field,
    Locked,
    Model,
    RateLimit,
    Resource,
    Service,
    UserAuthenticator,
    VerifiedUser,
    anyone,
    authenticated,
    get,
    minutes,
    owner,
    policy,
    post,
    role,
)
from gatepost.models.base import NAMING


class Sold(Model):
    """Tables of this app alone."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Ticket(Sold):
    """Seen by everybody unless it is reserved; changed by its holder."""

    __tablename__ = "refused_tickets"

    seat: Mapped[Annotated[str, Len(1, 20)]]
    cost: Mapped[int] = mapped_column(default=5)
    is_reserved: Mapped[bool] = mapped_column(default=False)
    holder_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Complaint(Sold):
    """Made by everybody, read by clerks."""

    __tablename__ = "refused_complaints"

    text: Mapped[str]


class TicketBody(DTO[Ticket]):
    seat: str
    holder_id: UUID


class Word(msgspec.Struct):
    text: Annotated[str, Len(1, 100)]


class Tickets(Controller[Ticket]):
    tickets: Service[Ticket]

    @get("/{ticket}/seen", allow=anyone, cache_control="private, max-age=5")
    async def seen(self, ticket: Ticket) -> Ticket:
        """Is read by one statement."""
        return ticket

    @get("/{ticket}/looked-at", allow=anyone, cache_control="private, max-age=5")
    async def looked_at(self, ticket: Ticket) -> Ticket:
        """Runs in a transaction."""
        found: Ticket = await self.tickets.session.get_one(Ticket, ticket.id)
        return found

    @get("/held", allow=authenticated)
    async def held(self, seat: str | None = None) -> Select[Ticket]:
        return select(Ticket) if seat is None else select(Ticket).where(Ticket.seat == seat)

    @post("/{ticket}/stamped", allow=role("clerk"))
    async def stamped(self, ticket: Locked[Ticket]) -> Ticket:
        """Takes no body."""
        return ticket

    @post("/{ticket}/moved", allow=authenticated, body_bytes_max=100)
    async def moved(self, ticket: Ticket, body: Word, actor: Actor) -> Ticket:
        return await self.tickets.update(ticket, Changes[Ticket]({Ticket.seat: body.text}), actor)

    @post("/sold", allow=authenticated)
    async def sold(self, body: TicketBody, actor: Actor) -> Created[Ticket]:
        return Created(await self.tickets.create(body.row(), actor))

    @post("/rung", allow=anyone, rate_limit=RateLimit(2, per=minutes(1)))
    async def rung(self) -> int:
        return 1


class Complaints(Controller[Complaint]):
    @post("/filed", allow=anyone)
    async def filed(self, body: Word, complaints: Service[Complaint], actor: Actor) -> Created[Complaint]:
        return Created(await complaints.create(Complaint(text=body.text), actor))


class OfficeCookies(UserAuthenticator):
    """Sessions that browsers send by themselves."""

    challenge = "Session"
    headers = ("cookie",)
    is_ambient = True

    def __init__(self) -> None:
        self.sessions: dict[bytes, UUID] = {}

    def find_credentials(self, call: Call) -> bytes | None:
        session = call.cookie("session")
        return None if session is None else session.encode()

    async def verify(self, credentials: bytes) -> VerifiedUser | None:
        user = self.sessions.get(credentials)
        return None if user is None else VerifiedUser(user)


def is_public(model: type[Ticket], actor: Actor) -> object:
    return model.is_reserved.is_(False)


cookies = OfficeCookies()


def office_app() -> App:
    """The office: a test that needs other settings starts one of its own."""
    return App(
        Resource(
            Ticket,
            path="tickets",
            read=policy(is_public) | owner("holder_id"),
            create=owner("holder_id") | role("clerk"),
            update=owner("holder_id"),
            fields={"cost": Field(read=role("clerk"), write=role("clerk"))},
            controller=Tickets,
        ),
        Resource(Complaint, path="complaints", read=role("clerk"), create=anyone, controller=Complaints),
        authenticators=[BearerTokens(), cookies],
    )


app = office_app()
