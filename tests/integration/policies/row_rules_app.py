"""An app made for the rest of policies: ownership on create, relations, rules of fields, many shapes of one rule."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData, Numeric, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    Changes,
    Field,
    Model,
    Resource,
    Service,
    anyone,
    authenticated,
    nobody,
    owner,
    policy,
    role,
)
from gatepost.models.base import NAMING

shapes: dict[str, Any] = {}
"""What `shaped` returns for an actor, by the actor's id; a test sets it."""


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Stall(Base):
    """Hidden from all but its keeper."""

    __tablename__ = "stalls"

    name: Mapped[str] = mapped_column(index=True)
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Good(Base):
    """Open to all, on a stall that is not."""

    __tablename__ = "goods"

    name: Mapped[str] = mapped_column(index=True)
    stall_id: Mapped[UUID] = mapped_column(ForeignKey("stalls.id"), index=True)
    stall: Mapped[Stall] = relationship()
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal("1.24"))
    seller_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"))
    cost: Mapped[int] = mapped_column(default=7)
    note: Mapped[str] = mapped_column(default="secret")
    grade: Mapped[str] = mapped_column(default="plain")


class Sale(Base):
    """Belongs to its buyer; an admin may enter it for somebody else."""

    __tablename__ = "sales"

    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    text: Mapped[str] = mapped_column(default="")


class Gift(Base):
    """May be given away: whoever is signed in may change it."""

    __tablename__ = "gifts"

    holder_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Cheap(Base):
    __tablename__ = "cheap"

    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))


class Entry(Base):
    __tablename__ = "market_entries"

    number: Mapped[int] = mapped_column(index=True)
    writer_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Crowd(Base):
    """Its policy looks at the goods, while goods may stand in the same statement."""

    __tablename__ = "crowds"

    good_id: Mapped[UUID] = mapped_column(ForeignKey("goods.id"), index=True)
    good: Mapped[Good] = relationship()


class Party(Base):
    """Everybody may see it, but not who is invited."""

    __tablename__ = "parties"

    name: Mapped[str] = mapped_column(index=True)
    host_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    invites: Mapped[list["Invite"]] = relationship(back_populates="party")
    guest_list: Mapped["GuestList | None"] = relationship(back_populates="party", uselist=False)


class Invite(Base):
    """Whoever knows its key may see it; nobody may list them."""

    __tablename__ = "invites"

    name: Mapped[str] = mapped_column(index=True)
    party_id: Mapped[UUID] = mapped_column(ForeignKey("parties.id"), index=True)
    party: Mapped[Party] = relationship(back_populates="invites")


class GuestList(Base):
    """One for each party; to be listed by an admin, and where it is public."""

    __tablename__ = "guest_lists"

    name: Mapped[str] = mapped_column(index=True)
    party_id: Mapped[UUID] = mapped_column(ForeignKey("parties.id"), index=True, unique=True)
    party: Mapped[Party] = relationship(back_populates="guest_list")


class Seat(Base):
    """Refers to an invite and to a guest list."""

    __tablename__ = "seats"

    invite_id: Mapped[UUID | None] = mapped_column(ForeignKey("invites.id"), index=True)
    guest_list_id: Mapped[UUID | None] = mapped_column(ForeignKey("guest_lists.id"), index=True)
    invite: Mapped[Invite | None] = relationship()
    guest_list: Mapped[GuestList | None] = relationship()


class Crowds(Service[Crowd]):
    """Changes the good that it gathers around, and renames the stall of one that is called "theirs"."""

    async def after_create(self, row: Crowd, actor: Actor) -> None:
        good = await self.service(Good).get(row.good_id, actor)
        await self.service(Good).update(good, Changes({"cost": 99, "grade": "gold", "note": "seen"}), actor)
        if good.name == "theirs":
            stall = await self.session.get_one(Stall, good.stall_id)
            await self.service(Stall).update(stall, Changes({"name": "mine"}), actor)


@policy
def shaped(model: Any, actor: Actor) -> Any:
    """Another condition for every actor, as the test wants it."""
    return False if actor.is_anonymous else shapes[str(actor.id)](model, actor)


@policy
def below(model: Any, actor: Actor) -> Any:
    """A number finer than the column keeps."""
    return model.price < Decimal("1.245")


@policy
def is_seller(model: Any, actor: Actor) -> Any:
    """A condition for users, a plain bool for admins."""
    return True if "admin" in actor.roles else model.seller_id == actor.id


@policy
def is_public(model: Any, actor: Actor) -> Any:
    """A condition on the row."""
    return model.name == "public"


@policy
def keeps_a_named_good(model: Any, actor: Actor) -> Any:
    """A stall on which there is a good of this name."""
    return select(Good.id).where(Good.stall_id == model.id, Good.name == "apple").exists()


app = App(
    Resource(Stall, read=owner("keeper_id") | keeps_a_named_good & role("inspector"), write=owner("keeper_id")),
    Resource(
        Good,
        read=anyone,
        write=authenticated,
        fields={
            "cost": Field(read=owner("seller_id"), write=role("admin")),
            "note": Field(read=is_seller, write=authenticated),
            "grade": Field(write=owner("seller_id")),
        },
    ),
    Resource(Sale, read=role("admin") | owner("buyer_id"), write=role("admin") | owner("buyer_id")),
    Resource(Gift, read=anyone, update=owner("holder_id") | authenticated, create=owner("holder_id")),
    Resource(Cheap, read=below),
    Resource(Entry, read=shaped, write=shaped, sort=["number"]),
    Resource(Party, read=anyone),
    Resource(Invite, list=nobody, get=anyone),
    Resource(GuestList, list=role("admin") | is_public, get=anyone),
    Resource(Seat, read=anyone),
    Resource(Crowd, read=anyone, create=authenticated, service=Crowds),
)
