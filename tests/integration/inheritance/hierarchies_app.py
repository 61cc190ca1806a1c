"""Hierarchies with what their classes add: hooks, validators, columns, defaults, other discriminators, users."""

import enum

from sqlalchemy import Enum, ForeignKey, MetaData, func, select
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, relationship, validates

from gatepost import Actor, App, Changes, Conflict, Resource, Service, UserColumns, anyone, owner, policy, role
from gatepost.declaring.resource import hidden
from gatepost.models.base import NAMING

events: list[str] = []
"""What the hooks did."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Person(Base, UserColumns):
    __tablename__ = "people"
    __mapper_args__ = {"polymorphic_on": "sort", "polymorphic_identity": 1}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    sort: Mapped[int]


class Member(Person):
    """Who may sign in."""

    __mapper_args__ = {"polymorphic_identity": 2}  # noqa: RUF012

    nick: Mapped[str | None]


class Kind(enum.Enum):
    DEED = "deed"
    WILL = "will"


class Paper(Base):
    """Without an identity: each row is of a subclass."""

    __tablename__ = "papers"
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind))
    title: Mapped[str] = mapped_column(index=True)
    size: Mapped[int] = mapped_column(default=1, index=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))


class Deed(Paper):
    __mapper_args__ = {"polymorphic_identity": Kind.DEED}  # noqa: RUF012

    seal: Mapped[str | None] = mapped_column(unique=True)
    heir_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    heir: Mapped[Person | None] = relationship(foreign_keys=heir_id)


class Will(Paper):
    __mapper_args__ = {"polymorphic_identity": Kind.WILL}  # noqa: RUF012

    notary_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    state: Mapped[str | None] = mapped_column(default="draft")

    @validates("title")
    def _named(self, _name: str, title: str) -> str:
        if title == "refused":
            raise ValueError("A will has a name.")
        return title.upper()


class Deeds(Service[Deed]):
    isolation = "serializable"

    async def before_update(self, row: Deed, changes: Changes[Deed], actor: Actor) -> None:
        events.append(f"{type(row).__name__} {row.seal} {dict(changes)}")
        if changes.get("title") == "refused":
            raise Conflict("sealed", "The deed is sealed.")

    async def before_delete(self, row: Deed, actor: Actor) -> None:
        raise Conflict("kept", "Deeds are kept.")


papers = App(
    Resource(Paper, read=anyone, write=role("clerk")),
    Resource(
        Deed,
        path="deeds",
        read=anyone,
        write=role("clerk"),
        fields={"size": hidden},
        service=Deeds,
    ),
    Resource(
        Will, path="wills", read=owner("owner_id") | owner("notary_id"), write=role("clerk"), require_if_match=True
    ),
    users=Member,
)


class Loud(Base):
    """Discriminators that the database compares without regard to case."""

    __tablename__ = "loud"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "it's 50%\\"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(CITEXT)
    name: Mapped[str]


class Louder(Loud):
    __mapper_args__ = {"polymorphic_identity": "Louder"}  # noqa: RUF012


class Shelf(Base):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    louder_id: Mapped[int | None] = mapped_column(ForeignKey("loud.id"))
    louder: Mapped[Louder | None] = relationship()
    louder_count: Mapped[int] = column_property(select(func.count(Louder.id)).scalar_subquery())


class Lines(Service[Loud]):
    async def update(self, row: Loud, changes: Changes[Loud], actor: Actor) -> Loud:
        events.append(type(row).__name__)
        return await super().update(row, changes, actor)


louds = App(
    Resource(Loud, read=anyone, write=anyone, service=Lines),
    Resource(Louder, path="louder", read=anyone, write=anyone),
    Resource(
        Shelf,
        path="shelves",
        read=policy(lambda shelf, actor: shelf.louder.has(Louder.name != "secret") | shelf.louder_id.is_(None)),
        write=anyone,
    ),
    users=Member,
)
