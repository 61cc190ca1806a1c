"""A press: articles that paths name by their slug, and comments below them."""

from typing import Annotated, Any
from uuid import UUID

from annotated_types import Len
from library_app import Passing
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import App, Model, Resource, Service, anyone, owner, role
from gatepost.models.base import NAMING


class Printed(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Essay(Printed):
    """Named by its slug; a draft is seen by its author alone."""

    __tablename__ = "essays"

    slug: Mapped[Annotated[str, Len(1, 100)]] = mapped_column(unique=True)
    number: Mapped[int | None] = mapped_column(unique=True)
    title: Mapped[str] = mapped_column(default="")
    is_public: Mapped[bool] = mapped_column(default=True)
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    remarks: Mapped[list["Remark"]] = relationship(back_populates="essay")


class Remark(Printed):
    """Refers to an essay by its primary key."""

    __tablename__ = "remarks"

    text: Mapped[str] = mapped_column(index=True)
    rank: Mapped[int] = mapped_column(default=0)
    essay_id: Mapped[UUID] = mapped_column(ForeignKey("essays.id"), index=True)
    essay: Mapped[Essay] = relationship(back_populates="remarks")
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Note(Printed):
    """Below an essay, whose path says which one."""

    __tablename__ = "notes"

    text: Mapped[str] = mapped_column(index=True)
    essay_id: Mapped[UUID] = mapped_column(ForeignKey("essays.id"), index=True)
    essay: Mapped[Essay] = relationship()
    author_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    reader_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


def notes(service: type[Service[Any]] | None, **options: Any) -> Resource[Note]:
    """The resource of notes."""
    given = {
        "read": anyone,
        "create": owner("author_id"),
        "update": owner("author_id") | role("editor"),
        "delete": owner("author_id") | role("editor"),
        "under": "essays/{essay:slug}",
        "order": "text",
        "name": "notes_of_essays",
        **options,
    }
    return Resource(Note, service=None if service is None else type("Notes", (service,), {}), **given)


def essays(service: type[Service[Any]] | None, **options: Any) -> Resource[Essay]:
    """The resource of essays."""
    given = {
        "read": anyone,
        "write": owner("author_id") | role("editor"),
        "where": Essay.is_public,
        "key": Essay.slug,
        "order": "-title",
        **options,
    }
    return Resource(Essay, service=None if service is None else type("Essays", (service,), {}), **given)


def app_of(service: type[Service[Any]] | None) -> App:
    """The press; its rows are served by statements, or through a service."""
    return App(
        essays(service),
        notes(service),
        Resource(
            Remark,
            read=anyone,
            order=["-rank", Remark.text],
            create=owner("author_id"),
            update=owner("author_id") | role("editor"),
            delete=owner("author_id") | role("editor"),
            service=None if service is None else type("Remarks", (service,), {}),
        ),
    )


SERVICES: dict[str, type[Service[Any]] | None] = {"statements": None, "service": Passing}
app = app_of(None)
