"""`Resource(where=)`: rows outside of it exist for nobody, whatever leads to them."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from library_app import Base, Bookcase, Passing, Volume, app, app_of
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData
from sqlalchemy.orm import aliased

from gatepost import App, Resource, anyone
from gatepost.actor import anonymous
from gatepost.errors import ConfigurationError, Forbidden, NotFound
from gatepost.models.conditions import bind_policy
from gatepost.models.reads import ReadRow
from gatepost.models.recipes import Bound, Options
from gatepost.models.selections import Selection
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Library(NamedTuple):
    """A started app with its clients, and the keys of rows inside and outside of the conditions."""

    app: App
    people: People
    book: str
    deleted: str
    shelf: str
    closed: str


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the library."""
    assert app
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["statements", "service"])
async def library(
    request: pytest.FixtureRequest, module_database_url: str, sql: "asyncpg.Connection[Any]"
) -> AsyncIterator[Library]:
    """The library, served by statements and through a service, with two rows of each kind."""
    served = app_of(Passing if request.param == "service" else None)
    async with TestApp(served, module_database_url) as running:
        people = await people_of(running)
        shelf, closed = [
            str(await sql.fetchval("INSERT INTO shelves (name, state) VALUES ($1, $2) RETURNING id", name, state))
            for name, state in (("one", "it's open"), ("two", "closed"))
        ]
        insert = (
            "INSERT INTO books (title, deleted_at, shelf_id, keeper_id) "
            "VALUES ($1, CASE WHEN $2 THEN now() END, $3, $4) RETURNING id"
        )
        book, deleted = [
            str(await sql.fetchval(insert, title, is_deleted, at, people.keeper_id))
            for title, is_deleted, at in (("here", False, closed), ("gone", True, shelf))
        ]
        yield Library(served, people, book, deleted, shelf, closed)


@pytest.mark.parametrize("identity", FOUR)
async def test_reads_show_no_row_outside(library: Library, identity: str) -> None:
    client = library.people[identity]
    table = [
        (f"/api/books/{library.book}", 200),
        (f"/api/books/{library.deleted}", 404),
        (f"/api/shelves/{library.shelf}", 200),
        (f"/api/shelves/{library.closed}", 404),
    ]
    for path, status in table:
        assert (await client.get(path)).status == status, path
    for path in ("/api/books", "/api/books?sort=-title", "/api/books?limit=1", "/api/books?title[gte]=a"):
        listed = (await client.get(path)).json()["data"]
        assert library.deleted not in [row["id"] for row in listed], path
        assert all(row["deleted_at"] is None for row in listed)


@pytest.mark.parametrize("identity", FOUR)
async def test_what_leads_to_a_row_outside_finds_none(library: Library, identity: str) -> None:
    client = library.people[identity]
    expanded = (await client.get(f"/api/books/{library.book}?expand=shelf")).json()["data"]
    assert expanded["shelf"] is None
    listed = (await client.get("/api/books?expand=shelf")).json()["data"]
    assert {row["id"]: row["shelf"] for row in listed}[library.book] is None
    assert (await client.get("/api/books?shelf.name=two")).json()["data"] == []
    assert (await client.get("/api/shelves?books.title=gone")).json()["data"] == []


@pytest.mark.parametrize("identity", FOUR)
async def test_a_reference_to_a_row_outside_is_one_to_a_missing_row(library: Library, identity: str) -> None:
    client = library.people[identity]
    body = {"title": "new", "keeper_id": library.people.keeper_id, "shelf_id": library.closed}
    refused = await client.post("/api/books", json=body)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, "/shelf_id")


@pytest.mark.parametrize("identity", FOUR)
async def test_a_row_made_outside_is_forbidden(library: Library, sql: "asyncpg.Connection[Any]", identity: str) -> None:
    client, before = library.people[identity], await sql.fetchval("SELECT count(*) FROM books")
    body = {"title": "new", "keeper_id": library.people.keeper_id}
    refused = await client.post("/api/books", json={**body, "deleted_at": "2030-01-01T00:00:00Z"})
    assert (refused.status, refused.json()["code"]) == (403, "forbidden")
    assert await sql.fetchval("SELECT count(*) FROM books") == before
    created = await client.post("/api/books", json=body)
    assert (created.status, created.data["title"]) == (201, "new")


