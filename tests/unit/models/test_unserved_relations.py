"""Relationships that clients cannot use: warned of at the start and by `gatepost doctor`, once each."""

from uuid import UUID

from sqlalchemy import Column, ForeignKey, Table, and_
from sqlalchemy.orm import Mapped, foreign, mapped_column, relationship, remote

from gatepost import App, Model, Resource, anyone

sticks = Table(
    "unserved_sticks",
    Model.metadata,
    Column("ticket_id", ForeignKey("unserved_tickets.id"), primary_key=True),
    Column("sticker_id", ForeignKey("unserved_stickers.id"), primary_key=True),
)


class Decal(Model):
    __tablename__ = "unserved_stickers"

    name: Mapped[str]
    _tickets: Mapped[list["Errand"]] = relationship(secondary=sticks, viewonly=True)


class Aside(Model):
    __tablename__ = "unserved_remarks"

    is_open: Mapped[bool]
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("unserved_tickets.id"), index=True)
    ticket: Mapped["Errand"] = relationship(back_populates="remarks")


class Errand(Model):
    __tablename__ = "unserved_tickets"

    title: Mapped[str]
    stickers: Mapped[list[Decal]] = relationship(secondary=sticks)
    remarks: Mapped[list[Aside]] = relationship(back_populates="ticket")
    open_remarks: Mapped[list[Aside]] = relationship(
        primaryjoin=lambda: and_(remote(foreign(Aside.ticket_id)) == Errand.id, Aside.is_open), viewonly=True
    )


def test_a_relationship_that_is_not_served_is_told_with_what_to_write() -> None:
    app = App(Resource(Errand, read=anyone), Resource(Decal, read=anyone), Resource(Aside, read=anyone))
    many, condition = app.declaration.relation_warnings()

    assert many.relation == "Errand.stickers"
    assert many.location.endswith("test_unserved_relations.py:37")
    assert "'unserved_sticks', which has no class" in many.reason
    assert "docs/how-to/tag-rows.md" in many.hint
    assert condition.relation == "Errand.open_remarks"
    assert "more than the equality of two columns" in condition.reason


def test_what_leads_to_no_resource_is_no_surprise_but_a_table_without_a_class_is() -> None:
    app = App(Resource(Errand, read=anyone))

    assert [warning.relation for warning in app.declaration.relation_warnings()] == ["Errand.stickers"]
    assert App(Resource(Errand, read=anyone, routes=False)).declaration.relation_warnings() == []
