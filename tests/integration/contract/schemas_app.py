"""Models in schemas of their own, with a `Model` of ours and without, and users in the MetaData's schema."""

import enum
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Ge, Len
from sqlalchemy import Enum, ForeignKey, MetaData, Numeric, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Changes, Model, Resource, Service, anyone, authenticated, owner, policy
from gatepost.models.base import NAMING


class Kind(enum.Enum):
    SMALL = "small"
    LARGE = "large"


class Depot(Model):
    """In the schema of its MetaData."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING, schema="depot")


class Shelf(Depot):
    __tablename__ = "shelves"

    name: Mapped[Annotated[str, Len(1, 20)]] = mapped_column(unique=True)
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Box(Depot):
    __tablename__ = "boxes"

    label: Mapped[str] = mapped_column("box_label")
    weight: Mapped[Annotated[Decimal, Ge(0)]] = mapped_column(Numeric(8, 2))
    kind: Mapped[Kind] = mapped_column(default=Kind.SMALL)
    shelf_id: Mapped[UUID] = mapped_column(ForeignKey("shelves.id"), index=True)
    shelf: Mapped[Shelf] = relationship()


class Seal(Depot):
    """In another schema than its MetaData's, and served by a class of its own."""

    __tablename__ = "boxes"
    __table_args__ = {"schema": "Seal Room"}  # noqa: RUF012 - SQLAlchemy declares it as an instance's

    number: Mapped[Annotated[int, Ge(1)]] = mapped_column(unique=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind, schema="Seal Room"), default=Kind.LARGE)
    box_id: Mapped[UUID] = mapped_column(ForeignKey("depot.boxes.id"), index=True)
    box: Mapped[Box] = relationship()


class Seals(Service[Seal]):
    async def before_update(self, row: Seal, changes: Changes[Seal], actor: Actor) -> None:
        if changes.get("number") == 999:
            box: Any = await self.session.get_one(Box, row.box_id)
            box.label = None


@policy
def on_own_shelf(model: Any, actor: Actor) -> Any:
    return model.shelf_id.in_(select(Shelf.id).where(Shelf.keeper_id == actor.id))


app = App(
    Resource(Shelf, read=authenticated, create=owner("keeper_id"), update=owner("keeper_id"), delete=owner("keeper_id"),
             sort=["name"]),
    Resource(Box, read=anyone, write=on_own_shelf, sort=["weight"], search=["label"]),
    Resource(Seal, path="seals", read=anyone, write=owner("box.shelf.keeper_id"), service=Seals),
)  # fmt: skip


class Bare(DeclarativeBase):
    """Somebody's own base, without a schema of its own."""


class Tag(Bare):
    """Without a version: the row's `xmin` is its entity tag."""

    __tablename__ = "select"
    __table_args__ = {"schema": "order"}  # noqa: RUF012 - SQLAlchemy declares it as an instance's

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 5)]] = mapped_column(unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("order.select.id"), index=True)
    parent: Mapped["Tag | None"] = relationship(remote_side="Tag.id")


bare = App(Resource(Tag, path="tags", read=anyone, write=authenticated, filter=["name"]))
