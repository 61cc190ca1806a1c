"""Columns that ignore case: found, sorted, referred to and owned as PostgreSQL compares them, whatever the way."""

import random
import string
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from contract_clients import failures, pointers, problem
from pagination import ids_of, there_and_back
from sqlalchemy import MetaData
from text_comparisons_app import Account, Entry, Line, Writer, app

from gatepost.accounts.new_users import issue_token
from gatepost.events import RequestFailed
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

app.events.subscribe(RequestFailed, failures.append)

LABELS = ["Ada", "bob", "Carl", "adam", "BEA", "ADA", "ada", "Bob, jr.", "ÉMILE", "émile", "100%", "zoë"]
PATHS = ("entries", "lines")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app, and so the extension."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app with its rows: the keys of both tables are the places of the labels, from one on."""
    async with TestApp(app, module_database_url) as started:
        async with app.transaction() as work:
            work.session.add_all([Account(id=name, email=f"{name}@example.com") for name in ("Ann", "Bob")])
            work.session.add_all([Writer(nick="Ursula"), Writer(nick="Émile")])
            for model in (Entry, Line):
                for place, label in enumerate(LABELS):
                    other = LABELS[-place] if place % 3 else None
                    data = {"color": label}
                    work.session.add(model(label=label, other=other, tags=[label, "x"], data=data))
                    await work.session.flush()
        yield started


async def signed_in(running: TestApp, name: str) -> Client:
    """A client that acts as one of the two."""
    inner = running.app.running
    return Client(app, token=await issue_token(inner.database, Account, inner.tokens, f"{name}@example.com"))


def found(holds: Callable[[str], bool]) -> list[int]:
    """The keys of the rows whose label has this property without case."""
    return [place for place, label in enumerate(LABELS, 1) if holds(label.lower())]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("label=aDA", found(lambda label: label == "ada")),
        ("label=%C3%89mile", found(lambda label: label == "émile")),
        ("label[ne]=ADA", found(lambda label: label != "ada")),
        ("label[in]=ADA,BOB", found(lambda label: label in ("ada", "bob"))),
        ('label[in]="BOB, JR.",carl', found(lambda label: label in ("bob, jr.", "carl"))),
        ("label[lt]=B", found(lambda label: label < "b")),
        ("label[gte]=BOB", found(lambda label: label >= "bob")),
        ("label[gt]=bob&label[lte]=CARL", found(lambda label: "bob" < label <= "carl")),
        ("label[null]=true", []),
        ("label[contains]=MIL", found(lambda label: "mil" in label)),
        ("label[icontains]=MIL", found(lambda label: "mil" in label)),
        ("label[contains]=100%25", found(lambda label: "100%" in label)),
        ("label[starts_with]=AD", found(lambda label: label.startswith("ad"))),
        ("label[istarts_with]=aD", found(lambda label: label.startswith("ad"))),
        ("tags[has]=ADA&tags[has]=X", found(lambda label: label == "ada")),
        ("data.color=ada", [LABELS.index("ada") + 1]),
        ("data.color[in]=ada,Ada", [LABELS.index("Ada") + 1, LABELS.index("ada") + 1]),
    ],
)
async def test_case_makes_no_difference_to_a_filter(
    running: TestApp, path: str, query: str, expected: list[int]
) -> None:
    assert await ids_of(running.anonymous, f"/api/{path}?limit=100&{query}") == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 5])
