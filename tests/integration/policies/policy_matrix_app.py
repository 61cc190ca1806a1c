"""An app made for the table of policies: a resource for each kind of rule, alike in everything else."""

from typing import Annotated, Any
from uuid import UUID

from annotated_types import Len
from sqlalchemy import ForeignKey, MetaData, func, select
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import Actor, App, Model, Resource, Service, anyone, authenticated, owner, policy, role
from gatepost.declaring.policies import nobody
from gatepost.models.base import NAMING


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Member(Base):
    """Who belongs to which team. Not served: policies look at it."""

    __tablename__ = "members"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    team: Mapped[str]


class Parent(Base):
    __tablename__ = "parents"

    title: Mapped[Annotated[str, Len(1, 200)]]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Columns:
    """What every row of the table has."""

    title: Mapped[Annotated[str, Len(1, 200)]]
    team: Mapped[str] = mapped_column(default="red")
    rank: Mapped[int] = mapped_column(default=5)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Open(Columns, Base):
    __tablename__ = "open"


class Signed(Columns, Base):
    __tablename__ = "signed"


class Roled(Columns, Base):
    __tablename__ = "roled"


class Owned(Columns, Base):
    __tablename__ = "owned"


class Line(Columns, Base):
    __tablename__ = "lines"

    parent_id: Mapped[UUID] = mapped_column(ForeignKey("parents.id"), index=True)
    parent: Mapped[Parent] = relationship()


class Deep(Columns, Base):
    __tablename__ = "deep"

    line_id: Mapped[UUID] = mapped_column(ForeignKey("lines.id"), index=True)
    line: Mapped[Line] = relationship()


class Related(Columns, Base):
    __tablename__ = "related"

    parent_id: Mapped[UUID] = mapped_column(ForeignKey("parents.id"), index=True)
    parent: Mapped[Parent] = relationship()


class Either(Columns, Base):
    __tablename__ = "either"


class Both(Columns, Base):
    __tablename__ = "both"


class Others(Columns, Base):
    __tablename__ = "others"


class Guests(Columns, Base):
    __tablename__ = "guests"


class Shared(Columns, Base):
    __tablename__ = "shared"


class Listed(Columns, Base):
    __tablename__ = "listed"


class Flagged(Columns, Base):
    __tablename__ = "flagged"


class Mixed(Columns, Base):
    __tablename__ = "mixed"


class Dropbox(Columns, Base):
    __tablename__ = "dropbox"


class Shown(Columns, Base):
    __tablename__ = "shown"


class Serviced(Columns, Base):
    __tablename__ = "serviced"


class ServicedLine(Columns, Base):
    __tablename__ = "serviced_lines"

    parent_id: Mapped[UUID] = mapped_column(ForeignKey("parents.id"), index=True)
    parent: Mapped[Parent] = relationship()


@policy
def same_team(model: Any, actor: Actor) -> Any:
    """Rows of the actor's teams, by a subquery that reads another table."""
    return select(Member.id).where(Member.team == model.team, Member.user_id == actor.id).exists()


@policy
def low_rank(model: Any, actor: Actor) -> Any:
    """Lists of literals, of another length for editors, and a value computed from the actor."""
    ranks = [1, 2, 3, 4, 5] if "editor" in actor.roles else [1, 2]
    return func.coalesce(model.rank, len(actor.roles)).in_(ranks)


@policy
def plainly(model: Any, actor: Actor) -> bool:
    """No condition at all: what the actor is decides."""
    return "editor" in actor.roles


@policy
def through_relation(model: Any, actor: Actor) -> Any:
    """A relationship's own EXISTS."""
    return model.parent.has(Parent.owner_id == actor.id)


class Everything(Service[Serviced]):
    """Overrides every verb, and leaves the decision to `super()`."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Serviced:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)

    async def create(self, draft: Serviced, actor: Actor) -> Serviced:
        return await super().create(draft, actor)

    async def update(self, row: Serviced, changes: Any, actor: Actor) -> Serviced:
        return await super().update(row, changes, actor)

    async def delete(self, row: Serviced, actor: Actor) -> None:
        await super().delete(row, actor)


class Careless(Service[ServicedLine]):
    """Writes by itself, without `super()`: the rule holds all the same."""

    async def create(self, draft: ServicedLine, actor: Actor) -> ServicedLine:
        self.session.add(draft)
        await self.session.flush()
        return draft

    async def update(self, row: ServicedLine, changes: Any, actor: Actor) -> ServicedLine:
        changes.apply(row)
        return row

    async def delete(self, row: ServicedLine, actor: Actor) -> None:
        await self.session.delete(row)


editor = role("editor")
mine = owner("owner_id")

app = App(
    Resource(Parent, read=anyone),
    Resource(Open, read=anyone, write=anyone),
    Resource(Signed, read=authenticated, write=authenticated),
    Resource(Roled, read=editor, write=editor),
    Resource(Owned, read=mine, write=mine),
    Resource(Line, read=owner("parent.owner_id"), write=owner("parent.owner_id")),
    Resource(Deep, read=anyone, write=owner("line.parent.owner_id")),
    Resource(Related, read=through_relation, write=through_relation),
    Resource(Either, read=editor | mine, write=editor | mine),
    Resource(Both, read=editor & mine, write=editor & mine),
    Resource(Others, read=anyone, write=~mine),
    Resource(Guests, read=anyone, write=~authenticated),
    Resource(Shared, read=same_team | editor, write=same_team & ~editor),
    Resource(Listed, read=low_rank, write=low_rank),
    Resource(Flagged, read=plainly | mine, write=plainly),
    Resource(Mixed, list=anyone, get=mine, create=authenticated, update=editor & mine | mine, delete=nobody),
    Resource(Dropbox, create=anyone),
    Resource(Shown, read=anyone),
    Resource(Serviced, read=editor | mine, write=mine, service=Everything),
    Resource(ServicedLine, read=anyone, write=owner("parent.owner_id"), service=Careless),
)
