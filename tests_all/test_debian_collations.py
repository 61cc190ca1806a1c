"""Columns with a collation of their own, in which texts are equal that differ, on a PostgreSQL that has ICU."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from debian_postgresql import DebianPostgreSQL
from sqlalchemy import ARRAY, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone
from gatepost.testing import TestApp

COLLATIONS = """
CREATE COLLATION without_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE COLLATION without_accents (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
CREATE COLLATION turkish (provider = icu, locale = 'tr');
"""
WORDS = ["Ada", "ADA", "bob", "Émile", "emile", "IRMAK", "zoë", "Zoe", "sea", "100%"]


class Base(DeclarativeBase):
    """A MetaData of its own."""


class Word(Base):
    __tablename__ = "words"

    id: Mapped[int] = mapped_column(primary_key=True)
    without_case: Mapped[str] = mapped_column(String(40, collation="without_case"))
    without_accents: Mapped[str | None] = mapped_column(String(40, collation="without_accents"))
    turkish: Mapped[str] = mapped_column(String(40, collation="turkish"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String(40, collation="without_case")))


class Name(Base):
    """A key that is found in any case."""

    __tablename__ = "names"

    name: Mapped[str] = mapped_column(String(40, collation="without_case"), primary_key=True)


COLUMNS = ["without_case", "without_accents", "turkish"]

app = App(
    Resource(Word, read=anyone, write=anyone, sort=COLUMNS, search=COLUMNS, filter=["tags"]),
    Resource(Name, read=anyone, write=anyone),
)


@pytest.fixture
async def running(debian: DebianPostgreSQL, debian_url: str) -> AsyncIterator[TestApp]:
    """The app with a row for each word, in every column; every third has no value where there may be none."""
    admin = await asyncpg.connect(debian_url)
    await admin.execute(COLLATIONS)
    await admin.close()
    async with TestApp(app, debian_url) as started:
        for place, word in enumerate(WORDS):
            accents = word if place % 3 else None
            row = {"without_case": word, "without_accents": accents, "turkish": word, "tags": [word]}
            assert (await started.anonymous.post("/api/words", json=row)).status == 201
        yield started


async def words(running: TestApp, query: str) -> list[str]:
    """The words that a query finds."""
    response = await running.anonymous.get(f"/api/words?limit=100&{query}")
    assert response.status == 200, response.body
    return [row["turkish"] for row in response.data]


async def test_values_are_compared_in_the_collation_and_searches_in_that_of_the_database(running: TestApp) -> None:
    assert await words(running, "without_case=aDA") == ["Ada", "ADA"]
    assert await words(running, "without_case[in]=ada,BOB") == ["Ada", "ADA", "bob"]
    assert await words(running, "without_case[ne]=ADA&without_case[lt]=BOBA") == ["bob", "100%"]
    assert await words(running, "without_accents=ZOË") == ["Zoe"]
    assert await words(running, "turkish=ada") == []
    assert await words(running, "tags[has]=ADA") == ["Ada", "ADA"]
    for column in ("without_case", "turkish"):
        assert await words(running, f"{column}[contains]=Émi") == ["Émile"]
        assert await words(running, f"{column}[icontains]=éMI") == ["Émile"]
        assert await words(running, f"{column}[icontains]=irm") == ["IRMAK"]
        assert await words(running, f"{column}[istarts_with]=a") == ["Ada", "ADA"]
        assert await words(running, f"{column}[starts_with]=A") == ["Ada", "ADA"]
        assert await words(running, f"{column}[contains]=100%25") == ["100%"]


async def test_pages_meet_each_row_once_though_values_are_equal(running: TestApp) -> None:
    for column in COLUMNS:
        for sort in (column, f"-{column}"):
            whole = await words(running, f"sort={sort}")
            assert sorted(whole) == sorted(WORDS)
            for limit in (1, 2, 3):
                seen: list[str] = []
                cursor: str | None = ""
                while cursor is not None:
                    after = f"&after={cursor}" if cursor else ""
                    response = await running.anonymous.get(f"/api/words?sort={sort}&limit={limit}{after}")
                    seen += [row["turkish"] for row in response.data]
                    cursor = response.json()["page"]["next"]
                assert seen == whole, (sort, limit)


async def test_a_key_is_found_as_its_column_compares_it(running: TestApp) -> None:
    client = running.anonymous
    assert (await client.post("/api/names", json={"name": "Ada"})).status == 201
    assert (await client.post("/api/names", json={"name": "ADA"})).status == 409
    assert (await client.get("/api/names/aDA")).data == {"name": "Ada"}


async def test_a_change_of_case_is_a_change(running: TestApp) -> None:
    client = running.anonymous
    for column in ("without_case", "tags"):
        row = (await client.get("/api/words/1")).data
        changed = {column: "aDA" if column == "without_case" else ["aDA"]}
        assert row[column] != changed[column]
        assert (await client.patch("/api/words/1", json=changed)).data[column] == changed[column]
        assert (await client.get("/api/words/1")).data[column] == changed[column]
