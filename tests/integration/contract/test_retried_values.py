"""Every attempt of a retried transaction begins with the values of the body, whatever the one before did to them."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import ARRAY, MetaData, Numeric, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from gatepost import Actor, App, Changes, Model, Resource, Service, anyone
from gatepost.models.base import NAMING
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class OwnDocument(TypeDecorator[Any]):
    impl = JSONB
    cache_ok = True


class OwnText(TypeDecorator[str]):
    impl = Text
    cache_ok = True


class OwnList(TypeDecorator[Any]):
    impl = ARRAY(Text)
    cache_ok = True


class Job(Base):
    """A column of each kind whose values are mutable."""

    __tablename__ = "retried_jobs"

    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    prices: Mapped[list[Any]] = mapped_column(ARRAY(Numeric(5, 2)))
    own_texts: Mapped[list[str]] = mapped_column(ARRAY(OwnText))
    own_list: Mapped[Any] = mapped_column(OwnList)
    document: Mapped[Any] = mapped_column(JSONB)
    documents: Mapped[list[Any]] = mapped_column(ARRAY(JSONB))
    own_document: Mapped[Any] = mapped_column(OwnDocument)
    own_documents: Mapped[list[Any]] = mapped_column(ARRAY(OwnDocument))


LISTS = ("tags", "own_texts", "own_list")
attempts: list[int] = []
failing: list[type[Exception]] = []


def spoil(values: Any) -> None:
    """Change every value in place, then fail as long as `failing` says so."""
    attempts.append(len(attempts) + 1)
    text = f"try{attempts[-1]}"
    for name in LISTS:
        values[name].append(text)
    values["prices"].append(attempts[-1])
    values["document"]["inner"].append(text)
    values["documents"][0]["inner"].append(text)
    values["own_document"]["inner"].append(text)
    values["own_documents"][0]["inner"].append(text)
    if failing:
        raise failing.pop()("could not serialize access")


class Jobs(Service[Job]):
    attempts = 4

    async def before_create(self, draft: Job, actor: Actor) -> None:
        spoil(vars(draft))

    async def before_update(self, row: Job, changes: Changes[Job], actor: Actor) -> None:
        spoil(changes)


app = App(Resource(Job, read=anyone, write=anyone, service=Jobs))

BODY: dict[str, Any] = {
    **{name: ["a"] for name in LISTS},
    "prices": ["1.50"],
    "document": {"inner": []},
    "documents": [{"inner": []}],
    "own_document": {"inner": []},
    "own_documents": [{"inner": []}],
}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    """Any client."""
    async with TestApp(app, module_database_url) as running:
        yield running.anonymous


@pytest.mark.parametrize(
    ("errors", "attempts_max"),
    [
        ([asyncpg.SerializationError, asyncpg.DeadlockDetectedError], 4),
        ([asyncpg.InvalidCachedStatementError], 1),  # a changed schema is tried again by every service
    ],
)
@pytest.mark.parametrize("verb", ["create", "update"])
async def test_an_attempt_sees_nothing_of_those_before(
    client: Client, monkeypatch: pytest.MonkeyPatch, verb: str, errors: list[type[Exception]], attempts_max: int
) -> None:
    monkeypatch.setattr(Jobs, "attempts", attempts_max)
    path = (await client.post("/api/retried_jobs", json=BODY)).headers["location"] if verb == "update" else ""
    attempts.clear()
    failing[:] = errors
    response = await (client.patch(path, json=BODY) if path else client.post("/api/retried_jobs", json=BODY))
    assert response.status == (200 if path else 201), response.body
    last = f"try{len(errors) + 1}"
    assert attempts == list(range(1, len(errors) + 2))
    assert [response.data[name] for name in LISTS] == [["a", last]] * len(LISTS)
    assert response.data["prices"] == ["1.50", f"{attempts[-1]}.00"]
    held = [response.data["document"], response.data["own_document"]]
    held += [response.data[name][0] for name in ("documents", "own_documents")]
    assert held == [{"inner": [last]}] * 4
