"""An app made for rules of fields: a field for every pair of a rule of reading and one of writing, served twice."""

from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from gatepost import (
    Actor,
    App,
    Changes,
    Field,
    Model,
    Resource,
    Service,
    anyone,
    authenticated,
    owner,
    policy,
    role,
)
from gatepost.declaring.policies import Policy, nobody
from gatepost.models.base import NAMING
from gatepost.models.entity import entity_of
from gatepost.models.indexes import add_sort_index

T = TypeVar("T")


@policy
def is_mine(model: Any, actor: Actor) -> Any:
    """As `owner`, in the words of a user's own, and a plain bool for admins."""
    return True if "admin" in actor.roles else model.owner_id == actor.id


RULES: dict[str, Policy] = {
    "anyone": anyone,
    "nobody": nobody,
    "hr": role("hr"),
    "owner": owner("owner_id"),
    "mine": is_mine,
}

PAIRS = [
    *((reads, writes) for reads in RULES if reads != "mine" for writes in RULES if writes != "mine"),
    ("mine", "mine"),
    ("mine", "anyone"),
    ("anyone", "mine"),
    ("nobody", "mine"),
]


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Columns:
    """A row of somebody's; the fields of `PAIRS` are added below."""

    title: Mapped[str] = mapped_column(default="title")
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


def name_of(reads: str, writes: str) -> str:
    """The text field with these rules; its document is called the same with `_doc` behind."""
    return f"{reads}_{writes}"


for pair in PAIRS:
    setattr(Columns, name_of(*pair), mapped_column(String, default="first"))
    setattr(Columns, f"{name_of(*pair)}_doc", mapped_column(JSONB, default=lambda: {"a": 1, "keep": "me"}))
    Columns.__annotations__[name_of(*pair)] = Mapped[str | None]
    Columns.__annotations__[f"{name_of(*pair)}_doc"] = Mapped[Any | None]


class Safe(Columns, Base):
    __tablename__ = "safes"


class ServicedSafe(Columns, Base):
    __tablename__ = "serviced_safes"


class Label(Base):
    """Stands on a safe, which it expands."""

    __tablename__ = "labels"

    safe_id: Mapped[UUID] = mapped_column(ForeignKey("safes.id"), index=True)
    safe: Mapped[Safe] = relationship()


class Drawer(Base):
    """Hidden from all but its owner."""

    __tablename__ = "drawers"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)


class Referring:
    """A visible row that refers to a hidden one."""

    text: Mapped[str] = mapped_column(default="")
    drawer_id: Mapped[UUID] = mapped_column(ForeignKey("drawers.id"), index=True)
    other_id: Mapped[UUID | None] = mapped_column(ForeignKey("drawers.id"), index=True)
    label_id: Mapped[UUID | None] = mapped_column(ForeignKey("labels.id"), index=True)


class Sheet(Referring, Base):
    __tablename__ = "sheets"


class ServicedSheet(Referring, Base):
    __tablename__ = "serviced_sheets"


class DiaryColumns:
    text: Mapped[str] = mapped_column(default="")
    size: Mapped[int] = mapped_column(default=1)
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Diary(DiaryColumns, Base):
    """Its secret may be written by the owner, and read by an admin."""

    __tablename__ = "diaries"

    secret: Mapped[str | None] = mapped_column(String(20))
    secrets: Mapped[int | None] = mapped_column(default=7)


class ServicedDiary(DiaryColumns, Base):
    __tablename__ = "serviced_diaries"

    secret: Mapped[str | None] = mapped_column(String(20))
    secrets: Mapped[int | None] = mapped_column(default=7)


class PlainDiary(DiaryColumns, Base):
    """The same without any secret."""

    __tablename__ = "plain_diaries"


class TicketColumns:
    """The note may be set by its owner alone, in the words of a user's own."""

    code: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None]
    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)


class Ticket(TicketColumns, Base):
    __tablename__ = "vault_tickets"


class ServicedTicket(TicketColumns, Base):
    __tablename__ = "serviced_vault_tickets"


class Apart(Base):
    """Written in one way by some, in the other by others."""

    __tablename__ = "aparts"

    owner_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    number: Mapped[int]
    later: Mapped[int | None]


class Passing(Service[T]):
    """Overrides what can be overridden, and changes nothing."""

    async def before_create(self, draft: Any, actor: Actor) -> None: ...

    async def after_update(self, row: Any, changes: Changes[Any], actor: Actor) -> None: ...

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Any:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)


def passing() -> type[Service[Any]]:
    """Of each service there is one per resource."""
    return type("PassingOn", (Passing,), {})


FIELDS = {
    name + suffix: Field(read=RULES[reads], write=RULES[writes])
    for reads, writes in PAIRS
    for name in (name_of(reads, writes),)
    for suffix in ("", "_doc")
}
NAMES = [name_of(*pair) for pair in PAIRS]
SECRETS = {name: Field(read=role("admin"), write=owner("owner_id")) for name in ("secret", "secrets")}
OPEN = {"read": anyone, "create": authenticated, "update": authenticated}

app = App(
    Resource(Safe, **OPEN, fields=FIELDS),
    Resource(ServicedSafe, **OPEN, fields=FIELDS, service=passing()),
    Resource(Label, **OPEN),
    Resource(Drawer, read=owner("owner_id"), write=owner("owner_id")),
    Resource(Sheet, **OPEN),
    Resource(ServicedSheet, **OPEN, service=passing()),
    Resource(Diary, **OPEN, fields=SECRETS),
    Resource(ServicedDiary, **OPEN, fields=SECRETS, service=passing()),
    Resource(PlainDiary, **OPEN),
    Resource(Ticket, **OPEN, fields={"note": Field(write=is_mine)}),
    Resource(ServicedTicket, **OPEN, fields={"note": Field(write=is_mine)}, service=passing()),
    Resource(
        Apart,
        **OPEN,
        fields={
            "number": Field(create=anyone, update=role("hr")),
            "later": Field(read=owner("owner_id"), create=nobody, update=owner("owner_id")),
        },
    ),
)

# Indexes that a resource may not ask for, because some of the fields are shown to nobody or by row: so that it is not
# for want of an index that they are refused.
for safe in (Safe, ServicedSafe):
    for text_field in NAMES:
        add_sort_index(entity_of(safe), text_field)
