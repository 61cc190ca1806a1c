"""Texts that are equal though they differ: keys, owners, references and lists in columns of `CITEXT`."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ARRAY, ForeignKey
from sqlalchemy.dialects.postgresql import CITEXT, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Resource, Service, UserColumns, anyone, owner
from gatepost.models.list_query import ListQuery


class Base(DeclarativeBase):
    """A MetaData of its own."""


class Account(UserColumns, Base):
    __tablename__ = "accounts"

    id: Mapped[str] = mapped_column(CITEXT, primary_key=True)


class Writer(Base):
    __tablename__ = "writers"

    nick: Mapped[str] = mapped_column(CITEXT, primary_key=True)


class Labelled:
    """What derived statements and a service list alike."""

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(CITEXT)
    other: Mapped[str | None] = mapped_column(CITEXT)
    tags: Mapped[list[str]] = mapped_column(ARRAY(CITEXT))
    data: Mapped[Any] = mapped_column(JSONB)


class Entry(Labelled, Base):
    __tablename__ = "entries"


class Line(Labelled, Base):
    __tablename__ = "lines"


class Owned:
    """What belongs to an account."""

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(default="text")


class Post(Owned, Base):
    __tablename__ = "posts"

    owner_id: Mapped[str] = mapped_column(CITEXT, ForeignKey("accounts.id"))
    nick: Mapped[str | None] = mapped_column(CITEXT, ForeignKey("writers.nick"), index=True)
    writer: Mapped[Writer | None] = relationship()


class Note(Owned, Base):
    __tablename__ = "notes"

    owner_id: Mapped[str] = mapped_column(CITEXT, ForeignKey("accounts.id"))
    nick: Mapped[str | None] = mapped_column(CITEXT, ForeignKey("writers.nick"), index=True)
    writer: Mapped[Writer | None] = relationship()


class Lines(Service[Line]):
    """Lists through the ORM, and changes nothing."""

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Line]:
        return await super().list(query, actor)


class Notes(Service[Note]):
    """Writes through the ORM, and changes nothing."""

    async def before_create(self, draft: Note, actor: Actor) -> None:
        await super().before_create(draft, actor)

    async def before_update(self, row: Note, changes: Any, actor: Actor) -> None:
        await super().before_update(row, changes, actor)

    async def before_delete(self, row: Note, actor: Actor) -> None:
        await super().before_delete(row, actor)


def labelled(model: type[Any], service: type[Any] | None = None) -> Resource[Any]:
    """A resource that offers everything that can be asked of the columns."""
    return Resource(
        model,
        read=anyone,
        write=anyone,
        service=service,
        sort=["label", "other"],
        filter=["tags", "data.color"],
        search=["label"],
    )


def owned(model: type[Any], service: type[Any] | None = None) -> Resource[Any]:
    """A resource of rows that their owners write."""
    mine = owner("owner_id")
    return Resource(model, read=anyone, create=mine, update=mine, delete=mine, service=service)


app = App(
    Resource(Writer, read=anyone, write=anyone),
    labelled(Entry),
    labelled(Line, Lines),
    owned(Post),
    owned(Note, Notes),
    users=Account,
)
