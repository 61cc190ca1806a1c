"""An app with a model for each row of the table of SQLAlchemy's features in `docs/reference/declaring.md`.

It exists twice over the same tables: without services, and with ones that only call `super()`.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from sqlalchemy import (
    Column,
    Computed,
    FetchedValue,
    ForeignKey,
    Identity,
    Integer,
    MetaData,
    Table,
    Text,
    event,
    func,
    select,
    text,
)
from sqlalchemy import (
    Sequence as DatabaseSequence,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    MappedAsDataclass,
    WriteOnlyMapped,
    aliased,
    column_property,
    deferred,
    mapped_column,
    object_session,
    registry,
    relationship,
    synonym,
    validates,
)

from gatepost import Actor, App, Changes, ListQuery, Resource, Service, UserColumns, anyone

metadata = MetaData()


class Base(DeclarativeBase):
    """Somebody's own base."""

    metadata = metadata


class Keyed:
    """A generated key and a name."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class User(Keyed, UserColumns, Base):
    __tablename__ = "users"

    name: Mapped[str] = mapped_column(default="somebody")


class Plain(Keyed, Base):
    __tablename__ = "plain"

    note: Mapped[str | None]


class Validated(Keyed, Base):
    __tablename__ = "validated"

    @validates("name")
    def _check(self, _: str, name: str) -> str:
        if " " in name:
            raise ValueError("A name has no spaces.")
        return name.lower()


class Stamped(Keyed, Base):
    __tablename__ = "stamped"

    stamp: Mapped[str | None]
    count: Mapped[int] = mapped_column(default=0)


@event.listens_for(Stamped, "before_insert")
def stamp(_mapper: Any, _connection: Any, row: Stamped) -> None:
    row.stamp = f"inserted {row.name}"


@event.listens_for(Stamped, "before_update")
def count(_mapper: Any, _connection: Any, row: Stamped) -> None:
    session = object_session(row)
    if session is not None and session.is_modified(row):  # the event comes also where nothing has changed
        row.count += 1


class Archived(Base):
    __tablename__ = "archive"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Kept(Keyed, Base):
    __tablename__ = "kept"


@event.listens_for(Kept, "before_delete")
def archive(_mapper: Any, connection: Any, row: Kept) -> None:
    connection.execute(Archived.__table__.insert().values(name=row.name))


class Trimmed(Keyed, Base):
    __tablename__ = "trimmed"


@event.listens_for(Trimmed.name, "set", retval=True)
def trim(_row: Trimmed, value: str, _old: Any, _initiator: Any) -> str:
    return value.strip()


class Begun(Keyed, Base):
    __tablename__ = "begun"

    origin: Mapped[str | None]


@event.listens_for(Begun, "init")
def begin(row: Begun, _args: Any, _kwargs: Any) -> None:
    row.origin = "made by init"


class Flushed(Keyed, Base):
    __tablename__ = "flushed"


numbers: Iterator[int] = itertools.repeat(7)


class Defaults(Keyed, Base):
    __tablename__ = "defaults"

    scalar: Mapped[int] = mapped_column(default=5)
    called: Mapped[int] = mapped_column(default=lambda: next(numbers))
    expression: Mapped[str] = mapped_column(default=func.upper("made by sql"))
    server: Mapped[str] = mapped_column(server_default=text("'made by server'"))


class InContext(Keyed, Base):
    __tablename__ = "in_context"

    shouted: Mapped[str] = mapped_column(
        default=lambda context: context.get_current_parameters()["name"].upper(),
        onupdate=lambda context: context.get_current_parameters()["name"].upper(),
    )


class Touched(Keyed, Base):
    __tablename__ = "touched"

    called: Mapped[str | None] = mapped_column(onupdate=lambda: "called")
    scalar: Mapped[str | None] = mapped_column(onupdate="scalar")
    expression: Mapped[str | None] = mapped_column(onupdate=func.lower("EXPRESSION"))


class Fetched(Keyed, Base):
    __tablename__ = "fetched"

    rank: Mapped[int] = mapped_column(server_default=text("1"), server_onupdate=FetchedValue())


class Deferred(Keyed, Base):
    __tablename__ = "deferred"

    body: Mapped[str | None] = deferred(mapped_column(Text))


class Synonymous(Keyed, Base):
    __tablename__ = "synonymous"

    title = synonym("name")


class Versioned(Keyed, Base):
    __tablename__ = "versioned"

    revision: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012 - SQLAlchemy declares it as an instance's


class Mutated(Keyed, Base):
    __tablename__ = "mutated"

    data: Mapped[dict[str, Any]] = mapped_column(MutableDict.as_mutable(JSONB))


class Private(Keyed, Base):
    __tablename__ = "private"

    _secret: Mapped[str | None] = mapped_column("secret")


class DataclassBase(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Somebody's base of dataclasses."""

    metadata = metadata


