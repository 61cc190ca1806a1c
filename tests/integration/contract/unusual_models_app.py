"""Oddities: types of the user's own, names that differ from the columns', two rules on one row, served users."""

import enum
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, cast

from annotated_types import Ge, Len, MaxLen
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import INTERVAL
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    Changes,
    Field,
    NotFound,
    Resource,
    Service,
    UserColumns,
    anyone,
    authenticated,
    hidden,
    owner,
    policy,
    role,
)
from gatepost.models.list_query import ListQuery


class Base(DeclarativeBase):
    """Somebody's own base."""


class Reversed(TypeDecorator[str]):
    """Stores a text backwards: what is stored differs from what is meant."""

    impl = String(40)
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:
        return None if value is None else value[::-1]

    def process_result_value(self, value: Any, dialect: Any) -> str | None:
        return None if value is None else value[::-1]


class Doubled(TypeDecorator[int]):
    """Stores twice the number."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Any) -> int | None:
        return None if value is None else value * 2

    def process_result_value(self, value: Any, dialect: Any) -> int | None:
        return None if value is None else value // 2


class Colour(enum.Enum):
    """An alias among the members, and values that need quoting."""

    RED = 'it\'s "red" 100% :x'
    CRIMSON = 'it\'s "red" 100% :x'
    BLUE = "blue\\é"


class Member(UserColumns, Base):
    __tablename__ = "members"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_name: Mapped[str | None]


class Chest(Base):
    __tablename__ = "chests"

    id: Mapped[int] = mapped_column(primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("members.id"), index=True)
    motto: Mapped[str] = mapped_column(Reversed)
    secret: Mapped[str | None] = mapped_column(Reversed)
    note: Mapped[str | None]
    member: Mapped[Member] = relationship()


class Trinket(Base):
    __tablename__ = "trinkets"
    __table_args__ = (UniqueConstraint("trinket_label", "serial_number"),)

    key: Mapped[int] = mapped_column("trinket_key", BigInteger, primary_key=True)
    label: Mapped[str] = mapped_column("trinket_label")
    rank: Mapped[int] = mapped_column(Doubled)
    motto: Mapped[str | None] = mapped_column(Reversed)
    colour: Mapped[Colour] = mapped_column(Enum(Colour, native_enum=False, create_constraint=False), default=Colour.RED)
    wait: Mapped[timedelta | None] = mapped_column(INTERVAL)
    waits: Mapped[list[timedelta] | None] = mapped_column(ARRAY(INTERVAL))
    scans: Mapped[list[bytes] | None] = mapped_column(ARRAY(LargeBinary))
    serial: Mapped[int] = mapped_column("serial_number", default=7)
    chest_id: Mapped[int | None] = mapped_column(ForeignKey("chests.id"), index=True)
    chest: Mapped[Chest | None] = relationship()


class Parcel(Base):
    """A service or a trigger takes away what it must have."""

    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    addressee: Mapped[str] = mapped_column("parcel_addressee")
    sender: Mapped[str] = mapped_column("parcel_sender", default="x")


class Crate(Base):
    """Lists whose elements are constrained."""

    __tablename__ = "crates"

    id: Mapped[int] = mapped_column(primary_key=True)
    tags: Mapped[list[Annotated[str, Len(1, 5)]]] = mapped_column(ARRAY(Text))
    prices: Mapped[Annotated[list[Annotated[Decimal, Ge(0)]], MaxLen(2)] | None] = mapped_column(ARRAY(Numeric(6, 2)))


class Weight(Base):
    """Numbers of a precision that are floats in Python."""

    __tablename__ = "weights"

    id: Mapped[int] = mapped_column(primary_key=True)
    grams: Mapped[float] = mapped_column(Numeric(6, 2, asdecimal=False))
    endless: Mapped[float] = mapped_column(Numeric(asdecimal=False))


def is_light(row: Any, actor: Actor) -> Any:
    """As the column compares it, not as it would store it: 5.004 grams would be 5.00, and 1e10 an error."""
    return (row.grams < 1e10) & (row.grams != 5.004) & row.grams.in_([1e10, 5.0, 5.01])


class Rack(Base):
    """Comes with all of its hooks, wherever an object of it is loaded."""

    __tablename__ = "racks"

    id: Mapped[int] = mapped_column(primary_key=True)
    hooks: Mapped[list["Hook"]] = relationship(lazy="joined")


class Hook(Base):
    __tablename__ = "hooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    rack_id: Mapped[int] = mapped_column(ForeignKey("racks.id"), index=True)


class Racks(Service[Rack]):
    """Loads what it shows: one at a time, and in pages."""

    async def get(self, id: int, actor: Actor, *, lock: bool = False) -> Rack:
        row = await super().get(id, actor, lock=lock)
        if not row.hooks:
            raise NotFound("bare", "This rack has no hooks.")
        return row

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Rack]:
        return await super().list(query, actor)


class Crates(Service[Crate]):
    """Adds a tag that is too long, where somebody asks for it: only the database is left to see it."""

    async def before_update(self, row: Crate, changes: Changes[Crate], actor: Actor) -> None:
        if changes.get("tags") == ["more"]:
            self.session.add(Crate(tags=["far too long"]))
            await self.session.flush()


class Parcels(Service[Parcel]):
    async def before_create(self, draft: Parcel, actor: Actor) -> None:
        if draft.addressee == "nobody":
            draft.addressee = cast("Any", None)


app = App(
    Resource(Member, read=role("admin"), fields={"password_hash": hidden}),
    Resource(Chest, read=anyone, create=owner("member_id"), update=authenticated,
             fields={"secret": Field(read=owner("member_id"), write=anyone),
                     "note": Field(read=owner("member_id"), write=anyone)}),
    Resource(Trinket, read=anyone, write=authenticated, sort=["rank", "motto", "colour", "wait"], filter=["label"],
             fields={"serial": hidden}),
    Resource(Crate, read=anyone, write=authenticated, service=Crates),
    Resource(Rack, read=anyone, service=Racks),
    Resource(Weight, read=policy(is_light), create=authenticated, sort=["grams", "endless"]),
    Resource(Parcel, read=anyone, write=authenticated, service=Parcels, fields={"sender": hidden}),
    users=Member,
    bigint="string",
)  # fmt: skip
