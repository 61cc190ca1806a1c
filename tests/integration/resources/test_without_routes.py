"""`Resource(routes=False)`: policies and verbs without endpoints."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from library_app import Base, Bookcase, Lent, app
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData

from gatepost import Actor, App, Resource, anyone
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, NotFound
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Loans(NamedTuple):
    """The clients, and the keys of a loan of the keeper's and of its book."""

    people: People
    loan: str
    book: str


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the library."""
    assert app
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def loans(module_database_url: str, sql: "asyncpg.Connection[Any]") -> AsyncIterator[Loans]:
    """The library with one loan and one reminder of it."""
    async with TestApp(app, module_database_url) as running:
        people = await people_of(running)
        insert = "INSERT INTO books (title, keeper_id) VALUES ('lent', $1) RETURNING id"
        book = await sql.fetchval(insert, people.keeper_id)
        insert = "INSERT INTO loans (book_id, borrower_id) VALUES ($1, $2) RETURNING id"
        loan = await sql.fetchval(insert, book, people.keeper_id)
        await sql.execute("INSERT INTO reminders (loan_id, text) VALUES ($1, 'due')", loan)
        yield Loans(people, str(loan), str(book))


@pytest.mark.parametrize("identity", FOUR)
async def test_there_is_no_endpoint(loans: Loans, identity: str) -> None:
    client = loans.people[identity]
    for method in ("GET", "POST", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/api/loans", f"/api/loans/{loans.loan}"):
            assert (await client.request(method, path, json={})).status == 404, (method, path)


@pytest.mark.parametrize(
    ("identity", "is_seen"), [("anonymous", False), ("stranger", False), ("keeper", True), ("editor", False)]
)
async def test_expansions_and_filters_are_under_its_policies(loans: Loans, identity: str, is_seen: bool) -> None:
    client = loans.people[identity]
    expanded = await client.get("/api/reminders?expand=loan.book")
    if identity == "anonymous":  # for whom owner() is false from the start, so that the relation does not exist
        assert expanded.status == 400
        return
    loan = expanded.json()["data"][0]["loan"]
    assert (loan is not None and loan["book"]["title"] == "lent") is is_seen


@pytest.mark.parametrize(
    ("identity", "status"), [("anonymous", 401), ("stranger", 403), ("keeper", 403), ("editor", 422)]
)
async def test_references_are_under_its_policies(loans: Loans, identity: str, status: int) -> None:
    response = await loans.people[identity].post("/api/reminders", json={"loan_id": loans.loan, "text": "x"})
    assert response.status == status


async def test_services_make_and_find_rows(loans: Loans) -> None:
    editor = loans.people["editor"]
    created = await editor.post("/api/reminders", json={"text": "lend"})
    assert created.status == 201
    path = f"/api/reminders/{created.data['id']}?expand=loan"
    assert (await editor.get(path)).data["loan"]["book_id"] == loans.book
    assert (await loans.people["keeper"].get(path)).data["loan"] is None
    async with app.transaction() as tx:
        assert str((await tx.service(Lent).get(loans.loan, tx.actor)).book_id) == loans.book
    async with app.transaction(Actor(None)) as tx:
        with pytest.raises(NotFound):
            await tx.service(Lent).get(loans.loan, tx.actor)


async def test_its_operations_are_not_listed() -> None:
    composition = app.composed(load_settings({"GATEPOST_DATABASE_URL": "postgresql://localhost/none"}))
    assert {operation.resource for operation in composition.operations} == {
        "shelves", "books", "media", "discs", "cases", "reminders", None
    }  # fmt: skip


async def test_its_path_is_free_for_others() -> None:
    served = App(Resource(Bookcase, read=anyone, path="books"), Resource(Lent, read=anyone, routes=False))
    assert set(served.declaration.catalog.by_path) == {"books"}


async def test_what_only_endpoints_have_is_refused() -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(
            Resource(
                Bookcase,
                read=anyone,
                create=anyone,
                path="x",
                headers={"Cache-Control": "no-store"},
                body_bytes_max=9,
                routes=False,
            )
        )
    assert {mistake.location for mistake in refusal.value.mistakes} == {
        f"Resource(Bookcase, {name}=...)" for name in ("path", "headers", "body_bytes_max")
    }
