"""Services that write rows in SQLAlchemy, without a verb of Gatepost's: what holds around them."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Identity, Integer, MetaData, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import (
    DTO,
    Actor,
    App,
    Changes,
    Controller,
    Created,
    Partial,
    Resource,
    Service,
    authenticated,
    owner,
    patch,
    policy,
    post,
    role,
)


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Keyed:
    """A key that the database makes."""

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)


class Depot(Keyed, Base):
    """What parcels refer to, hidden from all but clerks."""

    __tablename__ = "depots"


class Parcel(Keyed, Base):
    """A parcel whose code begins with a p; its owner writes it."""

    __tablename__ = "parcels"

    code: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(default="none")
    depot_id: Mapped[int | None] = mapped_column(ForeignKey("depots.id"), index=True)
    owner_id: Mapped[UUID] = mapped_column(index=True)


class Parcels(Service[Parcel]):
    """What `gatepost eject` would write."""

    async def create(self, draft: Parcel, actor: Actor) -> Parcel:
        if draft.code == "complete me":
            draft.code = "p-completed"
        self.session.add(draft)
        await self.session.flush()
        return draft

    async def update(self, row: Parcel, changes: Changes[Parcel], actor: Actor) -> Parcel:
        if changes.get("code") == "by statement":
            other = update(Parcel).where(Parcel.id == row.id).values(code="by statement")
            await self.session.execute(other.execution_options(synchronize_session=False))
            return row
        if changes.get("code") == "another row":
            owners = update(Parcel).where(Parcel.id == row.id).values(owner_id=uuid4())
            await self.session.execute(owners.execution_options(synchronize_session=False))
            return (await self.session.scalars(select(Parcel).where(Parcel.id + 5_000 == row.depot_id))).one()
        changes.apply(row)
        await self.session.flush()
        return row

    async def delete(self, row: Parcel, actor: Actor) -> None:
        await self.session.delete(row)
        await self.session.flush()


class ParcelBody(DTO[Parcel]):
    """What a sender says."""

    code: str
    note: str | None
    depot_id: int | None


class Counter(Controller[Parcel]):
    @post("/sent", allow=authenticated)
    async def send(self, body: ParcelBody, parcels: Parcels, actor: Actor) -> Created[Parcel]:
        return Created(await parcels.create(body.row(owner_id=actor.require_id()), actor))

    @patch("/{parcel}/moved", allow=authenticated)
    async def move(self, parcel: Parcel, body: Partial[ParcelBody], parcels: Parcels, actor: Actor) -> Parcel:
        return await parcels.update(parcel, body.changes, actor)


def begins_with_p(model: type[Parcel], actor: Actor) -> Any:
    """A condition that needs SQL."""
    return model.code.like("p%")


ours = owner(Parcel.owner_id) & policy(begins_with_p)

app = App(
    Resource(Depot, read=role("clerk"), create=role("clerk")),
    Resource(Parcel, read=authenticated, write=ours, service=Parcels, controller=Counter),
)
