"""Pages of large rows that a service loads: their bytes are counted before they are read, and refused together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import Actor, App, Resource, Service, anyone
from gatepost.database.transactions import Transaction
from gatepost.services import compiled_reads
from gatepost.testing import TestApp

ROWS = 10
ROW_BYTES = 100_000

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    metadata = MetaData()


class Film(Base):
    __tablename__ = "films"
    id: Mapped[int] = mapped_column(primary_key=True)
    script: Mapped[str]
    scenes: Mapped[dict[str, Any]] = mapped_column(JSONB, default=dict)


class Postcard(Base):
    __tablename__ = "postcards"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Letter(Base):
    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Films(Service[Film]):
    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)


class Postcards(Service[Postcard]):
    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)


class Letters(Service[Letter]):
    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)


app = App(
    Resource(Letter, service=Letters, read=anyone, create=anyone),
    Resource(Film, service=Films, read=anyone, create=anyone),
    Resource(Postcard, service=Postcards, read=anyone, create=anyone),
)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app above."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as running:
        for number in range(ROWS):
            film = {"script": f"{number}" * ROW_BYTES, "scenes": {"text": "x" * ROW_BYTES}}
            assert (await running.anonymous.post("/api/films", json=film)).status == 201
            assert (await running.anonymous.post("/api/postcards", json={"text": "hello"})).status == 201
        yield running


async def test_large_pages_at_once_are_loaded_as_far_as_there_is_room(
    filled: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog = app.running.database.backlog
    page = 2 * ROWS * ROW_BYTES
    monkeypatch.setattr(backlog, "bytes_max", 2 * page)
    most = 0
    reserve = type(backlog).reserve

    def watched(self: Any, size: int) -> None:
        nonlocal most
        reserve(self, size)
        most = max(most, self.pending)

    monkeypatch.setattr(type(backlog), "reserve", watched)
    responses = await asyncio.gather(*(filled.anonymous.get("/api/films") for _ in range(8)))
    statuses = Counter(response.status for response in responses)
    assert set(statuses) == {200, 503}
    assert {response.json()["code"] for response in responses if response.status == 503} == {"overloaded"}
    assert 2 * page < most < 4 * page
    assert backlog.pending == 0
    assert (await filled.anonymous.get("/api/films")).status == 200


async def test_a_page_larger_than_all_the_room_is_served_alone(
    filled: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    backlog = app.running.database.backlog
    monkeypatch.setattr(backlog, "bytes_max", ROW_BYTES)
    assert (await filled.anonymous.get("/api/films")).status == 200
    assert backlog.pending == 0


async def test_small_pages_pay_for_one_look_at_the_table(filled: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_reads, "MAY_BE_LARGE_SECONDS", 1000.0)
    await filled.anonymous.get("/api/postcards")
    reads: list[str] = []
    read = Transaction.read

    async def watched(self: Transaction, statement: Any, values: dict[str, Any]) -> Any:
        reads.append(statement.sql)
        return await read(self, statement, values)

    monkeypatch.setattr(Transaction, "read", watched)
    assert (await filled.anonymous.get("/api/postcards")).status == 200
    assert len(reads) == 1, reads


async def test_a_table_that_gets_large_rows_is_noticed(filled: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_reads, "MAY_BE_LARGE_SECONDS", 0.0)
    backlog = app.running.database.backlog
    monkeypatch.setattr(backlog, "bytes_max", ROW_BYTES)
    text = "".join(chr(33 + number * 7 % 90) for number in range(3 * ROW_BYTES))
    for body, expected in (("small", {200}), (text, {200, 503})):
        await filled.anonymous.post("/api/letters", json={"text": body})
        responses = await asyncio.gather(*(filled.anonymous.get("/api/letters") for _ in range(8)))
        assert {response.status for response in responses} == expected
    assert backlog.pending == 0
