"""Apps made for totals and offsets: rows of every plan of a page, under a policy, paged by cursors and by offsets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Resource, Service, anyone, authenticated, owner, role
from gatepost.declaring.paging import BY_CURSORS, Paging
from gatepost.models.base import NAMING
from gatepost.models.list_query import ListQuery

BYTES_MAX = 4_000
LIMIT = 6


class Base(DeclarativeBase):
    """Tables of this app alone: a database for it has no others."""

    metadata = MetaData(naming_convention=NAMING)


class Shouting(TypeDecorator[str]):
    """Python has a part in such a row."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value.upper()


class Shelf(Base):
    """Hidden from all but its keeper."""

    __tablename__ = "paged_shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Columns:
    """What the rows of every kind have."""

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(index=True)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("paged_shelves.id"), index=True)


class Bounded(Columns, Base):
    """A page of such rows cannot become too large."""

    __tablename__ = "bounded"

    text: Mapped[str] = mapped_column(String(20), default="x")
    shelf: Mapped[Shelf | None] = relationship()


class Unbounded(Columns, Base):
    """The bytes of such rows are counted."""

    __tablename__ = "unbounded"

    text: Mapped[str] = mapped_column(default="x")
    shelf: Mapped[Shelf | None] = relationship()


class Spliced(Columns, Base):
    """Such rows come one by one."""

    __tablename__ = "spliced"

    text: Mapped[str] = mapped_column(Shouting, default="x")
    shelf: Mapped[Shelf | None] = relationship()


class Chosen(Columns, Base):
    """A service chooses among these."""

    __tablename__ = "chosen"

    text: Mapped[str] = mapped_column(String(20), default="x")


class Many(Base):
    """More rows than are counted."""

    __tablename__ = "many"

    id: Mapped[int] = mapped_column(primary_key=True)


class Odd(Base):
    """Columns that are called like parameters."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(index=True)
    offset: Mapped[int] = mapped_column(index=True)
    after: Mapped[int] = mapped_column(index=True)


class EvenOnes(Service[Chosen]):
    """Leaves out the rows with an odd number."""

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Chosen]:
        return [row for row in await super().list(query, actor) if row.number % 2 == 0]


KINDS: dict[str, Any] = {"bounded": Bounded, "unbounded": Unbounded, "spliced": Spliced}


def paged(paging: Paging) -> App:
    """An app whose lists are paged so."""
    read = owner("owner_id") | role("admin")
    app = App(
        *(Resource(kind, read=read, page_size=LIMIT) for kind in KINDS.values()),
        Resource(Chosen, read=read, page_size=LIMIT, service=EvenOnes),
        Resource(Shelf, read=owner("keeper_id")),
        Resource(Many, read=authenticated),
        Resource(Odd, read=anyone),
    )
    app.declaration.own.paging = paging
    return app


app = paged(BY_CURSORS)
offset_app = paged(Paging(by_offset=True, always_counts=True))