class Part(DataclassBase):
    __tablename__ = "parts"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str]
    note: Mapped[str | None] = mapped_column(repr=False)
    count: Mapped[int] = mapped_column(default=5)
    state: Mapped[str] = mapped_column(init=False, default="new")
    origin: Mapped[str] = mapped_column(server_default=text("'made by server'"))


class Widget(DataclassBase):
    __tablename__ = "widgets"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    name: Mapped[str]
    label: Mapped[str] = mapped_column(default_factory=lambda: "made by factory")
    code: Mapped[str | None] = mapped_column(default=None, init=False)


class Imperative:
    """Mapped without a base."""

    id: int
    name: str
    note: str | None


@dataclasses.dataclass
class ImperativeDataclass:
    """A dataclass that is mapped without a base."""

    name: str
    label: str = "made by dataclass"


def table_of(name: str, *columns: Column[Any]) -> Table:
    return Table(
        name, metadata, Column("id", Integer, primary_key=True), Column("name", Text, nullable=False), *columns
    )


by_hand = registry(metadata=metadata)
by_hand.map_imperatively(Imperative, table_of("imperative", Column("note", Text)))
by_hand.map_imperatively(ImperativeDataclass, table_of("imperative_dataclasses", Column("label", Text)))


class Constructed(Keyed, Base):
    __tablename__ = "constructed"

    slug: Mapped[str | None]

    def __init__(self, name: str) -> None:
        self.name = name
        self.slug = name.lower()


class Strict(Keyed, Base):
    __tablename__ = "strict"

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value.lower() if name == "name" else value)


class Shelf(Keyed, Base):
    """What the ORM does to its others when it is deleted is what the foreign keys say."""

    __tablename__ = "shelves"

    owned: Mapped[list["Owned"]] = relationship(cascade="all, delete-orphan")
    loose: Mapped[list["Loose"]] = relationship()
    left: Mapped[list["Left"]] = relationship(passive_deletes=True, cascade="all")
    written: WriteOnlyMapped["Written"] = relationship(passive_deletes=True)


class Owned(Keyed, Base):
    __tablename__ = "owned"

    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"), index=True)


class Loose(Keyed, Base):
    __tablename__ = "loose"

    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id", ondelete="SET NULL"), index=True)


class Left(Keyed, Base):
    __tablename__ = "left_to_database"

    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"), index=True)


class Written(Keyed, Base):
    __tablename__ = "written"

    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id", ondelete="SET NULL"), index=True)


