"""SQL of a model's that only PostgreSQL can judge: every way to make the tables says what it refuses, in a sentence."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Computed,
    Connection,
    Index,
    Integer,
    String,
    Table,
    column,
    select,
    text,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import declarative_base
from sqlalchemy.schema import SchemaItem

from gatepost import App, ConfigurationError, Resource, anyone, hidden
from gatepost.migrations import file_commands
from gatepost.migrations.connections import run_on
from gatepost.migrations.safe_changes import apply_lossless
from gatepost.testing import TestApp

Make = Callable[[], SchemaItem]

REFUSED: dict[str, tuple[Make, str]] = {
    "computed": (lambda: Column("n", Integer, Computed("id *")), "syntax error"),
    "computed of no column": (lambda: Column("n", Integer, Computed("nope * 2")), '"nope" does not exist'),
    "default": (lambda: Column("n", Integer, server_default=text("1 +")), "syntax error"),
    "default of another type": (lambda: Column("n", Integer, server_default="abc"), "invalid input syntax"),
    "collation": (lambda: Column("n", String(collation="nope")), 'collation "nope"'),
    "check": (lambda: CheckConstraint("id >", name="c"), "syntax error"),
    "check of no condition": (lambda: CheckConstraint("id + 1", name="c"), "must be type boolean"),
    "index": (lambda: Index("i", text("lower(")), "syntax error"),
    "index of no column": (lambda: Index("i", text("nope")), '"nope" does not exist'),
    "access method": (lambda: Index("i", "id", postgresql_using="nope"), 'access method "nope"'),
}


def app_of(item: SchemaItem) -> App:
    base = declarative_base()
    table = Table("things", base.metadata, Column("id", Integer, primary_key=True), item)
    thing = type("Thing", (base,), {"__table__": table})
    return App(Resource(thing, read=anyone, fields={"n": hidden} if "n" in table.columns else {}))


async def run_as_file(database_url: str, app: App, folder: Path) -> None:
    await file_commands.make(database_url, app.metadata, folder, "First")
    await file_commands.up(database_url, folder, metadata=app.metadata)


@pytest.mark.parametrize("kind", REFUSED)
async def test_what_postgresql_refuses_is_a_sentence(database_url: str, tmp_path: Path, kind: str) -> None:
    make_item, words = REFUSED[kind]
    app = app_of(make_item())
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        await run_as_file(database_url, app, tmp_path / "migrations")
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        async with TestApp(app, database_url):
            pass
    assert words in (await apply_lossless(database_url, app.metadata, embedded=True)).refused[0]


async def test_what_sqlalchemy_refuses_on_a_connection_is_a_sentence(database_url: str) -> None:
    def work(connection: Connection) -> None:
        connection.execute(select(column("x")).where("y"))  # type: ignore[arg-type] # pyright: ignore

    # The line that misuses SQLAlchemy is inside SQLAlchemy.
    with pytest.raises(ConfigurationError, match=r"^here: SQLAlchemy refuses it: Textual SQL expression"):
        await run_on(database_url, work, location="here")


async def test_an_exception_of_the_users_own_passes_through_a_connection(database_url: str) -> None:
    def work(_connection: Connection) -> None:
        raise ArgumentError("mine")

    with pytest.raises(ArgumentError, match="mine"):
        await run_on(database_url, work)
