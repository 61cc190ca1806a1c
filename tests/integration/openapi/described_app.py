"""An app with a column of every type, a parameter of every kind, and fields that only some may see."""

import enum
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec
import sqlalchemy as sa
from annotated_types import Ge, Le, Len, MultipleOf
from pydantic import BaseModel, Field
from sqlalchemy import ForeignKey, Select, func, select
from sqlalchemy.dialects import postgresql as pg
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from gatepost import (
    DTO,
    Actor,
    App,
    Call,
    Conflict,
    Controller,
    Cookie,
    Created,
    Header,
    JSONOf,
    Locked,
    Model,
    NaiveUTC,
    Partial,
    Query,
    RawBody,
    Resource,
    Response,
    Row,
    anyone,
    authenticated,
    computed,
    delete,
    first,
    get,
    hidden,
    patch,
    post,
    put,
    read_only,
    role,
    write_once,
)
from gatepost import Field as Rules

keeper = role("keeper")


class Grade(enum.Enum):
    """How good it is."""

    FINE = "fine"
    POOR = "poor"


class Origin(msgspec.Struct, frozen=True):
    """Where something comes from."""

    country: Annotated[str, Len(2, 2)]
    year: int | None = None


class Vault(Model):
    """A room that keeps specimens."""

    __tablename__ = "described_vaults"

    code: Mapped[Annotated[str, Len(1, 20)]] = mapped_column(unique=True)
    vault_alarm: Mapped[str | None]
    specimens: Mapped[list["Specimen"]] = relationship(back_populates="vault")


class Specimen(Model):
    """One of every type."""

    __tablename__ = "described_specimens"

    label: Mapped[Annotated[str, Len(1, 40)]] = mapped_column(doc="What stands on its drawer.")
    fixed: Mapped[str] = mapped_column(sa.CHAR(3))
    flag: Mapped[bool] = mapped_column(default=True)
    small: Mapped[int] = mapped_column(sa.SmallInteger)
    number: Mapped[Annotated[int, Ge(1), Le(9), MultipleOf(3)]]
    big: Mapped[int] = mapped_column(sa.BigInteger)
    price: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(sa.Numeric(8, 2))
    exact: Mapped[Decimal] = mapped_column(sa.Numeric())
    rate: Mapped[float] = mapped_column(sa.Numeric(8, 3, asdecimal=False))
    weight: Mapped[float]
    single: Mapped[float] = mapped_column(sa.REAL)
    key: Mapped[UUID]
    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True))
    naive: Mapped[datetime] = mapped_column(NaiveUTC)
    day: Mapped[date]
    clock: Mapped[time]
    pause: Mapped[timedelta]
    grade: Mapped[Grade] = mapped_column(default=Grade.FINE)
    state: Mapped[str] = mapped_column(sa.Enum("open", "shut", name="described_state"))
    blob: Mapped[bytes]
    tags: Mapped[list[Annotated[str, Len(1, 10)]]] = mapped_column(pg.ARRAY(sa.Text))
    days: Mapped[list[date]] = mapped_column(pg.ARRAY(sa.Date))
    document: Mapped[Any] = mapped_column(pg.JSONB)
    text_document: Mapped[Any] = mapped_column(sa.JSON)
    origin: Mapped[Origin] = mapped_column(JSONOf(Origin))
    address: Mapped[str | None] = mapped_column(pg.INET)
    maybe: Mapped[str | None]
    once: Mapped[str] = mapped_column(default="once")
    cost_price: Mapped[int] = mapped_column(default=1, index=True)
    inner_note: Mapped[str] = mapped_column(default="", index=True)
    vault_id: Mapped[UUID | None] = mapped_column(ForeignKey("described_vaults.id"), index=True)
    vault: Mapped[Vault | None] = relationship(back_populates="specimens")


Specimen.shouted = column_property(func.upper(Specimen.label, type_=sa.Text))  # type: ignore[attr-defined]


class Part(Row):
    """A part of a specimen."""

    __tablename__ = "described_parts"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    name: Mapped[str]
    specimen_id: Mapped[UUID] = mapped_column(ForeignKey("described_specimens.id"), index=True)