tagging = Table(
    "tagging",
    metadata,
    Column("box_id", ForeignKey("boxes.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Tag(Keyed, Base):
    __tablename__ = "tags"


class Box(Keyed, Base):
    """When it is deleted, the ORM does what no foreign key says."""

    __tablename__ = "boxes"

    packed: Mapped[list["Packed"]] = relationship(cascade="all, delete-orphan")
    near: Mapped[list["Near"]] = relationship()
    tags: Mapped[list[Tag]] = relationship(secondary=tagging)


class Packed(Keyed, Base):
    __tablename__ = "packed"

    box_id: Mapped[int] = mapped_column(ForeignKey("boxes.id"), index=True)


class Near(Keyed, Base):
    __tablename__ = "near"

    box_id: Mapped[int | None] = mapped_column(ForeignKey("boxes.id"), index=True)


class Named(Keyed, Base):
    """Expressions over its own columns."""

    __tablename__ = "named"

    surname: Mapped[str]
    email: Mapped[str | None]

    @hybrid_property
    def initials(self) -> Any:
        return func.concat(self.name, "/", self.surname)

    @hybrid_property
    def domain(self) -> str | None:
        return None if self.email is None else self.email.partition("@")[2]

    @domain.inplace.expression
    @classmethod
    def _domain(cls) -> Any:
        return func.split_part(cls.email, "@", 2, type_=Text)


Named.full_name = column_property(func.lower(Named.name) + " " + Named.surname)  # type: ignore[attr-defined]


class Counted(Keyed, Base):
    """An expression that reads other rows, its own siblings among them."""

    __tablename__ = "counted"


_other = aliased(Counted)
Counted.namesakes = column_property(  # type: ignore[attr-defined]
    select(func.count(_other.id)).where(_other.name == Counted.name).correlate(Counted).scalar_subquery()
)


class Numbered(Keyed, Base):
    """Values that the database gives."""

    __tablename__ = "numbered"

    always: Mapped[int] = mapped_column(Integer, Identity(always=True, start=7))
    usual: Mapped[int] = mapped_column(Integer, DatabaseSequence("usual_numbers", start=1000))
    drawn: Mapped[int] = mapped_column(Integer, server_default=DatabaseSequence("drawn_numbers", start=50).next_value())
    doubled: Mapped[int] = mapped_column(Integer, Computed("always * 2"))


class Identified(Base):
    __tablename__ = "identified"

    id: Mapped[int] = mapped_column(Integer, Identity(always=True), primary_key=True)
    name: Mapped[str]
    place: Mapped[int] = mapped_column(Integer, Identity(start=3))


class Viewed(Base):
    """A view of `plain`, which PostgreSQL can write. The tests make it."""

    __tablename__ = "viewed"
    __table_args__: ClassVar[Any] = {"info": {"gatepost.view": True}}

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Vehicle(Base, Keyed):
    """The base of classes over one table; not served."""

    __tablename__ = "vehicles"
    __mapper_args__: ClassVar[Any] = {"polymorphic_on": "kind", "polymorphic_abstract": True}

    kind: Mapped[str]


class Truck(Vehicle):
    """Single-table inheritance."""

    __mapper_args__: ClassVar[Any] = {"polymorphic_identity": "truck"}

    load: Mapped[int | None] = mapped_column(default=3)


class CallsSuper(Service[Any]):
    """Overrides every verb, and changes nothing."""

    async def get(self, id: Any, actor: Actor, *, lock: bool = False) -> Any:
        return await super().get(id, actor, lock=lock)

    async def list(self, query: ListQuery, actor: Actor) -> Sequence[Any]:
        return await super().list(query, actor)

    async def create(self, draft: Any, actor: Actor) -> Any:
        return await super().create(draft, actor)

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> Any:
        return await super().update(row, changes, actor)

    async def delete(self, row: Any, actor: Actor) -> None:
        await super().delete(row, actor)


MODELS: list[type[Any]] = [
    *(
        mapper.class_
        for base in (Base, DataclassBase)
        for mapper in base.registry.mappers
        if not mapper.polymorphic_abstract
    ),
    Imperative,
    ImperativeDataclass,
]


def make_app(*, serviced: bool) -> App:
    """The app; with services that only call `super()`, or without."""
    services = {model: type(f"CallsSuper{model.__name__}", (CallsSuper,), {}) for model in MODELS if serviced}
    return App(
        *(Resource(model, read=anyone, write=anyone, service=services.get(model)) for model in MODELS),
        users=User,
    )


derived = make_app(serviced=False)
