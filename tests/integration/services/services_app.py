"""Rows that a service finds or makes by their unique values, under policies of every kind, and services that call each
other."""

from typing import Any
from uuid import UUID

from sqlalchemy import Identity, Index, Integer, MetaData, UniqueConstraint, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Resource, Service, anyone, authenticated, nobody, owner, policy


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Keyed:
    """A key that the database makes."""

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)


class Book(Keyed, Base):
    """Without a unique constraint; its owner reads and writes it."""

    __tablename__ = "books"

    title: Mapped[str]
    stock: Mapped[int] = mapped_column(default=0)
    owner_id: Mapped[UUID]


class Books(Service[Book]):
    """A service with a method of its own."""

    def low(self) -> str:
        """What no other service has."""
        return "low"


class Note(Keyed, Base):
    """A model that has no service of its own."""

    __tablename__ = "notes"

    text: Mapped[str]


class Favorite(Keyed, Base):
    """A row for each user and book, which belongs to the user. Plain: one statement makes it."""

    __tablename__ = "favorites"
    __table_args__ = (UniqueConstraint("user_id", "book_id"),)

    user_id: Mapped[UUID]
    book_id: Mapped[int]
    stars: Mapped[int] = mapped_column(default=lambda: 5)


class Tag(Keyed, Base):
    """A name that everybody shares, made by a service."""

    __tablename__ = "tags"

    name: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[str] = mapped_column(default="nobody")


class Tags(Service[Tag]):
    """Completes what it makes, and may only delete what is not kept."""

    async def before_create(self, draft: Tag, actor: Actor) -> None:
        draft.made_by = "tags"


class Label(Keyed, Base):
    """As a tag, but for a listener of the mapper in the place of the service."""

    __tablename__ = "labels"

    name: Mapped[str] = mapped_column(unique=True)
    made_by: Mapped[str] = mapped_column(default="nobody")


@event.listens_for(Label, "before_insert")
def _complete(_mapper: Any, _connection: Any, label: Label) -> None:
    label.made_by = "listener"


class Secret(Keyed, Base):
    """Everybody may make one, its owner alone may read it. Plain."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[UUID]


class Hidden(Keyed, Base):
    """The same, by a service."""

    __tablename__ = "hidden"

    name: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[UUID]


class HiddenRows(Service[Hidden]):
    """Overrides what makes the ORM write."""

    async def create(self, draft: Hidden, actor: Actor) -> Hidden:
        return await super().create(draft, actor)


class Seat(Keyed, Base):
    """Two unique constraints, and indexes that are none."""

    __tablename__ = "seats"
    __table_args__ = (
        Index("seats_place", "row", "number", unique=True),
        Index("seats_front", "number", unique=True, postgresql_where=text("row = 'front'")),
    )

    row: Mapped[str]
    number: Mapped[int]
    code: Mapped[str | None] = mapped_column(unique=True)


class Country(Base):
    """A key of its own."""

    __tablename__ = "countries"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]


class Short(Keyed, Base):
    """The policy of creation needs SQL."""

    __tablename__ = "shorts"

    name: Mapped[str] = mapped_column(unique=True)


short = policy(lambda model, _actor: model.name.like("s%"))

app = App(
    Resource(Book, read=owner(Book.owner_id), write=owner(Book.owner_id), service=Books, sort=[Book.title]),
    Resource(Note, read=anyone, write=anyone),
    Resource(Favorite, read=owner(Favorite.user_id), write=owner(Favorite.user_id)),
    Resource(Tag, read=anyone, create=authenticated, delete=nobody, service=Tags),
    Resource(Label, read=anyone, write=authenticated),
    Resource(Secret, read=owner(Secret.owner_id), write=owner(Secret.owner_id)),
    Resource(Hidden, read=owner(Hidden.owner_id), write=owner(Hidden.owner_id), service=HiddenRows),
    Resource(Seat, read=anyone, write=anyone),
    Resource(Country, read=anyone, write=anyone),
    Resource(Short, read=anyone, create=short),
)