class Loan(Row):
    """Known by two columns."""

    __tablename__ = "described_loans"

    specimen_id: Mapped[UUID] = mapped_column(ForeignKey("described_specimens.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class Visitor(Model):
    """Somebody who comes to see."""

    __tablename__ = "described_visitors"

    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__: ClassVar[Any] = {"polymorphic_on": "kind", "polymorphic_identity": "visitor"}


class Scholar(Visitor):
    """A visitor with a field."""

    field: Mapped[str | None] = mapped_column(use_existing_column=True)
    __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "scholar"}


class Ledger(Model):
    """Without routes."""

    __tablename__ = "described_ledgers"

    total: Mapped[int]


class VaultCard(DTO[Vault]):
    """A vault, for lists."""

    code: str
    vault_alarm: str | None


class SpecimenCard(DTO[Specimen], name="specimen"):
    label: str
    cost_price: int
    doubled: int = computed(Specimen.number * 2)
    vault: VaultCard | None


class VaultFull(DTO[Vault]):
    code: str
    specimens: list[SpecimenCard] = first(5, order_by=Specimen.label)


class PartBody(DTO[Part]):
    name: Annotated[str, Len(2, 5)]


class Circle(msgspec.Struct, tag="circle"):
    radius: Annotated[float, Ge(0)]


class Square(msgspec.Struct, tag="square"):
    side: float


class Drawing(msgspec.Struct):
    """A drawing of shapes."""

    shapes: list[Circle | Square]
    scale: Decimal = Decimal(1)
    inner: "Drawing | None" = None


@dataclass
class Note:
    text: Annotated[str, Len(1, 100)]
    at: datetime | None = None
    pair: tuple[int, str] = (1, "a")


class Model2(BaseModel):
    count: int = Field(ge=1, le=5)
    names: dict[str, int] = {}


class Search(msgspec.Struct):
    term: str
    grades: list[Grade] = []


class Place(NamedTuple):
    x: int
    y: float


class Summary(TypedDict):
    total: int
    by_grade: dict[str, int]
    places: list[Place]
    at: datetime | None


class SpecimenRoutes(Controller[Specimen]):
    @get("/summary", allow=anyone, tags=["reports"])
    async def summary(self) -> Summary:
        """Count the specimens.

        By grade, too.
        """
        return {"total": 0, "by_grade": {"fine": 0}, "places": [Place(1, 2.5)], "at": None}

    @get("/search", allow=anyone, filters=True)
    async def search(self, search: Annotated[Search, Query]) -> Select[Specimen]:
        return select(Specimen).where(Specimen.label.contains(search.term))

    @get("/cards", allow=anyone, answers=SpecimenCard)
    async def cards(self, least: Annotated[int, Ge(0)] = 0) -> list[Specimen]:
        return []

    @post("/{specimen}/weigh", allow=authenticated, deprecated=True, operation_id="weigh")
    async def weigh(self, specimen: Locked[Specimen], body: Drawing) -> Specimen:
        return specimen

    @post("/{specimen}/break", allow=keeper, raises=[Conflict("too_precious", "It is too precious.")])
    async def smash(self, specimen: Specimen) -> None:
        raise Conflict("too_precious", "It is too precious.")


class Kinds(Controller):
    """Parameters and bodies of all kinds."""

    path = "kinds"

    @get("/{number}/{day}", allow=anyone)
    async def values(
        self,
        number: Annotated[int, Ge(1)],
        day: date,
        mood: Literal["good", "bad"] = "good",
        grade: Grade | None = None,
        many: tuple[int, ...] = (),
        trace: Annotated[str | None, Header()] = None,
        theme: Annotated[str, Cookie()] = "light",
    ) -> list[str]:
        return [str(number), day.isoformat(), mood, theme]

    @post("/notes", allow=anyone, status=202)
    async def note(self, body: Note) -> None:
        return None

    @put("/models", allow=anyone)
    async def model(self, body: Model2) -> dict[str, int]:
        return body.names

    @post("/raw", allow=anyone)
    async def raw(self, body: Annotated[bytes, RawBody(100)]) -> Response:
        return Response.text(str(len(body)))

    @patch("/parts/{part}", allow=authenticated)
    async def part(self, part: Part, body: Partial[PartBody]) -> Part:
        return part

    @post("/parts", allow=authenticated)
    async def make_part(self, body: PartBody, call: Call, actor: Actor) -> Created[Part] | None:
        return None

    @delete("/secret-door", allow=anyone, document=False)
    async def secret_door(self) -> None:
        return None

    @get("/names", allow=anyone)
    async def names(self) -> Select[str]:
        return select(Vault.code).limit(10)


RESOURCES: list[Resource[Any]] = [
    Resource(
        Specimen,
        path="specimens",
        read=anyone,
        write=authenticated,
        sort=["label", "price"],
        filter=["grade", "document.color"],
        search=["label"],
        controller=SpecimenRoutes,
        require_if_match=True,
        fields={
            "cost_price": Rules(read=keeper, write=keeper),
            "inner_note": hidden,
            "once": write_once,
            "address": read_only,
        },
    ),
    Resource(
        Vault,
        path="vaults",
        key=Vault.code,
        read=anyone,
        write=keeper,
        answers=VaultFull,
        lists=VaultCard,
        fields={"vault_alarm": Rules(read=keeper, write=keeper)},
    ),
    Resource(Part, path="parts", under="specimens/{specimen}", read=anyone, write=authenticated),
    Resource(Loan, path="loans", read=anyone),
    Resource(Visitor, path="visitors", read=authenticated, write=authenticated),
    Resource(Scholar, path="scholars", read=authenticated, write=authenticated),
    Resource(Ledger, routes=False, read=anyone),
]

app = App(
    *RESOURCES,
    controllers=[Kinds],
    title="Specimens",
    version="2.0.0",
    description="A cabinet of curiosities.",
)
