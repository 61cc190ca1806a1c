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


class Sticker(Model):
    __tablename__ = "unserved_stickers"

    name: Mapped[str]
    _tickets: Mapped[list["Ticket"]] = relationship(secondary=sticks, viewonly=True)


class Remark(Model):
    __tablename__ = "unserved_remarks"

    is_open: Mapped[bool]
    ticket_id: Mapped[UUID] = mapped_column(ForeignKey("unserved_tickets.id"), index=True)
    ticket: Mapped["Ticket"] = relationship(back_populates="remarks")


class Ticket(Model):
    __tablename__ = "unserved_tickets"

    title: Mapped[str]
    stickers: Mapped[list[Sticker]] = relationship(secondary=sticks)
    remarks: Mapped[list[Remark]] = relationship(back_populates="ticket")
    open_remarks: Mapped[list[Remark]] = relationship(
        primaryjoin=lambda: and_(remote(foreign(Remark.ticket_id)) == Ticket.id, Remark.is_open), viewonly=True
    )


def test_a_relationship_that_is_not_served_is_told_with_what_to_write() -> None:
    app = App(Resource(Ticket, read=anyone), Resource(Sticker, read=anyone), Resource(Remark, read=anyone))
    many, condition = app.declaration.relation_warnings()

    assert many.relation == "Ticket.stickers"
    assert many.location.endswith("test_unserved_relations.py:37")
    assert "'unserved_sticks', which has no class" in many.reason
    assert "docs/how-to/tag-rows.md" in many.hint
    assert condition.relation == "Ticket.open_remarks"
    assert "more than the equality of two columns" in condition.reason


def test_what_leads_to_no_resource_is_no_surprise_but_a_table_without_a_class_is() -> None:
    app = App(Resource(Ticket, read=anyone))

    assert [warning.relation for warning in app.declaration.relation_warnings()] == ["Ticket.stickers"]
    assert App(Resource(Ticket, read=anyone, routes=False)).declaration.relation_warnings() == []
