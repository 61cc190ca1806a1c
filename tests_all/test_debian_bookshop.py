"""The bookshop on Debian's PostgreSQL: any DATABASE_URL is an equal path."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from debian_postgresql import ROLE, DebianPostgreSQL, psql
from examples.bookshop.app import app

from gatepost.testing import Client, ClientResponse, TestApp

NAMES = ["Zola", "Äsop", "anna", "Mann"]
BOUND_SECONDS = 0.1
AS_IN_GERMAN = ["anna", "Äsop", "Mann", "Zola"]


@pytest.fixture
async def running(debian_url: str) -> AsyncIterator[TestApp]:
    """The bookshop, migrated by a role that is no superuser."""
    async with TestApp(app, debian_url) as started:
        yield started


@pytest.fixture
async def editor(running: TestApp) -> Client:
    return await running.user("editor")


async def create(client: Client, path: str, **values: Any) -> ClientResponse:
    response = await client.post(path, json=values)
    assert response.status == 201, response.body
    return response


async def book_of(editor: Client, **values: Any) -> dict[str, Any]:
    """A book, and an author for it."""
    author = (await create(editor, "/api/authors", name="Ursula K. Le Guin")).data
    draft = {"title": "The Dispossessed", "price": "9.99", "stock": 3, "author_id": author["id"]}
    book: dict[str, Any] = (await create(editor, "/api/books", **draft | values)).data
    return book


async def names(client: Client, query: str) -> list[str]:
    return [row["name"] for row in (await client.get(f"/api/authors?{query}")).data]


def test_the_server_is_another_one_than_the_embedded_one(debian: DebianPostgreSQL) -> None:
    assert debian.execute("SELECT daticulocale FROM pg_database WHERE datname = 'template1'") == "de-DE"
    assert debian.execute(f"SELECT rolsuper FROM pg_roles WHERE rolname = '{ROLE}'") == "f"
    assert debian.execute("SHOW timezone") == "America/New_York"


async def test_keys_are_uuids_of_version_7_and_grow(editor: Client) -> None:
    keys = [UUID((await create(editor, "/api/authors", name=str(number))).data["id"]) for number in range(20)]
    assert {key.version for key in keys} == {7}
    assert all(earlier < later for earlier, later in pairwise(keys))


async def test_what_is_created_is_read_changed_and_deleted(editor: Client, running: TestApp) -> None:
    book = await book_of(editor, price="10.50")
    path = f"/api/books/{book['id']}"
    read = await running.anonymous.get(path)
    assert (read.status, read.data) == (200, book)
    changed = await editor.patch(path, json={"price": "11.25"})
    assert (changed.status, changed.data["price"], changed.data["version"]) == (200, "11.25", book["version"] + 1)
    assert (await editor.delete(path)).status == 204
    assert (await running.anonymous.get(path)).status == 404


async def test_instants_are_utc_whatever_the_zone_of_the_server(editor: Client, debian_url: str) -> None:
    book = await book_of(editor)
    assert book["created_at"].endswith("Z")
    since = f"SELECT abs(extract(epoch FROM created_at - '{book['created_at']}'::timestamptz)) < 0.001 FROM books"
    assert psql(debian_url, since) == "t"


async def test_filters_sort_and_expand(editor: Client, running: TestApp) -> None:
    book = await book_of(editor, title="Sea and seaside", price="5.00")
    await create(editor, "/api/books", title="Other", price="20.00", author_id=book["author_id"])
    asked = "price[lt]=20&title[contains]=seaside&author.name=Ursula+K.+Le+Guin&expand=author&sort=-price"
    [found] = (await running.anonymous.get(f"/api/books?{asked}")).data
    assert (found["id"], found["author"]["name"]) == (book["id"], "Ursula K. Le Guin")


async def test_pages_follow_the_order_of_the_databases_own_language(editor: Client, running: TestApp) -> None:
    for name in NAMES:
        await create(editor, "/api/authors", name=name)
    assert await names(running.anonymous, "sort=name") == AS_IN_GERMAN
    assert await names(running.anonymous, "sort=-name") == AS_IN_GERMAN[::-1]
    seen: list[str] = []
    query = "sort=name&limit=1"
    while query:
        page = (await running.anonymous.get(f"/api/authors?{query}")).json()
        seen += [row["name"] for row in page["data"]]
        following = page["page"]["next"]
        query = f"sort=name&limit=1&after={following}" if following else ""
    assert seen == AS_IN_GERMAN


async def test_an_order_takes_from_the_stock_until_nothing_is_left(editor: Client, running: TestApp) -> None:
    book = await book_of(editor, stock=3)
    customer = await running.user()
    responses = await asyncio.gather(
        *(customer.post("/api/orders", json={"book_id": book["id"], "quantity": 1}) for _ in range(12))
    )
    assert sorted(response.status for response in responses) == [201] * 3 + [409] * 9
    assert {response.json()["code"] for response in responses if response.status == 409} == {"out_of_stock"}
    assert (await running.anonymous.get(f"/api/books/{book['id']}")).data["stock"] == 0


async def test_what_the_database_refuses_is_a_problem_that_names_the_place(editor: Client, running: TestApp) -> None:
    book = await book_of(editor)
    draft = {"title": "", "price": "-1", "author_id": book["author_id"]}
    refused = await editor.post("/api/books", json=draft)
    assert (refused.status, {error["pointer"] for error in refused.json()["errors"]}) == (422, {"/title", "/price"})
    referred = await editor.delete(f"/api/authors/{book['author_id']}")
    assert referred.status == 409, referred.body
    assert (await running.anonymous.get(f"/api/authors/{book['author_id']}")).status == 200


async def test_entity_tags_name_the_version_and_guard_it(editor: Client, running: TestApp) -> None:
    book = await book_of(editor)
    path = f"/api/books/{book['id']}"
    tag = (await running.anonymous.get(path)).headers["etag"]
    assert (await running.anonymous.get(path, headers={"If-None-Match": tag})).status == 304
    assert (await editor.patch(path, json={"stock": 4}, headers={"If-Match": tag})).status == 200
    assert (await editor.patch(path, json={"stock": 5}, headers={"If-Match": tag})).status == 412
    assert (await running.anonymous.get(path)).data["stock"] == 4


async def test_a_change_by_psql_changes_the_version_and_the_entity_tag(
    editor: Client, running: TestApp, debian_url: str
) -> None:
    book = await book_of(editor)
    path = f"/api/books/{book['id']}"
    before = await running.anonymous.get(path)
    psql(debian_url, f"UPDATE books SET stock = stock + 1 WHERE id = '{book['id']}'")
    after = await running.anonymous.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert (after.status, after.data["stock"]) == (200, before.data["stock"] + 1)
    assert after.data["version"] == before.data["version"] + 1
    assert after.data["updated_at"] > before.data["updated_at"]
    assert after.headers["etag"] != before.headers["etag"]


async def test_psql_cannot_write_what_the_declaration_forbids(editor: Client, debian_url: str) -> None:
    await book_of(editor)
    with pytest.raises(AssertionError, match="violates check constraint"):
        psql(debian_url, "UPDATE books SET price = -1")


@pytest.mark.alone
async def test_a_role_or_user_that_psql_takes_away_is_gone_after_100_ms(
    running: TestApp, editor: Client, debian_url: str
) -> None:
    assert (await editor.post("/api/authors", json={"name": "Before"})).status == 201
    psql(debian_url, "UPDATE users SET roles = '{}'")
    await asyncio.sleep(BOUND_SECONDS)
    assert (await editor.post("/api/authors", json={"name": "After"})).status == 403
    psql(debian_url, "DELETE FROM users")
    await asyncio.sleep(BOUND_SECONDS)
    assert (await editor.get("/api/auth/me")).status == 401
