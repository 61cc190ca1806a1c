"""DTOs of models that are not one class with one key: a composite key, a subclass, and a service that overrides all."""

from typing import Any

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import DTO, Actor, App, Field, Resource, Service, anyone, computed, count, first, hidden, policy, role
from gatepost.models.base import NAMING


class Moored(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData(naming_convention=NAMING)


class Quay(Moored):
    __tablename__ = "quays"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    berths: Mapped[list["Berth"]] = relationship(back_populates="quay")


class Berth(Moored):
    """A place at a quay, by its number there. Only harbour masters see what it costs."""

    __tablename__ = "berths"

    quay_id: Mapped[int] = mapped_column(ForeignKey("quays.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    cost: Mapped[int]
    quay: Mapped[Quay] = relationship(back_populates="berths")


class Craft(Moored):
    """What moors: of all crafts the owner is shown, of tugs to harbour masters alone."""

    __tablename__ = "crafts"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "craft"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    owned_by: Mapped[str]


class Tug(Craft):
    __mapper_args__ = {"polymorphic_identity": "tug"}  # noqa: RUF012

    pull: Mapped[int | None]


class BerthCard(DTO[Berth]):
    """A place with its quay."""

    number: int
    cost: int
    double: int = computed(Berth.cost * 2)
    quay: "QuayName"


class QuayName(DTO[Quay]):
    name: str


class QuayCard(DTO[Quay]):
    """A quay with its first places, and how many there are."""

    name: str
    berth_count: int = computed(count(Quay.berths))
    berths: list[BerthCard] = first(2, order_by=Berth.number)


class CraftCard(DTO[Craft]):
    """A craft of whatever kind."""

    name: str
    owned_by: str
    label: str = computed(Craft.name + " of " + Craft.owned_by)


class Quays(Service[Quay]):
    """Overrides every read and write, and leaves the work to `super()`."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Quay:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)

    async def create(self, draft: Quay, actor: Actor) -> Quay:
        draft.name = draft.name.strip()
        return await super().create(draft, actor)

    async def update(self, row: Quay, changes: Any, actor: Actor) -> Quay:
        return await super().update(row, changes, actor)


MASTER = role("master")

app = App(
    Resource(Quay, read=anyone, write=MASTER, service=Quays, answers=QuayCard),
    Resource(Berth, read=anyone, answers=BerthCard, fields={"cost": Field(read=MASTER)}),
    Resource(Craft, read=anyone, answers=CraftCard),
    Resource(
        Tug,
        path="tugs",
        read=policy(lambda row, actor: row.name != "sunk"),
        answers=CraftCard,
        fields={"owned_by": Field(read=MASTER), "pull": hidden},
    ),
)
