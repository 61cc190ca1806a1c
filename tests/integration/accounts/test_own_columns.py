"""Users whose model has columns of its own that need a value: in tests and commands."""

import enum
from collections.abc import AsyncIterator
from datetime import date
from typing import Annotated, Any
from uuid import UUID, uuid4

import pytest
from annotated_types import Ge, Len
from sqlalchemy import ARRAY, ForeignKey, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import App, Model, Resource, UserColumns, anyone, authenticated
from gatepost.accounts.user_values import split_values
from gatepost.errors import ConfigurationError
from gatepost.models.base import NAMING
from gatepost.testing import TestApp


class Grade(enum.Enum):
    JUNIOR = "junior"
    SENIOR = "senior"


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Office(Base):
    __tablename__ = "offices"

    name: Mapped[str]


class Employee(Base, UserColumns):
    __tablename__ = "employees"

    office_id: Mapped[UUID] = mapped_column(ForeignKey("offices.id"))
    name: Mapped[Annotated[str, Len(2, 20)]] = mapped_column(unique=True)
    grade: Mapped[Grade] = mapped_column(default=Grade.JUNIOR)
    floor: Mapped[Annotated[int, Ge(0)] | None]
    since: Mapped[date | None]
    is_remote: Mapped[bool] = mapped_column(default=False)
    languages: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSONB)


app = App(
    Resource(Office, read=anyone, create=anyone), Resource(Employee, path="staff", read=authenticated), users=Employee
)


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, database_url) as started:
        yield started


@pytest.fixture
async def office(running: TestApp) -> str:
    """The key of an office, as a response shows it."""
    return str((await running.anonymous.post("/api/offices", json={"name": "North"})).data["id"])


async def test_values_are_set_as_texts_and_as_objects_of_python(running: TestApp, office: str) -> None:
    texts = await running.user(
        office_id=office,
        name="Ada",
        grade="senior",
        floor="3",
        since="2020-01-31",
        is_remote="true",
        languages='["en", "fr"]',
        extra='{"a": 1}',
    )
    objects, key = await running.user_and_id(
        office_id=UUID(office),
        name="Bob",
        grade=Grade.SENIOR,
        floor=3,
        since=date(2020, 1, 31),
        is_remote=True,
        languages=["en", "fr"],
        extra={"a": 1},
    )

    ada, bob = (await texts.get("/api/staff?sort=id")).data
    assert bob["id"] == str(key)
    same = {"office_id", "grade", "floor", "since", "is_remote", "languages", "extra"}
    assert {name: ada[name] for name in same} == {name: bob[name] for name in same}
    assert (ada["grade"], ada["floor"], ada["is_remote"], ada["languages"]) == ("senior", 3, True, ["en", "fr"])
    assert (await objects.get("/api/staff")).status == 200


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "Employee: A user needs a value for office_id, name. Set it: `gatepost users create "),
        ({"name": "Ada"}, "Employee: A user needs a value for office_id. Set it: "),
        ({"nmae": "Ada"}, "Employee: 'nmae' is not a column of the model. Did you mean 'name'?"),
        ({"version": 3}, "Employee: 'version' is not set by hand."),
        ({"password_hash": "x"}, "Employee: 'password_hash' is not set by hand."),
        ({"office_id": "north"}, "Employee.office_id: "),
        ({"floor": "high"}, "Employee.floor: "),
        ({"grade": "MASTER"}, "Employee.grade: "),
        ({"languages": "en"}, "Employee.languages: "),
        ({"office_id": uuid4(), "name": "Ada"}, "Employee: refuses ada@example.com: office_id: "),
        ({"office_id": None, "name": "A"}, "Employee: refuses ada@example.com: name: "),
        ({"office_id": None, "name": "Ada", "floor": -1}, "Employee: refuses ada@example.com: floor: "),
        ({"office_id": None, "name": "Taken"}, "Employee: refuses ada@example.com: name: "),
    ],
)
async def test_what_is_refused_is_named(running: TestApp, office: str, values: dict[str, Any], sentence: str) -> None:
    await running.user(office_id=office, name="Taken")
    values = {name: office if value is None else value for name, value in values.items()}

    with pytest.raises(ConfigurationError) as refused:
        await running.user(email="ada@example.com", **values)

    assert str(refused.value).startswith(sentence)


async def test_an_address_that_is_taken_is_not_mistaken_for_a_column(running: TestApp, office: str) -> None:
    await running.user(email="ada@example.com", office_id=office, name="Ada")

    with pytest.raises(ConfigurationError, match="exists already"):
        await running.user(email="ada@example.com", office_id=office, name="Grace")


def test_the_options_of_the_command_are_read_by_name() -> None:
    assert split_values(["name=Ada", "extra=a=b", "note="]) == {"name": "Ada", "extra": "a=b", "note": ""}


@pytest.mark.parametrize("options", [["name"], ["=Ada"], ["name=a", "name=b"]])
def test_options_that_set_nothing_are_refused(options: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="--set"):
        split_values(options)
