"""A policy that fails only for some users is a 500 whose log line says which policy it is, and where it is written."""

import inspect
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import MetaData, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Resource, UserColumns, authenticated, policy
from gatepost.logging import event_lines
from gatepost.logging.levels import Levels
from gatepost.logging.records import RecordHandler
from gatepost.logging.repeated_lines import RepeatedLines
from gatepost.testing import Client, TestApp

OWN_ID = text("uuidv7()")


class Base(DeclarativeBase):
    """A base of its own: the tables of other tests are not in this database."""


class Person(Base, UserColumns):
    __tablename__ = "people"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=OWN_ID)


class Note(Base):
    __tablename__ = "notes"

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=OWN_ID)
    name: Mapped[str]
    n: Mapped[int] = mapped_column(server_default="0")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return Base.metadata


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """The lines of the log, in the form that a server in production writes."""
    written: list[bytes] = []
    handler = RecordHandler(lambda line, kind: written.append(line), form="json")
    event_lines.LOGGER.addHandler(handler)
    yield written
    event_lines.LOGGER.removeHandler(handler)


async def status_of(client: Client, verb: str) -> int:
    if verb == "list":
        return (await client.get("/api/notes")).status
    return (await client.patch("/api/notes/018f3a5e-0000-7000-8000-000000000000", json={"name": "y"})).status


def misspelt(m: Any, actor: Actor) -> Any:
    return m.nmae == "x" if actor.user.email.startswith("vip") else m.name == "x"


def unknown(m: Any, actor: Actor) -> Any:
    return func.lowre(m.name) == "x" if actor.user.email.startswith("vip") else m.name == "x"


def compared(m: Any, actor: Actor) -> Any:
    return ~(m.name > m.n) if actor.user.email.startswith("vip") else m.name == "x"


@pytest.mark.parametrize(
    ("function", "words"),
    [(misspelt, "nmae"), (unknown, "function lowre(character varying) does not exist"), (compared, "operator does")],
)
@pytest.mark.parametrize("verb", ["list", "patch"])
async def test_the_log_line_of_the_500_names_the_policy_and_its_line(
    database_url: str, lines: list[bytes], function: Callable[[Any, Actor], Any], words: str, verb: str
) -> None:
    read, update = authenticated & policy(function), policy(function) & authenticated
    app = App(Resource(Note, read=read, update=update), users=Person)
    event_lines.subscribe(app.events, Levels(logging.ERROR), RepeatedLines())
    async with TestApp(app, database_url) as running:
        person, vip = await running.user(), await running.user(email="vip@example.com")
        assert await status_of(person, verb) == (200 if verb == "list" else 404)
        assert lines == []
        assert await status_of(vip, verb) == 500
    [line] = lines
    said = json.loads(line)
    assert said["event"] == "request_failed"
    assert words in said["exception"]
    place = f"{Path(__file__).name}:{inspect.getsourcelines(function)[1]})"
    assert f"the policy {function.__name__} (" in said["exception"]
    assert place in said["exception"]
