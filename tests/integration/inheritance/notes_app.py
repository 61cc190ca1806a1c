"""A hierarchy of notes over one table, and apps that serve some of its classes, each under its own rules."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import App, Field, Policy, Resource, Service, anyone, owner, policy, role
from gatepost.declaring.policies import nobody
from gatepost.declaring.resource import hidden
from gatepost.models.base import NAMING


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)


class Note(Base):
    __tablename__ = "notes"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "note"}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]
    text: Mapped[str] = mapped_column(index=True)
    rank: Mapped[int] = mapped_column(default=0)
    topic: Mapped[str | None]
    owner_id: Mapped[UUID | None]


class PublicNote(Note):
    __mapper_args__ = {"polymorphic_identity": "public"}  # noqa: RUF012


class PrivateNote(Note):
    __mapper_args__ = {"polymorphic_identity": "private"}  # noqa: RUF012

    keeper_id: Mapped[UUID | None]


class SecretNote(PrivateNote):
    __mapper_args__ = {"polymorphic_identity": "secret"}  # noqa: RUF012


class Comment(Base):
    __tablename__ = "comments"

    id: Mapped[int] = mapped_column(primary_key=True)
    note_id: Mapped[int | None] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), index=True)
    private_id: Mapped[int | None] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), index=True)
    plain_id: Mapped[int | None] = mapped_column(ForeignKey("notes.id", ondelete="CASCADE"), index=True)
    note: Mapped[Note | None] = relationship(foreign_keys=note_id)
    private: Mapped[PrivateNote | None] = relationship(foreign_keys=private_id)


CLASSES: Mapping[str, type[Note]] = {
    "note": Note,
    "public": PublicNote,
    "private": PrivateNote,
    "secret": SecretNote,
}


def class_of(kind: str | None) -> type[Note]:
    """The class of a row. One whose kind no class has is of the base."""
    return CLASSES.get(kind or "note", Note)


def is_own(who: Any, key: Any) -> bool:
    """Whether a column holds the key of the actor."""
    return who.id is not None and key == who.id


class Rule(NamedTuple):
    """A policy, who may pass it at all, and for which rows: in Python."""

    policy: Policy
    may_ask: Any
    holds: Any


RULES: Mapping[str, Rule] = {
    "anyone": Rule(anyone, lambda who: True, lambda who, row: True),
    "boss": Rule(role("boss"), lambda who: who.is_boss, lambda who, row: who.is_boss),
    "mine": Rule(owner("owner_id"), lambda who: who.id is not None, lambda who, row: is_own(who, row["owner_id"])),
    "loud": Rule(
        policy(lambda model, actor: model.text == "loud"), lambda who: True, lambda who, row: row["text"] == "loud"
    ),
    "boss or loud": Rule(
        role("boss") | policy(lambda model, actor: model.text == "loud"),
        lambda who: True,
        lambda who, row: who.is_boss or row["text"] == "loud",
    ),
    "others'": Rule(~owner("owner_id"), lambda who: True, lambda who, row: not is_own(who, row["owner_id"])),
    "nobody": Rule(nobody, lambda who: False, lambda who, row: False),
}

OF_PRIVATE: Mapping[str, Rule] = {
    **RULES,
    "kept": Rule(owner("keeper_id"), lambda who: who.id is not None, lambda who, row: is_own(who, row["keeper_id"])),
    "kept by somebody": Rule(
        policy(lambda model, actor: model.keeper_id.is_not(None)),
        lambda who: True,
        lambda who, row: row["keeper_id"] is not None,
    ),
}

RANKS: Mapping[str, tuple[Field | None, Any]] = {
    "open": (None, lambda who, row: True),
    "hidden": (hidden, lambda who, row: False),
    "boss": (Field(read=role("boss"), write=role("boss")), lambda who, row: who.is_boss),
    "mine": (Field(read=owner("owner_id"), write=nobody), lambda who, row: is_own(who, row["owner_id"])),
}
"""Who sees the rank of a note."""


class Serving(NamedTuple):
    """How one class is served: rules by action, who sees the rank, and whether a service overrides every verb."""

    rules: Mapping[str, str]
    rank: str = "open"
    has_service: bool = False

    def rule(self, model: type[Note], action: str) -> Rule:
        return (OF_PRIVATE if issubclass(model, PrivateNote) else RULES)[self.rules[action]]


def app_of(serving: Mapping[type[Note], Serving]) -> App:
    """An app with a resource for each of these classes, and one for comments."""
    resources: list[Resource[Any]] = []
    for model, how in serving.items():
        policies = {action: how.rule(model, action).policy for action in how.rules}
        field, _ = RANKS[how.rank]
        resources.append(
            Resource(
                model,
                path=model.__name__.lower(),
                service=_service(model) if how.has_service else None,
                fields={} if field is None else {"rank": field},
                page_size=100,
                **policies,
            )
        )
    return App(*resources, Resource(Comment, read=anyone, write=anyone, path="comments", page_size=100))


def _service(model: type[Any]) -> type[Service[Any]]:
    """A service that overrides every verb, and changes nothing."""

    class Notes(Service[model]):  # type: ignore[valid-type]
        async def get(self, id: Any, actor: Any, *, lock: bool = False) -> Any:
            return await super().get(id, actor, lock=lock)

        async def list(self, query: Any, actor: Any) -> Any:
            return await super().list(query, actor)

        async def create(self, draft: Any, actor: Any) -> Any:
            return await super().create(draft, actor)

        async def update(self, row: Any, changes: Any, actor: Any) -> Any:
            return await super().update(row, changes, actor)

        async def delete(self, row: Any, actor: Any) -> Any:
            return await super().delete(row, actor)

    return Notes
