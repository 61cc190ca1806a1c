"""Tales that users favor and mark: endpoints that ensure and discard rows, by statements and through a service."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Controller, Model, Resource, Service, anyone, authenticated, delete, owner, post, role
from gatepost.models.base import NAMING


class Narrated(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Tale(Narrated):
    """What users favor."""

    __tablename__ = "tales"

    slug: Mapped[str] = mapped_column(unique=True)
    is_secret: Mapped[bool] = mapped_column(default=False)


class ByUser:
    """One row for each user and tale."""

    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    tale_id: Mapped[UUID] = mapped_column(ForeignKey("tales.id"), index=True)
    made_by: Mapped[str] = mapped_column(default="nobody")


class TaleFavorite(ByUser, Narrated):
    """Made by a statement."""

    __tablename__ = "tale_favorites"
    __table_args__: Any = (UniqueConstraint("user_id", "tale_id"),)


class TaleMark(ByUser, Narrated):
    """Made by a service."""

    __tablename__ = "tale_marks"
    __table_args__: Any = (UniqueConstraint("user_id", "tale_id"),)


class TaleMarks(Service[TaleMark]):
    """Completes what it makes."""

    async def create(self, draft: TaleMark, actor: Actor) -> TaleMark:
        draft.made_by = "service"
        return await super().create(draft, actor)


class TaleRoutes(Controller[Tale]):
    """Endpoints that may be called any number of times."""

    marks: TaleMarks

    @post("/{tale:slug}/favorite", allow=authenticated)
    async def favorite(self, tale: Tale, favorites: Service[TaleFavorite], actor: Actor) -> TaleFavorite:
        return await favorites.ensure(TaleFavorite(user_id=actor.require_id(), tale_id=tale.id), actor)

    @delete("/{tale:slug}/favorite", allow=authenticated)
    async def unfavorite(self, tale: Tale, favorites: Service[TaleFavorite], actor: Actor) -> dict[str, bool]:
        draft = TaleFavorite(user_id=actor.require_id(), tale_id=tale.id)
        return {"was_there": await favorites.discard(draft, actor)}

    @post("/{tale:slug}/mark", allow=authenticated)
    async def mark(self, tale: Tale, actor: Actor) -> TaleMark:
        return await self.marks.ensure(TaleMark(user_id=actor.require_id(), tale_id=tale.id), actor)

    @delete("/{tale:slug}/mark", allow=authenticated)
    async def unmark(self, tale: Tale, actor: Actor) -> dict[str, bool]:
        return {"was_there": await self.marks.discard(TaleMark(user_id=actor.require_id(), tale_id=tale.id), actor)}

    @post("/{tale:slug}/mark-for/{user_id}", allow=authenticated)
    async def mark_for(self, tale: Tale, user_id: UUID, actor: Actor) -> TaleMark:
        """In the name of somebody else, whose marks only he reads."""
        return await self.marks.ensure(TaleMark(user_id=user_id, tale_id=tale.id), actor)


own = owner("user_id")
tales = App(
    Resource(Tale, read=anyone, write=role("editor"), where=~Tale.is_secret, key=Tale.slug, controller=TaleRoutes),
    Resource(TaleFavorite, read=own, create=own, delete=own, routes=False),
    Resource(TaleMark, read=own, create=own | role("editor"), delete=own, service=TaleMarks, routes=False),
)
