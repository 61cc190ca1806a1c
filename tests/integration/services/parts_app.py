"""Unique rows of resources that serve a part of their table, have another key, no routes, or classes below them."""

from functools import partial
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Identity, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Conflict, Resource, Service, anyone, authenticated


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Numbered:
    """A key that the database makes."""

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)


class Pin(Numbered, Base):
    """Served where it is not removed, by its name, by statements."""

    __tablename__ = "pins"

    name: Mapped[str] = mapped_column(unique=True)
    is_removed: Mapped[bool] = mapped_column(default=False)


class Badge(Numbered, Base):
    """The same, through a service."""

    __tablename__ = "badges"

    name: Mapped[str] = mapped_column(unique=True)
    is_removed: Mapped[bool] = mapped_column(default=False)


class Badges(Service[Badge]):
    """Changes nothing."""

    async def create(self, draft: Badge, actor: Actor) -> Badge:
        return await super().create(draft, actor)


class Pinned(Numbered, Base):
    """Below a pin in paths."""

    __tablename__ = "pinned"

    pin_id: Mapped[int] = mapped_column(ForeignKey("pins.id"), unique=True)
    pin: Mapped[Pin] = relationship()


class Tool(Numbered, Base):
    """Made by its service, except for the classes below it that have resources of their own."""

    __tablename__ = "tools"
    __mapper_args__: Any = {"polymorphic_on": "kind", "polymorphic_identity": "tool"}  # noqa: RUF012

    kind: Mapped[str]
    name: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[str] = mapped_column(default="nobody")


class Tools(Service[Tool]):
    """Completes what it makes."""

    async def before_create(self, draft: Tool, actor: Actor) -> None:
        draft.made_by = "tools"


class Hammer(Tool):
    """Belongs to the resource of tools."""

    __mapper_args__: Any = {"polymorphic_identity": "hammer"}  # noqa: RUF012


class Saw(Tool):
    """Has a resource of its own, without a service."""

    __mapper_args__: Any = {"polymorphic_identity": "saw"}  # noqa: RUF012


class Drill(Tool):
    """Has a resource of its own, whose service keeps the rows."""

    __mapper_args__: Any = {"polymorphic_identity": "drill"}  # noqa: RUF012


class Drills(Service[Drill]):
    """Drills are kept."""

    async def before_delete(self, row: Drill, actor: Actor) -> None:
        raise Conflict("kept", "Drills are kept.")


class Lap(Numbered, Base):
    """Two unique columns, and a service that loses races."""

    __tablename__ = "laps"

    name: Mapped[str] = mapped_column(unique=True)
    code: Mapped[str] = mapped_column(unique=True)


class Laps(Service[Lap]):
    """Another transaction stores the rows of `faster` first."""

    faster: ClassVar[list[Lap]] = []
    announced: ClassVar[list[str]] = []

    async def before_create(self, draft: Lap, actor: Actor) -> None:
        self.after_commit(partial(self.announced.append, draft.code))
        while self.faster:
            async with app.transaction() as other:
                other.session.add(self.faster.pop())


app = App(
    Resource(Lap, read=anyone, write=authenticated, service=Laps),
    Resource(Pin, read=anyone, write=authenticated, where=~Pin.is_removed, key=Pin.name),
    Resource(Badge, read=anyone, write=authenticated, where=~Badge.is_removed, key=Badge.name, service=Badges),
    Resource(Pinned, read=anyone, write=authenticated, under="pins/{pin:name}"),
    Resource(Tool, read=anyone, write=authenticated, routes=False, service=Tools),
    Resource(Saw, path="saws", read=anyone, write=authenticated),
    Resource(Drill, path="drills", read=anyone, write=authenticated, service=Drills),
)
