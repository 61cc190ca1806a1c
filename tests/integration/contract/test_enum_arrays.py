"""An array of a Python enum shows the value of each member, also where it is the name of another."""

import enum

import pytest
from sqlalchemy import ARRAY, Enum, MetaData
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import App, Model, Resource, anyone
from gatepost.models.base import NAMING
from gatepost.testing import TestApp


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Side(enum.Enum):
    """Names and values swapped, and one that is only its own."""

    left = "right"
    right = "left"
    top = "top"


class Door(Base):
    __tablename__ = "enum_array_doors"

    first: Mapped[Side] = mapped_column(Enum(Side, name="side"))
    all: Mapped[list[Side]] = mapped_column(ARRAY(Enum(Side, name="side")))


app = App(Resource(Door, read=anyone, write=anyone))


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


async def test_values_that_are_names_of_others_are_shown_as_they_were_sent(database_url: str) -> None:
    sent = {"first": "left", "all": ["left", "right", "top", "left"]}
    async with TestApp(app, database_url) as running:
        made = await running.anonymous.post("/api/enum_array_doors", json=sent)
        assert made.status == 201
        listed = (await running.anonymous.get("/api/enum_array_doors")).data[0]
        for row in (made.data, listed):
            assert {name: row[name] for name in sent} == sent
