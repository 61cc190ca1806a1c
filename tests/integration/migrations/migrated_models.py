"""A small shop and ways to look at its database; and single tables before and after a change."""

import enum
import gc
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from annotated_types import Ge, Le, Len, MultipleOf
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Computed,
    Enum,
    ForeignKey,
    Integer,
    MetaData,
    Numeric,
    String,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import CITEXT, JSON, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gatepost.declaring.policies import anyone
from gatepost.declaring.resource import Resource
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.migrations.applied import Applied
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.models.base import NAMING, Model
from gatepost.models.entity import entity_of
from gatepost.models.schema import complete_schema
from gatepost.models.schema_objects import add_object, trigger, trigger_function


class Genre(enum.Enum):
    NOVEL = "novel"
    POETRY = "poetry"


@cache
def shop(schema: str | None = None) -> MetaData:
    """Authors and books with everything that a declaration can imply, in a MetaData of their own."""
    own = MetaData(naming_convention=NAMING, schema=schema)

    # Model's registry warns of a name it has twice; the classes of the last shop have gone once they are collected.
    gc.collect()

    class Base(Model):
        __abstract__ = True
        metadata = own

    class Author(Base):
        __tablename__ = "authors"
        name: Mapped[Annotated[str, Len(1, 200)]]

    class Book(Base):
        __tablename__ = "books"
        title: Mapped[Annotated[str, Len(1, 200)]]
        price: Mapped[Annotated[Decimal, Ge(0), Le(Decimal("999.99"))]] = mapped_column(Numeric(10, 2))
        stock: Mapped[Annotated[int, Ge(0), MultipleOf(2)]] = mapped_column(default=0)
        rating: Mapped[Annotated[float, Le(5), MultipleOf(0.1)] | None]
        released: Mapped[Annotated[date, Ge(date(1400, 1, 1))] | None]
        genre: Mapped[Genre] = mapped_column(server_default="NOVEL")
        tags: Mapped[Annotated[list[Annotated[str, Len(2, 20)]], Len(0, 2)] | None] = mapped_column(ARRAY(Text))
        sizes: Mapped[list[Annotated[int, Ge(0), MultipleOf(5)]] | None] = mapped_column(ARRAY(Integer))
        extra: Mapped[dict[str, Any] | None] = mapped_column(JSON)
        cover: Mapped[Annotated[bytes, Len(2, 10)] | None]
        double: Mapped[int | None] = mapped_column(Computed("stock * 2"))
        isbn: Mapped[str | None] = mapped_column(String(13), unique=True)
        slug: Mapped[str | None] = mapped_column(CITEXT(collation="C"))
        data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
        author_id: Mapped[UUID] = mapped_column(ForeignKey("authors.id"), index=True)
        __table_args__ = (CheckConstraint("stock < 100000", name="stock_sane"),)

    resources = [
        Resource(Author, read=anyone, sort=["name"]),
        Resource(
            Book,
            read=anyone,
            search=["title", "slug"],
            sort=["title", "price", "rating"],
            filter=["stock", "tags", "data.color"],
        ),
    ]
    complete_schema([entity_of(Author), entity_of(Book)], {item.model: [item] for item in resources})
    return own


def shop_without_objects() -> MetaData:
    """The same tables, without triggers and functions."""
    bare = MetaData(naming_convention=NAMING)
    for table in shop().sorted_tables:
        table.to_metadata(bare).info.clear()
    return bare


def things(*items: Any, more: str | None = None) -> MetaData:
    """One table `things` with a serial key; `more` names a second one that refers to it."""
    metadata = MetaData(naming_convention=NAMING)
    Table("things", metadata, Column("id", Integer, primary_key=True), *items)
    if more:
        thing_id: Column[int] = Column("thing_id", ForeignKey("things.id"), nullable=False, index=True)
        Table(more, metadata, Column("id", Integer, primary_key=True), thing_id)
    return metadata


def tables(*contents: list[Any]) -> MetaData:
    """Tables `t0`, `t1`, ... with these contents, so that one comparison serves many cases."""
    metadata = MetaData(naming_convention=NAMING)
    for number, items in enumerate(contents):
        Table(f"t{number}", metadata, Column("id", Integer, primary_key=True), *items)
    return metadata


def with_function() -> MetaData:
    metadata = things(Column("x", Text, index=True), Column("kind", Enum("a", "b", name="kind")))
    table = metadata.tables["things"]
    add_object(table, trigger_function("keep", "BEGIN RETURN NEW; END"))
    add_object(table, trigger("keeps", table, "BEFORE INSERT {table}", "FOR EACH ROW EXECUTE FUNCTION keep()"))
    return metadata


@asynccontextmanager
async def connected(database_url: str) -> AsyncGenerator["asyncpg.Connection[Any]"]:
    """A connection as `psql` would have it."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    try:
        yield connection
    finally:
        await connection.close()


async def run(database_url: str, *statements: str) -> None:
    """Run statements, as somebody at a console would."""
    async with connected(database_url) as connection:
        for statement in statements:
            await connection.execute(statement)


def dump(postgresql: EmbeddedPostgreSQL, database_url: str) -> str:
    """The schema of a database, as `pg_dump` writes it."""
    command = [str(postgresql.programs / "pg_dump"), "--schema-only", "--restrict-key=x", database_url]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


async def again(database_url: str, metadata: MetaData, **options: bool) -> Applied:
    """Compare once more, whatever the note of the last time says."""
    await run(database_url, "DELETE FROM gatepost.schema_fingerprints")
    return await apply_lossless(database_url, metadata, **options)


async def record(database_url: str) -> set[tuple[str, str]]:
    """Kind and name of what is listed."""
    async with connected(database_url) as connection:
        rows = await connection.fetch("SELECT kind, name FROM gatepost.schema_objects")
    return {(row[0], row[1]) for row in rows}


async def names_on(database_url: str, table: str) -> set[str]:
    """The indexes and constraints of a table."""
    async with connected(database_url) as connection:
        rows = await connection.fetch(
            "SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = $1::regclass UNION "
            "SELECT conname::text FROM pg_constraint WHERE conrelid = $1::regclass",
            table,
        )
    return {row[0] for row in rows}
