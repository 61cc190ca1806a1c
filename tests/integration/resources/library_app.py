"""A library: books that are deleted softly, shelves with a condition of their own, loans without routes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, MetaData, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Changes, Model, Resource, Service, anyone, owner, role
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Bookcase(Base):
    """Served where it is open; the closed ones exist for nobody."""

    __tablename__ = "shelves"

    name: Mapped[str] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(default="it's open", index=True)
    books: Mapped[list["Volume"]] = relationship(back_populates="shelf")


class Volume(Base):
    """Deleted by a date."""

    __tablename__ = "books"

    title: Mapped[str] = mapped_column(index=True)
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    shelf_id: Mapped[UUID | None] = mapped_column(ForeignKey("shelves.id"), index=True)
    shelf: Mapped[Bookcase | None] = relationship(back_populates="books")
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Lent(Base):
    """Has no routes."""

    __tablename__ = "loans"

    book_id: Mapped[UUID] = mapped_column(ForeignKey("books.id"), index=True)
    book: Mapped[Volume] = relationship()
    borrower_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Reminder(Base):
    """Refers to a loan."""

    __tablename__ = "reminders"

    loan_id: Mapped[UUID | None] = mapped_column(ForeignKey("loans.id"), index=True)
    loan: Mapped[Lent | None] = relationship()
    text: Mapped[str] = mapped_column(index=True)


class Medium(Base):
    """Discs and tapes; those that are lost are served to nobody."""

    __tablename__ = "media"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "medium"}  # noqa: RUF012

    kind: Mapped[str] = mapped_column(index=True)
    is_lost: Mapped[bool] = mapped_column(default=False)


class Disc(Medium):
    """Has a resource of its own, which serves those without a scratch."""

    __mapper_args__ = {"polymorphic_identity": "disc"}  # noqa: RUF012

    scratches: Mapped[int | None]


class Tape(Medium):
    """Belongs to the resource of media."""

    __mapper_args__ = {"polymorphic_identity": "tape"}  # noqa: RUF012


class Sleeve(Base):
    """Holds a tape."""

    __tablename__ = "cases"

    tape_id: Mapped[UUID] = mapped_column(ForeignKey("media.id"), index=True)
    tape: Mapped[Tape] = relationship()


class Lending(Service[Lent]):
    """Loans are made by others, in code."""

    async def before_create(self, draft: Lent, actor: Actor) -> None:
        assert not actor.is_anonymous


class Reminders(Service[Reminder]):
    """A reminder without a loan makes one of the first book that there is."""

    async def create(self, draft: Reminder, actor: Actor) -> Reminder:
        if draft.text == "lend":
            book = (await self.session.scalars(select(Volume).order_by(Volume.id))).first()
            assert book is not None
            loan = await self.service(Lent).create(Lent(book_id=book.id, borrower_id=actor.id), actor)
            draft.loan_id = loan.id
        return await super().create(draft, actor)


class Passing(Service[Any]):
    """Goes through the ORM, and changes nothing."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Any:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)

    async def create(self, draft: Any, actor: Actor) -> Any:
        return await super().create(draft, actor)

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> Any:
        return await super().update(row, changes, actor)

    async def delete(self, row: Any, actor: Actor) -> None:
        await super().delete(row, actor)


def app_of(service: type[Service[Any]] | None) -> App:
    """The library; its books and shelves are served by statements, or through a service."""
    return App(
        Resource(
            Bookcase,
            read=anyone,
            write=role("editor"),
            where=lambda shelf: shelf.state.in_(["it's open", "new"]),
            service=None if service is None else type("Bookcases", (service,), {}),
        ),
        Resource(
            Volume,
            read=anyone,
            create=anyone,
            update=owner("keeper_id") | role("editor"),
            delete=owner("keeper_id") | role("editor"),
            where=Volume.deleted_at.is_(None),
            service=service,
        ),
        Resource(Lent, read=owner("borrower_id"), create=owner("borrower_id"), routes=False, service=Lending),
        Resource(Medium, read=anyone, write=role("editor"), where=~Medium.is_lost),
        Resource(Disc, path="discs", read=anyone, write=role("editor"), where=Disc.scratches == 0),
        Resource(Sleeve, read=anyone, create=anyone),
        Resource(Reminder, read=anyone, create=role("editor"), service=Reminders),
    )


app = app_of(None)
