"""Pages of rows without a bound: they end before they become too large, and no row is lost between them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, MetaData, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from gatepost import Actor, App, Resource, Service, anyone
from gatepost.models.reads import SEPARATOR
from gatepost.testing import TestApp

BYTES_MAX = 4_000
PAGE_SIZE = 6
SIZES = [10, 3_000, 10, 900, 9_000, 9_000, 10, 10, 1_900, 1_900, 1_900, 10, 50, 10, 4_100, 10]
"""Characters of each row's text: pages of several rows, of one that just fits, and of one that is too large."""


class Base(DeclarativeBase):
    metadata = MetaData()


class Shouting(TypeDecorator[str]):
    """Python has a part in such a row."""

    impl = Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        return value.upper()


class Plain(Base):
    __tablename__ = "plain"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Spliced(Base):
    __tablename__ = "spliced"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(Shouting)


class Served(Base):
    __tablename__ = "served"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


class Child(Base):
    __tablename__ = "children"
    id: Mapped[int] = mapped_column(primary_key=True)
    plain_id: Mapped[int] = mapped_column(ForeignKey("plain.id"))
    plain: Mapped[Plain] = relationship()


class Listing(Service[Served]):
    async def list(self, query: Any, actor: Actor) -> Any:
        return await super().list(query, actor)


OPEN: dict[str, Any] = {"read": anyone, "create": anyone, "page_size": PAGE_SIZE}
app = App(*(Resource(model, **OPEN) for model in (Plain, Spliced, Child)), Resource(Served, service=Listing, **OPEN))
PATHS = ["plain?", "spliced?", "served?", "children?expand=plain&"]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app below."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url, GATEPOST_PAGE_BYTES_MAX=str(BYTES_MAX)) as running:
        for path in ("plain", "spliced", "served"):
            for size in SIZES:
                assert (await running.anonymous.post(f"/api/{path}", json={"text": "é" * (size // 2)})).status == 201
        for number in range(len(SIZES)):
            await running.anonymous.post("/api/children", json={"plain_id": number + 1})
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def walk(running: TestApp, target: str, direction: str) -> list[list[Any]]:
    pages: list[list[Any]] = []
    next_target: str | None = target
    while next_target is not None:
        response = await running.anonymous.get(f"/api/{next_target}")
        assert response.status == 200, response.body
        rows = response.json()["data"]
        assert len(rows) == 1 or len(response.body) < BYTES_MAX + 300
        pages.append(rows)
        cursor = response.json()["page"][direction]
        next_target = f"{target}{'after' if direction == 'next' else 'before'}={cursor}" if cursor else None
    return pages


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("sort", ["", "sort=-id&"])
async def test_every_row_stands_on_one_page_in_either_direction(filled: TestApp, path: str, sort: str) -> None:
    forward = await walk(filled, f"{path}{sort}", "next")
    ids = [row["id"] for page in forward for row in page]
    expected = list(range(1, len(SIZES) + 1))
    assert ids == (expected if not sort else expected[::-1])
    last = f"{path}{sort}"
    response = await filled.anonymous.get(f"/api/{last}limit=1")
    cursor = response.json()["page"]["next"]
    end = cursor
    while cursor:
        end, response = cursor, await filled.anonymous.get(f"/api/{last}limit=1&after={cursor}")
        cursor = response.json()["page"]["next"]
    final = await filled.anonymous.get(f"/api/{last}limit=1&after={end}")
    before = final.json()["page"]["prev"]
    backward: list[Any] = []
    while before:
        response = await filled.anonymous.get(f"/api/{last}before={before}")
        backward = [row["id"] for row in response.json()["data"]] + backward
        assert len(response.json()["data"]) == 1 or len(response.body) < BYTES_MAX + 300
        before = response.json()["page"]["prev"]
    assert backward == ids[:-1]


@pytest.mark.parametrize("path", PATHS)
async def test_a_page_is_as_full_as_it_may_be(filled: TestApp, path: str) -> None:
    pages = await walk(filled, path, "next")
    assert [len(page) for page in pages] == expected_lengths([row for page in pages for row in page])


def expected_lengths(rows: list[Any]) -> list[int]:
    lengths, size = [0], 0
    for row in rows:
        more = len(json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()) + len(SEPARATOR)
        if lengths[-1] and (size + more > BYTES_MAX or lengths[-1] == PAGE_SIZE):
            lengths.append(0)
            size = 0
        lengths[-1] += 1
        size += more
    return lengths


async def test_a_row_that_is_too_large_is_a_page_by_itself(filled: TestApp) -> None:
    pages = await walk(filled, "plain?", "next")
    large = [page for page in pages if any(len(row["text"]) > BYTES_MAX / 2 for row in page)]
    assert [len(page) for page in large] == [1, 1, 1]


async def test_fields_that_are_not_shown_do_not_count(filled: TestApp) -> None:
    pages = await walk(filled, "plain?fields=id&", "next")
    assert [len(page) for page in pages] == [6, 6, 4]
