"""Documents with the form of a class: a Struct, a dataclass, a pydantic model, and a list of Structs."""

import dataclasses
import enum
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from annotated_types import Ge, Len
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, JSONOf, Model, Resource, Service, anyone, policy
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Kind(enum.Enum):
    """Where an address leads."""

    HOME = "home"
    WORK = "work"


class Line(msgspec.Struct, frozen=True, rename="camel"):
    """One line of an address, with a name of its own on the wire."""

    first_text: Annotated[str, Len(1, 10)]


class Address(msgspec.Struct, frozen=True):
    """A Struct with members of many types."""

    street: Annotated[str, Len(1, 40)]
    kind: Kind
    floor: Annotated[int, Ge(0)] = 0
    rent: Annotated[Decimal, Ge(0)] | None = None
    since: date | None = None
    seen_at: datetime | None = None
    lines: Annotated[list[Line], Len(0, 3)] = []
    inner: "Address | None" = None
    tags: dict[str, int] = {}
    anything: Any = None
    code: int | str = 0
    size: Literal["S", "L"] | None = None
    note: Annotated[str | None, Len(1, 5)] = None

    def __post_init__(self) -> None:
        if self.street == "nowhere":
            raise ValueError("Nobody lives nowhere.")


@dataclasses.dataclass(frozen=True)
class Size:
    """A dataclass."""

    width: Annotated[int, Ge(1)]
    height: Annotated[int, Ge(1)] = 1


class Contact(pydantic.BaseModel):
    """A pydantic model."""

    name: str = pydantic.Field(min_length=1)
    age: int = pydantic.Field(default=18, ge=0)
    sizes: list[int] = []

    @pydantic.field_validator("name")
    @classmethod
    def check_name(cls, value: str) -> str:
        if value == "nobody":
            raise ValueError("nobody has this name")
        return value


class Documents:
    """One column of each form; only the address is required."""

    title: Mapped[str]
    address: Mapped[Address] = mapped_column(JSONOf(Address))
    size: Mapped[Size | None] = mapped_column(JSONOf(Size))
    contact: Mapped[Contact | None] = mapped_column(JSONOf(Contact))
    lines: Mapped[list[Line] | None] = mapped_column(JSONOf(list[Line]))


class Place(Documents, Base):
    """Written by compiled statements."""

    __tablename__ = "structured_places"


class Room(Documents, Base):
    """Written through a service that adds nothing."""

    __tablename__ = "structured_rooms"


class Rooms(Service[Room]):
    """Sees instances."""

    async def before_create(self, draft: Room, actor: Actor) -> None:
        """Reads a member of the draft's address."""
        assert isinstance(draft.address.street, str)

    async def before_update(self, row: Room, changes: Any, actor: Actor) -> None:
        """Reads a member of the new address."""
        if "address" in changes:
            assert isinstance(changes["address"], Address)


@policy
def not_secret(model: Any, actor: Actor) -> Any:
    """Looks into the document."""
    return model.address["street"].astext.is_distinct_from("Secret")


FILTERS = ["address.street", "address.floor", "address.tags", "address.inner.street"]

app = App(
    Resource(Place, path="places", read=not_secret, write=anyone, filter=FILTERS),
    Resource(Room, path="rooms", read=anyone, write=anyone, service=Rooms, filter=FILTERS),
)
