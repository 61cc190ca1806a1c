"""`Resource(order=)`: the order of a list that asks for none."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from press_app import SERVICES, Essay, Printed, Remark, app, app_of
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData

from gatepost import App, Field, Resource, anyone, authenticated, hidden, nobody, owner
from gatepost.errors import ConfigurationError
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Remarks(NamedTuple):
    """The clients, and the remarks in the order of their resource."""

    people: People
    ordered: list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the press."""
    assert app
    return Printed.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(SERVICES))
async def remarks(
    request: pytest.FixtureRequest, module_database_url: str, sql: "asyncpg.Connection[Any]"
) -> AsyncIterator[Remarks]:
    """The press with remarks of few ranks and texts, made in another order than that of their resource."""
    async with TestApp(app_of(SERVICES[request.param]), module_database_url) as running:
        people = await people_of(running)
        await sql.execute("TRUNCATE remarks, notes, essays")
        insert = "INSERT INTO essays (slug, title, is_public, author_id) VALUES ('one', '', true, $1) RETURNING id"
        essay = await sql.fetchval(insert, people.keeper_id)
        insert = "INSERT INTO remarks (rank, text, essay_id, author_id) VALUES ($1, $2, $3, $4) RETURNING id"
        rows = [(number % 3, "abcd"[number % 4]) for number in range(24)]
        made = [(*row, str(await sql.fetchval(insert, *row, essay, people.keeper_id))) for row in rows]
        yield Remarks(people, sorted(made, key=lambda row: (-row[0], row[1], row[2])))


async def pages(client: Client, path: str, *, backward: bool = False) -> list[Any]:
    """The keys of all rows, page by page."""
    found: list[Any] = []
    if backward:
        last = (await client.get(f"{path}&limit=100")).json()["data"]
        assert len(last) == 24
        first = (await client.get(f"{path}&limit=23")).json()["page"]["next"]
        page = (await client.get(f"{path}&limit=5&before={first}")).json()
        while page["data"]:
            found = [row["id"] for row in page["data"]] + found
            if page["page"]["prev"] is None:
                break
            page = (await client.get(f"{path}&limit=5&before={page['page']['prev']}")).json()
        return found
    cursor = ""
    while True:
        page = (await client.get(f"{path}&limit=5{cursor}")).json()
        found += [row["id"] for row in page["data"]]
        if page["page"]["next"] is None:
            return found
        cursor = f"&after={page['page']['next']}"


@pytest.mark.parametrize("identity", FOUR)
async def test_a_list_and_its_cursors_have_the_order(remarks: Remarks, identity: str) -> None:
    client = remarks.people[identity]
    keys = [key for *_, key in remarks.ordered]
    assert await pages(client, "/api/remarks?") == keys
    assert await pages(client, "/api/remarks?", backward=True) == keys[:22]
    by_text = [row["id"] for row in (await client.get("/api/remarks?text=a")).json()["data"]]
    assert by_text == [key for _, text, key in remarks.ordered if text == "a"]


async def test_a_request_may_ask_for_another(remarks: Remarks) -> None:
    client = remarks.people["anonymous"]
    wanted = [key for *_, key in sorted(remarks.ordered, key=lambda row: (row[1], row[2]))]
    assert await pages(client, "/api/remarks?sort=text") == wanted
    cursor = (await client.get("/api/remarks?limit=5")).json()["page"]["next"]
    assert (await client.get(f"/api/remarks?sort=text&after={cursor}")).json()["code"] == "invalid_cursor"


async def test_each_term_has_the_index_of_a_sort() -> None:
    names = {index.name for index in Remark.__table__.indexes}  # type: ignore[attr-defined]
    assert {"ix_remarks_rank_id", "ix_remarks_text_id"} <= names


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"order": "titel"}, "Essay has no field 'titel'. Did you mean 'title'?"),
        ({"order": Remark.text}, "names Remark.text, of another model"),
        ({"order": ["title", "-title"]}, "names 'title' twice"),
        ({"order": 5}, "is 5."),
        ({"order": "title", "fields": {"title": hidden}}, "hidden from anonymous clients who may list"),
        (
            {"order": "title", "fields": {"title": Field(read=authenticated, write=nobody)}},
            "hidden from anonymous clients who may list",
        ),
        (
            {
                "order": "title",
                "read": owner("author_id"),
                "fields": {"title": Field(read=owner("author_id"), write=nobody)},
            },
            "hidden from some users who may list",
        ),
        ({"order": "title", "read": nobody, "get": anyone}, "nobody may list the rows"),
    ],
)
async def test_what_is_no_order_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Essay, **{"read": anyone, **options}))
    assert "Resource(Essay, order=...)" in str(refusal.value)
    assert words in str(refusal.value)