@pytest.mark.parametrize(
    ("identity", "outside", "inside", "deleted"),
    [("anonymous", 401, 401, 401), ("stranger", 404, 403, 403), ("keeper", 404, 200, 204), ("editor", 404, 200, 204)],
)
async def test_writes_find_no_row_outside(
    library: Library, identity: str, outside: int, inside: int, deleted: int
) -> None:
    client = library.people[identity]
    hidden = f"/api/books/{library.deleted}"
    assert (await client.patch(hidden, json={"title": "x"})).status == outside
    assert (await client.patch(hidden, json={"deleted_at": None})).status == outside
    assert (await client.delete(hidden)).status == outside
    body = {"title": "short-lived", "keeper_id": library.people.keeper_id}
    path = (await library.people["editor"].post("/api/books", json=body)).headers["location"]
    assert (await client.patch(path, json={"title": "changed"})).status == inside
    taken_out = await client.patch(path, json={"deleted_at": "2030-01-01T00:00:00Z"})
    assert taken_out.status == deleted
    assert (await client.get(path)).status == (404 if deleted == 204 else 200)
    if deleted == 204:
        assert taken_out.body == b""


async def test_a_row_is_deleted_where_it_is_served(library: Library) -> None:
    keeper = library.people["keeper"]
    body = {"title": "short-lived", "keeper_id": library.people.keeper_id}
    path = (await keeper.post("/api/books", json=body)).headers["location"]
    assert (await keeper.delete(path)).status == 204
    assert (await keeper.get(path)).status == 404


async def test_services_find_and_make_no_row_outside_even_for_the_system(library: Library) -> None:
    async with library.app.transaction() as tx:
        assert (await tx.service(Bookcase).get(library.shelf, tx.actor)).name == "one"
        with pytest.raises(NotFound):
            await tx.service(Bookcase).get(library.closed, tx.actor)
        with pytest.raises(Forbidden):
            await tx.service(Bookcase).create(Bookcase(name="three", state="closed"), tx.actor)


async def test_the_values_of_the_condition_are_literals() -> None:
    """So that a partial index with the same condition serves the statement."""
    served = app.declaration.catalog.by_model[Bookcase]
    recipe = ReadRow(
        Selection(served, bind_policy(served.policies["get"], anonymous, served.entity), ("id",), ()), Bound(1)
    )
    statement = recipe.compile(Options(page_bytes_max=1_000_000)).statement
    assert "shelves.state = ANY (ARRAY['it''s open', 'new']" in statement.sql
    assert statement.plain_names == ("key",)


async def test_the_policy_shows_the_condition() -> None:
    by_model = app.declaration.catalog.by_model
    assert repr(by_model[Volume].policies["list"]) == "anyone where books.deleted_at IS NULL"
    assert repr(by_model[Bookcase].policies["get"]) == "anyone where shelves.state IN ('it''s open', 'new')"
    assert repr(by_model[Bookcase].policies["update"]) == "role('editor')"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("deleted_at IS NULL", "is 'deleted_at IS NULL', which is not a condition"),
        (Volume.title, "as a condition, which is of type"),
        (Bookcase.state == "open", "is about rows of shelves"),
        (lambda book: book.tilte == "x", "cannot be evaluated"),
        (lambda book: "yes", "returned str"),
        (lambda: True, "cannot be evaluated"),
        (aliased(Volume).title == "x", "is about rows of another books"),
    ],
)
async def test_what_is_no_condition_on_the_row_is_refused(where: Any, words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Volume, read=anyone, where=where))
    assert "test_where.py:" in str(refusal.value)
    assert "Resource(Volume, where=...)" in str(refusal.value)
    assert words in str(refusal.value)
