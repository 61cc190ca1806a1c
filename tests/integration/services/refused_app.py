"""Rows whose policies refuse them only once they are written, or only as another transaction has left them."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Identity, Integer, MetaData, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, synonym, validates

from gatepost import (
    Actor,
    App,
    Changes,
    Controller,
    Forbidden,
    ListQuery,
    Locked,
    Resource,
    Service,
    authenticated,
    get,
    owner,
    policy,
    post,
    role,
)


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Keyed:
    """A key that the database makes."""

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)


class Memo(Keyed, Base):
    """What nobody may create: the database makes it secret."""

    __tablename__ = "memos"

    text: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(server_default="secret")


class Journal(Keyed, Base):
    """What is written along with tickets."""

    __tablename__ = "journals"

    text: Mapped[str]


class Crew(Keyed, Base):
    """What has a lead."""

    __tablename__ = "crews"

    lead_id: Mapped[UUID] = mapped_column(index=True)


class Shift(Keyed, Base):
    """A shift, which the lead of its crew writes."""

    __tablename__ = "shifts"

    title: Mapped[str] = mapped_column(default="")
    crew_id: Mapped[int] = mapped_column(ForeignKey("crews.id"), index=True)
    crew: Mapped[Crew] = relationship()


class Badge(Keyed, Base):
    """A badge, which its owner writes."""

    __tablename__ = "badges"

    code: Mapped[str] = mapped_column(default="")
    owner_id: Mapped[UUID] = mapped_column(index=True)
    holder = synonym("owner_id")

    @validates("code")
    def given_away(self, _: str, code: str) -> str:
        if code == "give away":
            self.owner_id = UUID(int=7)
        return code


class Draft(Keyed, Base):
    """What only its owner may list, and only as long as it is no secret."""

    __tablename__ = "drafts"

    text: Mapped[str]
    owner_id: Mapped[UUID] = mapped_column(index=True)


class Drafts(Service[Draft]):
    """Reads without `super()`."""

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Draft]:
        return (await self.session.scalars(select(Draft).order_by(Draft.id))).all()


class DraftController(Controller[Draft]):
    @get("/texts", allow=authenticated)
    async def texts(self, drafts: Drafts, actor: Actor) -> list[str]:
        return [draft.text for draft in await drafts.list(ListQuery((), 100), actor)]


class Ledger(Keyed, Base):
    """A row whose version the mapper keeps."""

    __tablename__ = "ledgers"

    title: Mapped[str] = mapped_column(default="")
    owner_id: Mapped[UUID] = mapped_column(index=True)
    revision: Mapped[int] = mapped_column(default=1)
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy declares it as an instance's


class Ticket(Keyed, Base):
    """A ticket whose code begins with a t; its service writes it."""

    __tablename__ = "tickets"

    code: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = mapped_column(default="open")
    owner_id: Mapped[UUID] = mapped_column(index=True)


class Tickets(Service[Ticket]):
    """Verbs without `super()`."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Ticket:
        return await self.session.get_one(Ticket, id)

    async def create(self, draft: Ticket, actor: Actor) -> Any:
        self.session.add(draft)
        self.session.add(Journal(text=draft.code))
        await self.session.flush()
        return None if draft.status == "lost" else draft

    async def before_update(self, row: Ticket, changes: Changes[Ticket], actor: Actor) -> None:
        if changes.get("status") == "cancelled":
            await self.delete(row, actor)

    async def delete(self, row: Ticket, actor: Actor) -> None:
        await self.session.delete(row)
        await self.session.flush()


class MemoController(Controller[Memo]):
    @post("/caught", allow=authenticated)
    async def catch(self, text: str, memos: Service[Memo], actor: Actor) -> None:
        try:
            await memos.create(Memo(text=text), actor)
        except Forbidden:
            return

    @post("/ensured", allow=authenticated)
    async def ensure(self, text: str, memos: Service[Memo], actor: Actor) -> None:
        try:
            await memos.ensure(Memo(text=text), actor)
        except Forbidden:
            return

    @post("/undone", allow=authenticated)
    async def undo(self, text: str, memos: Service[Memo], actor: Actor) -> None:
        memos.session.add(Journal(text=text))
        try:
            async with memos.session.begin_nested():
                await memos.create(Memo(text=text), actor)
        except Forbidden:
            return


class TicketController(Controller[Ticket]):
    @get("/{ticket}/code", allow=authenticated)
    async def show_code(self, ticket: Ticket) -> dict[str, str]:
        return {"code": ticket.code}


class BadgeController(Controller[Badge]):
    @post("/{badge}/coded", allow=authenticated)
    async def encode(self, badge: Locked[Badge], code: str, badges: Service[Badge], actor: Actor) -> Badge:
        return await badges.update(badge, Changes[Badge]({Badge.code: code}), actor)


def is_open(model: type[Memo], actor: Actor) -> Any:
    """A condition that needs SQL."""
    return model.status == "open"


def is_public(model: type[Draft], actor: Actor) -> Any:
    """A condition that needs SQL."""
    return model.text.not_like("secret%")


def begins_with_t(model: type[Ticket], actor: Actor) -> Any:
    """A condition that needs SQL."""
    return model.code.like("t%")


app = App(
    Resource(Memo, read=authenticated, create=policy(is_open), controller=MemoController),
    Resource(Crew, read=authenticated, create=owner(Crew.lead_id)),
    Resource(Shift, read=authenticated, write=owner("crew.lead_id")),
    Resource(Draft, read=owner(Draft.owner_id) & policy(is_public), service=Drafts, controller=DraftController),
    Resource(Ledger, read=authenticated, write=owner(Ledger.owner_id)),
    Resource(Badge, read=authenticated, write=owner(Badge.owner_id), controller=BadgeController),
    Resource(
        Ticket,
        read=owner(Ticket.owner_id),
        create=owner(Ticket.owner_id) & policy(begins_with_t),
        update=authenticated,
        delete=role("admin"),
        service=Tickets,
        controller=TicketController,
    ),
)
