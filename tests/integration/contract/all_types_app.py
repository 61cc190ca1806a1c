"""The example that the contract is proven on: somebody's own declarative base, with every kind of column and key.

`Sample` holds one nullable column of each type; `Work` and its neighbours hold relations, rules and odd names; the
other resources are for writing. Nothing here is made to be easy.
"""

import enum
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from annotated_types import Ge, Len
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    Double,
    Enum,
    ForeignKey,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import App, Field, Resource, anyone, authenticated, hidden, owner, role, write_once


class Genre(enum.Enum):
    """Values differ from names, and names are what is stored."""

    NOVEL = "a novel"
    POEMS = "poems"
    ESSAY = "an essay"


class Base(DeclarativeBase):
    """Somebody's own base: no naming convention, no version column, no common key."""

    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012 - as SQLAlchemy declares it


class Country(Base):
    __tablename__ = "countries"

    code: Mapped[Annotated[str, Len(1, 300)]] = mapped_column(String(300), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))


class Person(Base):
    __tablename__ = "people"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[Annotated[str, Len(1, 60)]]
    email: Mapped[str | None] = mapped_column(unique=True)
    born: Mapped[date | None]
    country_code: Mapped[str | None] = mapped_column(ForeignKey("countries.code"), index=True)
    mentor_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    account_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id"), index=True)
    password: Mapped[str | None]
    salary: Mapped[Decimal | None] = mapped_column(Numeric(10, 2), index=True)
    diary: Mapped[str | None]
    country: Mapped[Country | None] = relationship()
    mentor: Mapped["Person | None"] = relationship(remote_side=[id])
    works: Mapped[list["Work"]] = relationship(foreign_keys="Work.author_id", back_populates="author")
    edited: Mapped[list["Work"]] = relationship(foreign_keys="Work.editor_id", back_populates="editor")
    ghosted: Mapped[list["Work"]] = relationship(foreign_keys="Work.ghost_id", viewonly=True)


class Vault(Base):
    __tablename__ = "vaults"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Shelf(Base):
    """Rows that only their keeper sees."""

    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(index=True)
    keeper_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    works: Mapped[list["Work"]] = relationship(back_populates="shelf")


class Work(Base):
    __tablename__ = "works"
    __table_args__ = (CheckConstraint("pages_read <= pages", name="read_no_further"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[Annotated[str, Len(1, 200)]]
    pages: Mapped[Annotated[int, Ge(0)]] = mapped_column(default=100)
    pages_read: Mapped[int] = mapped_column(default=lambda: 0)
    genre: Mapped[Genre] = mapped_column(Enum(Genre, name="genre"), server_default="NOVEL")
    state: Mapped[str] = mapped_column(Enum("new", "worn", name="state", native_enum=False), default="new")
    available: Mapped[bool] = mapped_column(Boolean, server_default=text("true"))
    limit: Mapped[int | None] = mapped_column(index=True)
    order: Mapped[int | None]
    isbn: Mapped[str | None] = mapped_column(unique=True)
    cost: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    files: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    author_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    editor_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    ghost_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    vault_id: Mapped[int | None] = mapped_column(ForeignKey("vaults.id"), index=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id"), index=True)
    author: Mapped[Person] = relationship(foreign_keys=[author_id], back_populates="works")
    editor: Mapped[Person | None] = relationship(foreign_keys=[editor_id], back_populates="edited")
    vault: Mapped[Vault | None] = relationship()
    shelf: Mapped[Shelf | None] = relationship(back_populates="works")


class Sample(Base):
    """One nullable column of each type, and a key that the database makes."""

    __tablename__ = "samples"

    id: Mapped[int] = mapped_column(primary_key=True)
    small: Mapped[int | None]
    large: Mapped[int | None] = mapped_column(BigInteger)
    word: Mapped[str | None] = mapped_column(String(40))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(12, 3))
    ratio: Mapped[float | None] = mapped_column(Double)
    flag: Mapped[bool | None]
    genre: Mapped[Genre | None] = mapped_column(Enum(Genre, name="genre"))
    mood: Mapped[Genre | None] = mapped_column(Enum(Genre, name="mood", native_enum=False))
    grade: Mapped[str | None] = mapped_column(Enum("a", "b", "c", name="grade"))
    day: Mapped[date | None]
    hour: Mapped[time | None]
    moment: Mapped[datetime | None]
    span: Mapped[timedelta | None]
    token: Mapped[UUID | None] = mapped_column(Uuid)
    data: Mapped[bytes | None] = mapped_column(LargeBinary)
    texts: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(Integer))
    genres: Mapped[list[Genre] | None] = mapped_column(ARRAY(Enum(Genre, name="genre")))
    amounts: Mapped[list[Decimal] | None] = mapped_column(ARRAY(Numeric(8, 2)))
    moments: Mapped[list[datetime] | None] = mapped_column(ARRAY(DateTime(timezone=True)))
    document: Mapped[Any | None] = mapped_column(JSONB)


class Loan(Base):
    """Rows of a member's; changing one needs its entity tag."""

    __tablename__ = "loans"

    id: Mapped[int] = mapped_column(primary_key=True)
    work_id: Mapped[int] = mapped_column(ForeignKey("works.id"), index=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    note: Mapped[str | None]


SORTED = (
    "small", "large", "word", "amount", "ratio", "flag", "genre", "mood", "grade",
    "day", "hour", "moment", "span", "token",
)  # fmt: skip
"""Every type of `Sample` that has an order."""

ARRAYS = ("texts", "numbers", "genres", "amounts", "moments")
PATHS = ("document.color", "document.size", "document.size.width", "document.tags")

app = App(
    Resource(Work, read=anyone, write=role("editor"),
             sort=["title", "pages", "state", "order"], search=["title"],
             filter=["genre", "available", "extra.a", "extra.b.c", "files.a"],
             fields={"isbn": write_once, "cost": Field(read=role("editor"), write=role("editor")),
                     "files": Field(read=role("editor"), write=role("editor")),
                     "ghost_id": hidden, "vault_id": Field(read=role("guard"), write=role("guard"))}),
    Resource(Person, read=anyone, write=role("editor"), sort=["name", "born"],
             fields={"password": hidden, "salary": Field(read=role("editor"), write=role("editor")),
                     "diary": Field(read=owner("account_id"), write=role("nobody"))}),
    Resource(Country, path="lands", read=anyone, write=role("editor"), sort=["name"]),
    Resource(Vault, read=role("guard"), write=role("guard")),
    Resource(Shelf, read=owner("keeper_id"), create=owner("keeper_id"), update=owner("keeper_id")),
    Resource(Sample, read=anyone, write=role("editor"), sort=SORTED, filter=[*ARRAYS, *PATHS], search=["word"],
             page_size=7),
    Resource(Loan, read=owner("member_id") | role("editor"), create=owner("member_id"),
             update=owner("member_id"), delete=owner("member_id"), require_if_match=True,
             fields={"member_id": Field(write=authenticated)}),
)  # fmt: skip
