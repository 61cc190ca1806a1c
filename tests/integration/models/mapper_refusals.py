"""The refused rows of the table of SQLAlchemy's features: declarations that raise, and what the error has to name."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import ForeignKey, event
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Session,
    WriteOnlyMapped,
    column_property,
    composite,
    mapped_column,
    relationship,
)

from gatepost import App, Resource, anyone
from gatepost.settings import Settings


class Refusal(NamedTuple):
    """A row of the table whose second cell is "refused"."""

    name: str
    declare: Callable[[], object]
    words: str


@dataclasses.dataclass
class Point:
    """What a composite is made of."""

    x: int
    y: int


def _composite() -> App:
    class Base(DeclarativeBase):
        pass

    class Place(Base):
        __tablename__ = "places"

        id: Mapped[int] = mapped_column(primary_key=True)
        spot: Mapped[Point] = composite(mapped_column("x"), mapped_column("y"))

    return App(Resource(Place, read=anyone))


def _doubled() -> App:
    class Base(DeclarativeBase):
        pass

    class Card(Base):
        __tablename__ = "cards"

        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column("title")

    Card.label = column_property(Card.__table__.c.title)  # type: ignore[attr-defined]
    return App(Resource(Card, read=anyone))


def _dynamic() -> App:
    class Base(DeclarativeBase):
        pass

    class Room(Base):
        __tablename__ = "rooms"

        id: Mapped[int] = mapped_column(primary_key=True)
        chairs: DynamicMapped["Chair"] = relationship()

    class Chair(Base):
        __tablename__ = "chairs"

        id: Mapped[int] = mapped_column(primary_key=True)
        room_id: Mapped[int] = mapped_column(ForeignKey("rooms.id"))

    return App(Resource(Room, read=anyone))


def _write_only() -> App:
    class Base(DeclarativeBase):
        pass

    class Room(Base):
        __tablename__ = "rooms"

        id: Mapped[int] = mapped_column(primary_key=True)
        chairs: WriteOnlyMapped["Chair"] = relationship()

    class Chair(Base):
        __tablename__ = "chairs"

        id: Mapped[int] = mapped_column(primary_key=True)
        room_id: Mapped[int | None] = mapped_column(ForeignKey("rooms.id"))

    App(Resource(Room, read=anyone, update=anyone))
    return App(Resource(Room, read=anyone, write=anyone))


def _joined() -> App:
    class Base(DeclarativeBase):
        pass

    class Employee(Base):
        __tablename__ = "employees"

        id: Mapped[int] = mapped_column(primary_key=True)

    class Engineer(Employee):
        __tablename__ = "engineers"

        id: Mapped[int] = mapped_column(ForeignKey("employees.id"), primary_key=True)

    return App(Resource(Engineer, read=anyone))


def _concrete() -> App:
    class Base(DeclarativeBase):
        pass

    class Vehicle(Base):
        __tablename__ = "vehicles"

        id: Mapped[int] = mapped_column(primary_key=True)

    class Car(Vehicle):
        __tablename__ = "cars"

        id: Mapped[int] = mapped_column(primary_key=True)
        __mapper_args__ = {"concrete": True}  # noqa: RUF012 - SQLAlchemy declares it as an instance's

    return App(Resource(Car, read=anyone))


def _listening() -> object:
    class Base(DeclarativeBase):
        pass

    class Leaf(Base):
        __tablename__ = "leaves"

        id: Mapped[int] = mapped_column(primary_key=True)

    def hide(_state: object) -> None:
        """Would add a condition to every SELECT."""

    event.listen(Session, "do_orm_execute", hide)
    try:
        return App(Resource(Leaf, read=anyone)).composed(Settings())
    finally:
        event.remove(Session, "do_orm_execute", hide)


REFUSALS = [
    Refusal("`composite()`", _composite, r"mapper_refusals.py:\d+: Place\.spot: is a composite\(\) of x, y"),
    Refusal(
        "two attributes for one column, or two columns for one attribute",
        _doubled,
        r'mapper_refusals.py:\d+: Card\.label: is the column title, .*synonym\("name"\)',
    ),
    Refusal("dynamic relationships", _dynamic, r"mapper_refusals.py:\d+: Room\.chairs: is a dynamic relationship"),
    Refusal(
        "`WriteOnlyMapped` without `passive_deletes=True`",
        _write_only,
        r"mapper_refusals.py:\d+: Room\.chairs: is write-only without passive_deletes=True",
    ),
    Refusal("joined-table and concrete inheritance", _joined, r"mapper_refusals.py:\d+: Engineer: .*joined-table"),
    Refusal("joined-table and concrete inheritance", _concrete, r"mapper_refusals.py:\d+: Car: .*concrete"),
    Refusal(
        "`do_orm_execute`, `after_begin`",
        _listening,
        r"Session: has a do_orm_execute listener hide \(.*refusals.py:\d+\)",
    ),
]
