"""The same table twice: written by derived verbs and through a service; with long values, constraints, and room for
every trigger."""

from decimal import Decimal
from typing import Annotated, Any

import asyncpg
from annotated_types import MaxLen
from sqlalchemy import (
    CheckConstraint,
    Computed,
    Constraint,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, ExcludeConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column, validates

from gatepost import Actor, App, Changes, Resource, Service, anyone, policy
from gatepost.events import ConstraintViolated, RequestFailed, TriggerRefused, ValueRefused, WriteSuppressed
from gatepost.testing import Client, ClientResponse


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData()


class Columns:
    """The columns of both tables."""

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    text: Mapped[str] = mapped_column(default="")
    number: Mapped[int] = mapped_column(default=0)
    is_gone: Mapped[bool] = mapped_column(default=False)


class Link(Base):
    """A derived resource whose columns have indexes of many kinds."""

    __tablename__ = "links"
    __table_args__ = (
        Index("links_lower_note", text("lower(note)")),
        UniqueConstraint("host", "place"),
        Index("links_tags", "tags"),
        Index("links_words", "words", postgresql_using="gin"),
        Index("links_hash", "hashed", postgresql_using="hash"),
    )

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    url: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str | None]
    note: Mapped[str | None]
    host: Mapped[str | None]
    place: Mapped[str | None]
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    words: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    body: Mapped[str | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)
    document: Mapped[dict[str, Any] | None] = mapped_column(JSONB, index=True)
    hashed: Mapped[str | None]
    shout: Mapped[str | None] = mapped_column(Text, Computed("upper(title)", persisted=True), index=True)
    short: Mapped[Annotated[str | None, MaxLen(100)]] = mapped_column(index=True)


class Bookmark(Base):
    """The same, through a service."""

    __tablename__ = "bookmarks"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    url: Mapped[str | None] = mapped_column(unique=True)
    title: Mapped[str | None] = mapped_column(index=True)
    body: Mapped[str | None]


class Bookmarks(Service[Bookmark]):
    """Overrides what makes the ORM write."""

    async def before_create(self, draft: Bookmark, actor: Actor) -> None: ...

    async def before_update(self, row: Bookmark, changes: Changes[Bookmark], actor: Actor) -> None: ...


class Thing(Columns, Base):
    """Written by derived verbs."""

    __tablename__ = "things"


class Deed(Columns, Base):
    """Written through a service."""

    __tablename__ = "deeds"


class Deeds(Service[Deed]):
    """Overrides every writing verb, and changes nothing."""

    async def before_create(self, draft: Deed, actor: Actor) -> None: ...

    async def before_update(self, row: Deed, changes: Changes[Deed], actor: Actor) -> None: ...

    async def before_delete(self, row: Deed, actor: Actor) -> None: ...


class Checked(Columns, Base):
    """Written by derived verbs, which go through the ORM because of the validator."""

    __tablename__ = "checked"

    @validates("text")
    def check(self, key: str, value: str) -> str:
        """Admit every text."""
        return value


class Ruled(Columns, Base):
    """Written by derived verbs, under a policy that only SQL can evaluate."""

    __tablename__ = "ruled"


class Room(Base):
    """What others refer to."""

    __tablename__ = "rooms"

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(server_default="")


class Constrained:
    """Every kind of constraint, some of them deferred, by names that begin with the table's."""

    __tablename__: str

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str | None] = mapped_column(unique=True)
    number: Mapped[int | None]
    price: Mapped[Decimal | None]
    late: Mapped[str | None]

    @declared_attr.directive
    def __table_args__(cls) -> tuple[Constraint, ...]:  # noqa: N805 - a class
        return (
            ExcludeConstraint(("number", "="), name=f"{cls.__tablename__}_excluded", using="btree"),
            CheckConstraint("price <> 13", name=f"{cls.__tablename__}_price"),
            UniqueConstraint("late", name=f"{cls.__tablename__}_late", deferrable=True, initially="DEFERRED"),
        )

    @declared_attr
    def room_id(cls) -> Mapped[int | None]:  # noqa: N805 - a class
        name = f"{cls.__tablename__}_room"
        return mapped_column(ForeignKey("rooms.id", name=name, deferrable=True, initially="DEFERRED"))


