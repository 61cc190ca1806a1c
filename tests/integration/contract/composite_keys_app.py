"""Rows with keys of several columns: association objects, texts with every sign in them, types of all kinds.

Of each kind there are two tables: one by compiled verbs, and one through a service that only calls `super()`.
"""

import enum
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import (
    Column,
    Enum,
    ForeignKey,
    ForeignKeyConstraint,
    Interval,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, relationship

from gatepost import Actor, App, Field, Resource, Service, anyone, authenticated, owner, role
from gatepost.models.list_query import ListQuery

M = TypeVar("M")


class Base(DeclarativeBase):
    """A MetaData of its own."""


class Mood(enum.Enum):
    GOOD = "very, good"
    NONE = ""


class Reversed(TypeDecorator[str]):
    """Stores a text backwards."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else value[::-1]


class Label(Base):
    __tablename__ = "labels"

    id: Mapped[int] = mapped_column(primary_key=True)


order_labels = Table(
    "order_labels",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id"), primary_key=True),
    Column("label_id", ForeignKey("labels.id"), primary_key=True),
)
"""An association table, which `secondary=` goes over without a class."""


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    buyer_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    city: Mapped[str] = mapped_column(index=True)
    lines: Mapped[list["Line"]] = relationship(viewonly=True)
    labels: Mapped[list[Label]] = relationship(secondary=order_labels)
    first_label: Mapped["OrderLabel | None"] = relationship(viewonly=True, uselist=False)
    first_line: Mapped["Line | None"] = relationship(viewonly=True, uselist=False)


class Product(Base):
    __tablename__ = "products"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)


class LineColumns:
    """An association object: the columns of its key are its foreign keys."""

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.id"), primary_key=True)
    quantity: Mapped[int] = mapped_column(default=1)
    discount: Mapped[Decimal | None] = mapped_column(Numeric(4, 2))
    cost: Mapped[int] = mapped_column(default=3)
    tag: Mapped[str | None] = mapped_column(unique=True)

    @declared_attr
    @classmethod
    def order(cls) -> Mapped[Order]:
        """The order that the line is of."""
        return relationship()

    @declared_attr
    @classmethod
    def product(cls) -> Mapped[Product]:
        """What is ordered."""
        return relationship()


class Line(LineColumns, Base):
    __tablename__ = "lines"


class ServedLine(LineColumns, Base):
    __tablename__ = "served_lines"


class Vote(Base):
    """Whose it is, is nobody's business."""

    __tablename__ = "votes"

    option: Mapped[str] = mapped_column(primary_key=True)
    voter: Mapped[str] = mapped_column(primary_key=True)
    weight: Mapped[int] = mapped_column(default=1)


class Parcel(Base):
    """Refers to a line by both columns of its key."""

    __tablename__ = "parcels"
    __table_args__ = (ForeignKeyConstraint(["order_id", "product_id"], ["lines.order_id", "lines.product_id"]),)

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int]
    product_id: Mapped[int]
    line: Mapped[Line] = relationship(viewonly=True)


class Note(Base):
    """Refers to a line by a column beside its key."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str] = mapped_column(ForeignKey("lines.tag"), unique=True)
    line: Mapped[Line] = relationship()


class OrderLabel(Base):
    """A class over the association table, whose key is all that it has."""

    __table__ = order_labels


class PlaceColumns:
    """Three texts, whose order in the key is not that of the columns; and a version."""

    code: Mapped[str] = mapped_column("place_code")
    region: Mapped[str]
    country: Mapped[str]
    height: Mapped[int | None]
    version: Mapped[int] = mapped_column(server_default="1", info={"gatepost.version": True})

    @declared_attr.directive
    @classmethod
    def __table_args__(cls) -> tuple[Any, ...]:
        return (PrimaryKeyConstraint("country", "region", "place_code"),)


class Place(PlaceColumns, Base):
    __tablename__ = "places"


class ServedPlace(PlaceColumns, Base):
    __tablename__ = "served_places"


class SampleColumns:
    """A key of types whose values differ in the database, in Python and on the wire."""

    mood: Mapped[Mood] = mapped_column(Enum(Mood, name="mood"), primary_key=True)
    word: Mapped[str] = mapped_column(Reversed, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    span: Mapped[timedelta] = mapped_column(Interval, primary_key=True)
    price: Mapped[Decimal] = mapped_column(Numeric(6, 2), primary_key=True)
    flag: Mapped[bool] = mapped_column(primary_key=True)
    note: Mapped[str | None]


class Sample(SampleColumns, Base):
    __tablename__ = "samples"


class ServedSample(SampleColumns, Base):
    __tablename__ = "served_samples"


class Reading(Base):
    """Partitioned: its key has to have the column by which it is."""

    __tablename__ = "readings"
    __table_args__ = {"postgresql_partition_by": "RANGE (day)"}  # noqa: RUF012 - SQLAlchemy declares it as an instance's

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[int]
    version: Mapped[int] = mapped_column(server_default="1", info={"gatepost.version": True})


keys: list[Any] = []
"""The keys that services were asked for."""


class Passing(Service[M]):
    """Goes through the ORM, and changes nothing."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> M:
        keys.append(id)
        return await super().get(id, actor, lock=lock)

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[M]:
        return await super().list(query, actor)


class ServedLines(Passing[ServedLine]):
    pass


class ServedPlaces(Passing[ServedPlace]):
    pass


class ServedSamples(Passing[ServedSample]):
    pass


class Orders(Service[Order]):
    """Writes the lines of an order with it: there is no other way to."""

    async def before_create(self, draft: Order, actor: Actor) -> None:
        self.session.add(Line(order=draft, product_id=1, quantity=2))


LINES: dict[str, Any] = {
    "read": owner("order.buyer_id") | role("clerk"),
    "sort": ["quantity", "discount", "product_id"],
    "fields": {"cost": Field(read=role("clerk"), write=role("clerk"))},
}

app = App(
    Resource(Order, read=owner("buyer_id") | role("clerk"), create=owner("buyer_id"), service=Orders),
    Resource(Product, read=anyone),
    Resource(Line, **LINES),
    Resource(ServedLine, service=ServedLines, **LINES),
    Resource(Note, read=authenticated, create=authenticated),
    Resource(OrderLabel, read=anyone, filter=["label_id"]),
    Resource(
        Vote,
        list=anyone,
        get=role("clerk"),
        sort=["weight"],
        fields={"voter": Field(read=role("clerk"), write=role("clerk"))},
    ),
    Resource(Parcel, read=authenticated, create=authenticated),
    Resource(Place, read=anyone, sort=["height"]),
    Resource(ServedPlace, read=anyone, sort=["height"], service=ServedPlaces),
    Resource(Sample, read=anyone, sort=["note", "span", "word"]),
    Resource(ServedSample, read=anyone, sort=["note", "span", "word"], service=ServedSamples),
    Resource(Reading, read=anyone),
)