@pytest.mark.parametrize("sort", ["label", "-label", "other", "-other", "label,-other", "-other,label", "other,-id"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.sampled(strength=2)
async def test_pages_meet_each_row_once_in_the_order_of_a_single_page(
    running: TestApp, path: str, sort: str, limit: int
) -> None:
    whole = await ids_of(running.anonymous, f"/api/{path}?limit=100&sort={sort}")
    assert sorted(whole) == list(range(1, len(LABELS) + 1))
    assert await there_and_back(running.anonymous, f"/api/{path}?sort={sort}&limit={limit}") == whole


async def test_the_order_ignores_case(running: TestApp) -> None:
    rows = (await running.anonymous.get("/api/entries?limit=100&sort=label")).data
    assert [row["label"].lower() for row in rows] == sorted(label.lower() for label in LABELS)


async def test_a_key_is_found_in_any_case_and_shown_as_it_is_stored(running: TestApp) -> None:
    client = running.anonymous
    assert (await client.get("/api/writers/URSULA")).data == {"nick": "Ursula"}
    assert (await client.get("/api/writers/%C3%A9MILE")).data == {"nick": "Émile"}
    refused = await client.post("/api/writers", json={"nick": "uRSULA"})
    problem(refused, 409, "already_exists")
    assert pointers(refused) == {"/nick": "already_exists"}
    assert (await client.post("/api/writers", json={"nick": "Gone"})).status == 201
    assert (await client.delete("/api/writers/gONE")).status == 204


@pytest.mark.parametrize("path", PATHS)
async def test_a_change_of_case_is_a_change(running: TestApp, path: str) -> None:
    client = running.anonymous
    row = {"label": "Eve", "tags": ["Eve"], "data": {}}
    created = await client.post(f"/api/{path}", json=row)
    where, tag = created.headers["location"], created.headers["etag"]
    changed = await client.patch(where, json={"label": "EVE", "tags": ["EVE"]})
    assert (changed.data["label"], changed.data["tags"]) == ("EVE", ["EVE"])
    assert changed.headers["etag"] != tag
    assert (await client.get(where)).data["label"] == "EVE"
    assert (await client.delete(where)).status == 204


@pytest.mark.parametrize("path", ["posts", "notes"])
async def test_an_owner_is_known_in_any_case(running: TestApp, path: str) -> None:
    ann, bob = await signed_in(running, "Ann"), await signed_in(running, "Bob")
    created = await ann.post(f"/api/{path}", json={"owner_id": "aNN"})
    assert (created.status, created.data["owner_id"]) == (201, "aNN")
    where = created.headers["location"]
    assert (await ann.patch(where, json={"text": "changed"})).status == 200
    assert (await ann.patch(where, json={"owner_id": "ANN"})).data["owner_id"] == "ANN"
    problem(await ann.post(f"/api/{path}", json={"owner_id": "BOB"}), 403, "forbidden")
    problem(await ann.patch(where, json={"owner_id": "BOB"}), 403, "forbidden")
    problem(await bob.patch(where, json={"text": "mine"}), 403, "forbidden")
    problem(await bob.delete(where), 403, "forbidden")
    assert (await ann.delete(where)).status == 204


@pytest.mark.parametrize("path", ["posts", "notes"])
async def test_a_reference_in_another_case_leads_to_its_row(running: TestApp, path: str) -> None:
    ann = await signed_in(running, "Ann")
    created = await ann.post(f"/api/{path}", json={"nick": "URSULA"})
    assert created.status == 201, created.body
    response = await ann.get(f"/api/{path}?expand=writer&writer.nick=ursula&nick=UrSuLa")
    shown: list[dict[str, Any]] = response.data
    assert [(row["nick"], row["writer"]) for row in shown] == [("URSULA", {"nick": "Ursula"})]
    refused = await ann.post(f"/api/{path}", json={"nick": "nobody"})
    assert pointers(refused) == {"/nick": "not_found"}


@pytest.mark.parametrize("path", PATHS)
async def test_a_value_that_the_index_of_a_path_cannot_hold_is_refused_at_its_column(
    running: TestApp, path: str
) -> None:
    long = "".join(random.Random(7).choices(string.ascii_letters, k=8000))
    response = await running.anonymous.post(f"/api/{path}", json={"label": "long", "tags": [], "data": {"color": long}})
    assert (response.status, pointers(response)) == (422, {"/data": "too_long"})
