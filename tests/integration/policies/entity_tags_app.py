"""An app made for entity tags: fields for a role, for the owner of a row, for readers of some rows; served twice."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Field, Model, Resource, Service, anyone, authenticated, owner, policy, role
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Columns:
    """`cost` is for buyers, `note` and `price` for the owner of the row, `grade` for all where the row is graded."""

    name: Mapped[str] = mapped_column(default="lamp")
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    cost: Mapped[int] = mapped_column(default=7)
    note: Mapped[str] = mapped_column(default="n")
    price: Mapped[int] = mapped_column(default=9)
    grade: Mapped[str] = mapped_column(default="fine")
    is_graded: Mapped[bool] = mapped_column(default=False)


class Item(Columns, Base):
    __tablename__ = "tagged_items"


class ServicedItem(Columns, Base):
    __tablename__ = "serviced_tagged_items"


class Label(Base):
    """Stands on an item, which it expands."""

    __tablename__ = "tagged_labels"

    item_id: Mapped[UUID] = mapped_column(ForeignKey("tagged_items.id"), index=True)
    item: Mapped[Item] = relationship()


class Passing(Service[ServicedItem]):
    """Overrides reading and writing, and changes nothing."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> ServicedItem:
        return await super().get(id, actor, lock=lock)

    async def before_create(self, draft: ServicedItem, actor: Actor) -> None: ...

    async def before_update(self, row: ServicedItem, changes: Any, actor: Actor) -> None: ...


@policy
def is_graded(model: Any, actor: Actor) -> Any:
    """A condition on the row that is the same for all."""
    return model.is_graded.is_(True)


FIELDS = {
    "cost": Field(read=role("buyer"), write=authenticated),
    "note": Field(read=owner("owner_id"), write=authenticated),
    "price": Field(read=owner("owner_id"), write=authenticated),
    "grade": Field(read=is_graded, write=authenticated),
}

app = App(
    Resource(Item, read=anyone, write=authenticated, fields=FIELDS, path="items"),
    Resource(ServicedItem, read=anyone, write=authenticated, fields=FIELDS, service=Passing, path="serviced_items"),
    Resource(Label, read=anyone, write=authenticated, path="labels"),
)
