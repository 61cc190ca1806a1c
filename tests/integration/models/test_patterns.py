"""Texts that the trigram index cannot look for are refused, and those that are taken are looked for by the index."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import Index, MetaData, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Model, Resource, anyone
from gatepost.database.statements import Statement
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.models.filters import Filter
from gatepost.models.operators import OPERATORS
from gatepost.models.table_refs import TableRef
from gatepost.testing import TestApp

ROWS = 30_000
TAKEN = ["zq1", "abc", "seven", "0x7", "a_b_seven", "se%ven", "ven 1"]
WITH_LETTERS = ["ÉÈÊ", "中文字", "Жук", "éte", "ẞßß"]
UNSERVED = ["", "zq", "%", "½½½", "🜁🜁🜁", "--------"]
REFUSED = [*UNSERVED, "a_b", "ab cd", "e\u0301e\u0301e\u0301", "٣٤٥"]
"""The last ones could be found by what stands at the beginning of a word, which is far from selective."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=Model.metadata.naming_convention)


class Entry(Base):
    """`code` is looked for by its beginning with an index of its own."""

    __tablename__ = "entries"
    __table_args__ = (Index("ix_code", "code", postgresql_ops={"code": "text_pattern_ops"}),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    code: Mapped[str]


class Remark(Base):
    """The extension is there, whatever is asked first."""

    __tablename__ = "remarks"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


app = App(Resource(Entry, read=anyone, search=["name"]), Resource(Remark, read=anyone, search=["text"]))
SERVED = app.declaration.catalog.by_model[Entry]

FILL = f"""
INSERT INTO entries (name, code)
SELECT translate(md5(number::text), '0123456789', 'ghijklmnop') || ' ' || number || repeat(' -', 100), md5(number::text)
FROM generate_series(1, {ROWS}) AS number
"""


@pytest.fixture(scope="module", params=["C.UTF-8", "C"])
def ctype(request: pytest.FixtureRequest) -> str:
    """LC_CTYPE of the database: the one of new embedded databases, and the one of older ones."""
    return str(request.param)


@pytest.fixture(scope="module")
def entries_url(postgresql: EmbeddedPostgreSQL, ctype: str) -> Iterator[str]:
    """An empty database with that LC_CTYPE."""
    name = f"entries_{uuid4().hex}"
    postgresql.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_CTYPE '{ctype}'")
    yield postgresql.dsn(name)
    postgresql.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(entries_url: str) -> AsyncIterator[TestApp]:
    """The app, with rows enough for an index to be worth while."""
    async with TestApp(app, entries_url, GATEPOST_DATABASE_STATEMENT_SECONDS="60") as started:
        await started.app.running.database.fetch(FILL)
        await started.app.running.database.fetch("VACUUM ANALYZE entries")  # also of what the index has put off
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def connection(running: TestApp, entries_url: str) -> AsyncIterator[Any]:
    """A connection that asks for plans."""
    made = await asyncpg.connect(entries_url)
    yield made
    await made.close()


async def plan(connection: Any, name: str, operator: str, text: str) -> str:
    """How PostgreSQL looks for a text."""
    item = Filter.of((), name, next(item for item in OPERATORS if item.name == operator), text)
    source = TableRef.of(SERVED.entity)
    statement = Statement(select(source.column("id")).where(item.condition(source)))
    values = statement.arguments({bound.name: bound.value for bound in item.bounds()})
    rows = await connection.fetch(f"EXPLAIN (COSTS off) {statement.sql}", *values)
    return "\n".join(row[0] for row in rows)


async def status(running: TestApp, name: str, operator: str, text: str) -> int:
    """The response to a search for a text."""
    response = await running.anonymous.get("/api/entries", params={f"{name}[{operator}]": text})
    assert response.status == 200 or response.json()["code"] == "invalid_parameter"
    return response.status


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("operator", ["contains", "icontains"])
@pytest.mark.parametrize("text", TAKEN + WITH_LETTERS)
@pytest.mark.sampled(strength=2)
async def test_a_text_that_is_taken_is_looked_for_by_the_index(
    running: TestApp, connection: Any, ctype: str, text: str, operator: str
) -> None:
    is_taken = text in TAKEN or ctype != "C"
    assert await status(running, "name", operator, text) == (200 if is_taken else 400)
    if is_taken:
        assert "Index Cond" in await plan(connection, "name", operator, text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("operator", ["contains", "icontains"])
@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.sampled(strength=2)
async def test_a_text_without_a_trigram_is_refused(running: TestApp, connection: Any, text: str, operator: str) -> None:
    assert await status(running, "name", operator, text) == 400
    if text in UNSERVED:
        assert "Seq Scan" in await plan(connection, "name", operator, text)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("operator", ["starts_with", "istarts_with"])
@pytest.mark.parametrize(("text", "expected"), [("zq", 200), ("Z", 200), ("-zq", 200), ("-", 400), ("", 400)])
async def test_a_beginning_wants_one_letter(
    running: TestApp, connection: Any, text: str, expected: int, operator: str
) -> None:
    assert await status(running, "name", operator, text) == expected
    if expected == 200:
        assert "Index Cond" in await plan(connection, "name", operator, text)


FOLDED = [("ÉCOLE", "école"), ("ЖУК", "жук"), ("ẞSSS", "ßsss"), ("ǅxyz", "ǆxyz"), ("İxyz", "ixyz")]
NOT_FOLDED = [("strasse", "straße"), ("ΜΗΣ", "μης"), ("ecole", "école")]


@pytest.mark.asyncio(loop_scope="module")
async def test_letters_are_folded_one_by_one_where_the_database_knows_them(
    running: TestApp, connection: Any, ctype: str
) -> None:
    rows = [row for pair in FOLDED + NOT_FOLDED for row in pair]
    values = ", ".join([f"('{row}', '')" for row in rows])
    await running.app.running.database.fetch(f"INSERT INTO entries (name, code) VALUES {values}")
    if ctype == "C":
        response = await running.anonymous.get("/api/entries", params={"name[icontains]": "XYZ"})
        assert {row["name"] for row in response.data} == {"ixyz", "İxyz", "ǅxyz", "ǆxyz"}
        return
    assert "Index Cond" in await plan(connection, "name", "icontains", "ÉCOLE")
    for upper, lower in FOLDED:
        for asked in (upper, lower):
            response = await running.anonymous.get("/api/entries", params={"name[icontains]": asked})
            assert {upper, lower} <= {row["name"] for row in response.data}, asked
    for one, other in NOT_FOLDED:
        response = await running.anonymous.get("/api/entries", params={"name[icontains]": one})
        assert other not in [row["name"] for row in response.data]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_beginning_may_be_anything_where_an_index_of_its_own_serves_it(
    running: TestApp, connection: Any
) -> None:
    for text in ("-", "%", "é"):
        assert await status(running, "code", "starts_with", text) == 200
        assert "Index Cond" in await plan(connection, "code", "starts_with", text)


@pytest.mark.asyncio(loop_scope="module")
async def test_the_refusal_says_what_is_wanted(running: TestApp, ctype: str) -> None:
    response = await running.anonymous.get("/api/entries?name[contains]=zq")
    letters = "letters (a to z)" if ctype == "C" else "letters"
    assert (
        response.json()["detail"]
        == f"The parameter 'name[contains]': Send at least three {letters} or digits in a row."
    )