class Booking(Constrained, Base):
    """Written by compiled statements."""

    __tablename__ = "bookings"


class Stay(Constrained, Base):
    """Written through a service."""

    __tablename__ = "stays"


class Stays(Service[Stay]):
    """Overrides what makes the ORM write."""

    async def before_create(self, draft: Stay, actor: Actor) -> None: ...

    async def before_update(self, row: Stay, changes: Changes[Stay], actor: Actor) -> None: ...


IN_SQL = policy(lambda model, actor: func.length(model.text) < 1000)
SEEN = policy(lambda model, actor: model.is_gone.is_(False))

app = App(
    Resource(Link, read=anyone, write=anyone, sort=["title"], filter=["host"]),
    Resource(Bookmark, read=anyone, write=anyone, service=Bookmarks),
    Resource(Thing, read=SEEN, write=anyone),
    Resource(Deed, read=SEEN, write=anyone, service=Deeds),
    Resource(Checked, read=SEEN, write=anyone),
    Resource(Ruled, read=SEEN, write=IN_SQL),
    Resource(Room, read=anyone, write=anyone),
    Resource(Booking, read=anyone, write=anyone),
    Resource(Stay, read=anyone, write=anyone, service=Stays),
)

failures: list[BaseException] = []
refused: list[ValueRefused] = []
raised: list[TriggerRefused] = []
suppressed: list[str] = []
violated: list[ConstraintViolated] = []
app.events.subscribe(RequestFailed, lambda event: failures.append(event.error))
app.events.subscribe(ValueRefused, refused.append)
app.events.subscribe(TriggerRefused, raised.append)
app.events.subscribe(WriteSuppressed, lambda event: suppressed.append(event.table))
app.events.subscribe(ConstraintViolated, violated.append)


class Site:
    """The running app, as anonymous clients and an operator see it."""

    def __init__(self, client: Client, witness: "asyncpg.Connection[Any]") -> None:
        self.client = client
        self.witness = witness

    async def write(self, method: str, resource: str, **body: Any) -> ClientResponse:
        """Create a row, or change or delete the one with key 1, which is there."""
        for log in (failures, refused, raised, suppressed, violated):
            log.clear()
        path = f"/api/{resource}" if method == "POST" else f"/api/{resource}/1"
        return await self.client.request(method, path, **({"json": body} if method != "DELETE" else {}))

    async def clear(self, *resources: str) -> None:
        """One row, number 1, in each table, and no trigger."""
        await self.witness.execute("DROP FUNCTION IF EXISTS act() CASCADE")
        for resource in resources:
            await self.witness.execute(f"TRUNCATE {resource} RESTART IDENTITY CASCADE")
            columns = ("(text, number, is_gone)", "('first', 1, false)")
            plain = resource in ("things", "deeds", "ruled", "checked")
            await self.witness.execute(
                f"INSERT INTO {resource} {'{} VALUES {}'.format(*columns) if plain else 'DEFAULT VALUES'}"
            )

    async def trigger(self, resource: str, body: str, when: str = "BEFORE INSERT OR UPDATE OR DELETE") -> None:
        """Let a trigger on each row run this PL/pgSQL, between DECLARE and the final RETURN."""
        await self.witness.execute("DROP FUNCTION IF EXISTS act() CASCADE")
        await self.witness.execute(
            f"CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n integer; t text; BEGIN {body};"
            " IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$"
        )
        kind = "CONSTRAINT TRIGGER" if "DEFERRABLE" in when else "TRIGGER"
        before, _, deferred = when.partition(" DEFERRABLE")
        late = f"DEFERRABLE{deferred}" if deferred else ""
        await self.witness.execute(
            f"CREATE {kind} act {before} ON {resource} {late} FOR EACH ROW EXECUTE FUNCTION act()"
        )
