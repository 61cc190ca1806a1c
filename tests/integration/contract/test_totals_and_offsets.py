"""Totals are those of the rows that the actor may list, whatever the page; offsets reach them up to a bound."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from contract_clients import problem
from pagination import there_and_back
from paging_app import BYTES_MAX, KINDS, LIMIT, Chosen, Many, Odd, Shelf, app, offset_app
from sqlalchemy import MetaData, delete, insert

from gatepost import App
from gatepost.accounts.new_users import issue_token
from gatepost.controllers.paging import OFFSET_MAX
from gatepost.events import StatementFinished
from gatepost.models.list_query import TOTAL_MAX
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROLES: dict[str, tuple[str, ...]] = {"owner": (), "other": (), "stranger": (), "admin": ("admin",)}
OWN, OTHERS = 17, 9
"""Rows of each kind that belong to the owner, and to somebody else."""


ATTEMPTS_MAX = 200

finished: list[StatementFinished] = []
"""The statements of the app with cursors."""

app.events.subscribe(StatementFinished, finished.append)


@dataclass
class PagedApps:
    """The same database, paged by cursors and by offsets, with clients that are shown other rows of it."""

    running: TestApp
    clients: dict[str, Client]
    offsets: dict[str, Client]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the paged app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def apps(module_database_url: str) -> AsyncIterator[PagedApps]:
    """Both apps, on one database with rows."""
    settings = {"GATEPOST_PAGE_BYTES_MAX": str(BYTES_MAX)}
    async with (
        TestApp(app, module_database_url, **settings) as running,
        TestApp(offset_app, module_database_url, **settings) as by_offset,
    ):
        users = {name: await running.user_and_id(*roles, email=f"{name}@example.com") for name, roles in ROLES.items()}
        owner_id, other_id = users["owner"][1], users["other"][1]
        async with app.transaction() as tx:
            shelves = [Shelf(name="top", keeper_id=key) for key in (owner_id, other_id)]
            tx.session.add_all(shelves)
            await tx.session.flush()
            for kind in (*KINDS.values(), Chosen):
                tx.session.add_all(
                    kind(number=number, owner_id=owner_id, text="y" * (number % 5), **on_shelf(kind, shelves, number))
                    for number in range(OWN)
                )
                tx.session.add_all(kind(number=number, owner_id=other_id, text="z") for number in range(OTHERS))
            tx.session.add(Odd(count=1, offset=2, after=3))
            await tx.session.execute(insert(Many), [{"id": number} for number in range(1, TOTAL_MAX + 4)])
        yield PagedApps(
            running,
            {name: client for name, (client, _) in users.items()},
            {name: await signed_in(by_offset.app, f"{name}@example.com") for name in ROLES},
        )


async def signed_in(served: App, email: str) -> Client:
    """The client of a user who is there already."""
    token = await issue_token(served.running.database, served.user_model, served.running.tokens, email)
    return Client(served, token=token)


def on_shelf(kind: type[Any], shelves: list[Shelf], number: int) -> dict[str, Any]:
    """Every third row is on the owner's shelf, the next on the other's."""
    return {} if kind is Chosen or number % 3 == 2 else {"shelf_id": shelves[number % 3].id}


async def total(client: Client, path: str) -> tuple[int, bool]:
    """The total that a page names."""
    response = await client.get(path)
    assert response.status == 200, response.body
    found = response.json()["page"]
    return found["total"], found["total_is_exact"]


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"owner": OWN, "other": OTHERS, "admin": OWN + OTHERS, "stranger": 0}),
        ("&limit=1", {"owner": OWN, "other": OTHERS, "admin": OWN + OTHERS, "stranger": 0}),
        ("&number[lt]=4", {"owner": 4, "other": 4, "admin": 8, "stranger": 0}),
        ("&number[gte]=10&number[lt]=12&sort=-id", {"owner": 2, "other": 0, "admin": 2, "stranger": 0}),
        ("&shelf.name=top", {"owner": 6, "other": 0, "admin": 0, "stranger": 0}),
        ("&expand=shelf", {"owner": OWN, "other": OTHERS, "admin": OWN + OTHERS, "stranger": 0}),
    ],
)
async def test_the_total_is_of_the_rows_that_the_actor_may_list(
    apps: PagedApps, path: str, query: str, expected: dict[str, int]
) -> None:
    for name, count in expected.items():
        assert await total(apps.clients[name], f"/api/{path}?count=true{query}") == (count, True), name
        pages = await there_and_back(apps.clients[name], f"/api/{path}?count=true{query}&fields=id")
        assert len(pages) == count, "a total does not change the pages"


@pytest.mark.parametrize("path", KINDS)
async def test_the_total_is_the_same_on_every_page(apps: PagedApps, path: str) -> None:
    client, query = apps.clients["owner"], f"/api/{path}?count=true&limit=5&number[lt]=12"
    page = (await client.get(query)).json()["page"]
    totals = [page["total"]]
    while page["next"] is not None:
        page = (await client.get(f"{query}&after={page['next']}")).json()["page"]
        totals.append(page["total"])
    while page["prev"] is not None:
        page = (await client.get(f"{query}&before={page['prev']}")).json()["page"]
        totals.append(page["total"])
    assert totals == [12] * 5


async def until_known(client: Client, target: str) -> None:
    """Ask until the user is cached: before its listener is trusted, an app caches none."""
    for _ in range(ATTEMPTS_MAX):
        finished.clear()
        await client.get(target)
        is_known = "users.load" not in [event.name for event in finished]
        finished.clear()
        if is_known:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the user is never cached")


@pytest.mark.parametrize("path", KINDS)
async def test_a_page_and_its_total_are_one_statement(apps: PagedApps, path: str) -> None:
    client = apps.clients["owner"]
    await until_known(client, f"/api/{path}")
    asked = (await client.get(f"/api/{path}?count=true&limit=2")).json()
    assert [event.name for event in finished] == [f"{path}.list"]
    plain = (await client.get(f"/api/{path}?count=false&limit=2")).json()
    assert asked["data"] == plain["data"]
    assert asked["page"] == {**plain["page"], "total": OWN, "total_is_exact": True}
    assert set(plain["page"]) == {"limit", "next", "prev"}


@pytest.mark.parametrize("path", KINDS)
async def test_a_page_behind_the_last_row_has_the_total_as_well(apps: PagedApps, path: str) -> None:
    found = (await apps.offsets["owner"].get(f"/api/{path}?offset=100")).json()
    assert found == {"data": [], "page": {"limit": LIMIT, "offset": 100, "total": OWN, "total_is_exact": True}}


async def test_no_more_than_the_maximum_is_counted(apps: PagedApps) -> None:
    client = apps.clients["stranger"]
    assert await total(client, "/api/many?count=true&limit=1") == (TOTAL_MAX, False)
    assert await total(client, f"/api/many?count=true&id[lte]={TOTAL_MAX + 1}") == (TOTAL_MAX, False)
    assert await total(client, f"/api/many?count=true&id[lte]={TOTAL_MAX}") == (TOTAL_MAX, True)
    assert await total(client, f"/api/many?count=true&id[lt]={TOTAL_MAX}") == (TOTAL_MAX - 1, True)


@pytest.mark.parametrize(
    ("path", "code", "named"),
    [
        ("bounded?count=1", "invalid_parameter", "Send true or false"),
        ("bounded?count=", "invalid_parameter", "Send true or false"),
        ("bounded?count=True", "invalid_parameter", "Send true or false"),
        ("bounded?count=true&count=true", "invalid_parameter", "more than once"),
        ("bounded?offset=1", "unknown_parameter", "'offset'"),
        ("chosen?count=true", "unknown_parameter", "'count'"),
        ("odd?count=1", "invalid_parameter", "Send true or false"),
    ],
)
async def test_what_cannot_be_counted_is_refused(apps: PagedApps, path: str, code: str, named: str) -> None:
    assert named in problem(await apps.clients["owner"].get(f"/api/{path}"), 400, code)["detail"]


async def test_one_row_has_no_total(apps: PagedApps) -> None:
    key = (await apps.clients["owner"].get("/api/bounded")).data[0]["id"]
    problem(await apps.clients["owner"].get(f"/api/bounded/{key}?count=true"), 400, "unknown_parameter")


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize("sort", ["id", "-id"])
async def test_offsets_show_every_row_once(apps: PagedApps, path: str, sort: str) -> None:
    for name, count in (("owner", OWN), ("admin", OWN + OTHERS)):
        ordered = [row["id"] for row in (await apps.clients[name].get(f"/api/{path}?limit=100&sort={sort}")).data]
        assert len(ordered) == count
        for offset in range(count + 2):
            shown = (await apps.offsets[name].get(f"/api/{path}?limit=4&sort={sort}&offset={offset}")).json()
            assert [row["id"] for row in shown["data"]] == ordered[offset : offset + 4]
            assert shown["page"] == {"limit": 4, "offset": offset, "total": count, "total_is_exact": True}


async def test_links_lead_to_the_next_offset_and_back(apps: PagedApps) -> None:
    client, query = apps.offsets["owner"], "/api/bounded?number[gte]=0&limit=7&sort=-id"
    response = await client.get(query)
    seen = [row["id"] for row in response.data]
    assert response.headers["link"] == f'<{query}&offset=7>; rel="next"'
    response = await client.get(f"{query}&offset=7")
    seen += [row["id"] for row in response.data]
    assert response.headers["link"] == f'<{query}&offset=14>; rel="next", <{query}&offset=0>; rel="prev"'
    response = await client.get(f"{query}&offset=14")
    seen += [row["id"] for row in response.data]
    assert response.headers["link"] == f'<{query}&offset=7>; rel="prev"'
    assert len(set(seen)) == len(seen) == OWN


@pytest.mark.parametrize("path", ["unbounded", "spliced"])
async def test_the_link_of_a_page_that_ended_early_leads_to_its_next_row(apps: PagedApps, path: str) -> None:
    async with app.transaction() as tx:
        tx.session.add_all(KINDS[path](number=1000 + index, text="w" * 1_800) for index in range(5))
    pages, following = list[list[int]](), f"/api/{path}?number[gte]=1000&sort=id"
    while following:
        response = await apps.offsets["admin"].get(following)
        pages.append([row["number"] for row in response.data])
        links = dict(link.split("; ")[::-1] for link in response.headers["link"].split(", "))
        following = links.get('rel="next"', "").strip("<>")
    assert pages == [[1000, 1001], [1002, 1003], [1004]]
    async with app.transaction() as tx:
        await tx.session.execute(delete(KINDS[path]).where(KINDS[path].number >= 1000))


async def test_the_last_offset_leads_no_further(apps: PagedApps) -> None:
    client = apps.offsets["stranger"]
    for offset, has_next in ((OFFSET_MAX - 1, True), (OFFSET_MAX, False)):
        response = await client.get(f"/api/many?limit=1&offset={offset}")
        assert response.status == 200, response.body
        assert ('rel="next"' in response.headers["link"]) is has_next


@pytest.mark.parametrize(
    ("query", "code", "named"),
    [
        (f"offset={OFFSET_MAX + 1}", "invalid_parameter", "narrow the list by filters"),
        ("offset=99999999999999999999", "invalid_parameter", f"from 0 to {OFFSET_MAX}"),
        ("offset=-1", "invalid_parameter", "from 0"),
        ("offset=", "invalid_parameter", "from 0"),
        ("offset=1.5", "invalid_parameter", "from 0"),
        ("offset=%D9%A1", "invalid_parameter", "from 0"),
        ("offset=1&offset=2", "invalid_parameter", "more than once"),
        ("after=x", "unknown_parameter", "'after'"),
        ("before=x", "unknown_parameter", "'before'"),
        ("count=yes", "invalid_parameter", "true or false"),
        ("ofset=1", "unknown_parameter", "Did you mean 'offset'?"),
    ],
)
async def test_an_offset_that_is_refused_says_why(apps: PagedApps, query: str, code: str, named: str) -> None:
    assert named in problem(await apps.offsets["owner"].get(f"/api/bounded?{query}"), 400, code)["detail"]


async def test_a_list_of_a_service_has_offsets_and_no_total(apps: PagedApps) -> None:
    client = apps.offsets["owner"]
    found = (await client.get("/api/chosen?limit=4&offset=2")).json()
    assert [row["number"] for row in found["data"]] == [2, 4, 6]
    assert found["page"] == {"limit": 4, "offset": 2}
    problem(await client.get("/api/chosen?count=true"), 400, "unknown_parameter")


async def test_columns_called_like_parameters_are_filtered_by_their_operators(apps: PagedApps) -> None:
    for client, free in ((apps.running.anonymous, "offset"), (Client(offset_app), "after")):
        for name, value in {"count": 1, "offset": 2, "after": 3}.items():
            assert len((await client.get(f"/api/odd?{name}[eq]={value}")).data) == 1
            assert (await client.get(f"/api/odd?{name}[eq]=9")).data == []
        assert (await client.get(f"/api/odd?{free}=9")).data == [], "it is no parameter here"
