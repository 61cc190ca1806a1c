"""A DTO of columns and expressions over them: returned by the statement that writes the row, with an entity tag."""

from typing import Any

import asyncpg
import pytest
from flat_app import flat
from gazette_rows import Gazette

from gatepost.events import StatementFinished
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAMES: list[str] = []
flat.events.subscribe(StatementFinished, lambda event: NAMES.append(event.name))


def of_stories() -> list[str]:
    """The statements that were run, besides those that find the user."""
    return [name for name in NAMES if name != "users.load"]


async def test_a_write_returns_the_dto_and_its_tag(
    gazette: Gazette, module_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    async with TestApp(flat, module_database_url) as running:
        client = await running.user()
        body = {"title": "New", "author_id": str(gazette.members["author"])}
        await client.post("/api/stories", json=body)
        NAMES.clear()
        created = await client.post("/api/stories", json=body)
        assert (created.status, created.data) == (201, {"title": "New", "shouted": "NEW"})
        assert of_stories() == ["stories.create"]
        path = created.headers["location"]
        shown = await client.get(path)
        assert (shown.data, shown.headers["etag"]) == (created.data, created.headers["etag"])
        assert (await client.get(path, headers={"if-none-match": shown.headers["etag"]})).status == 304
        assert (await client.get(f"{path}?fields=title")).headers["etag"] == shown.headers["etag"]
        NAMES.clear()
        changed = await client.patch(path, json={"title": "Newer"}, headers={"if-match": shown.headers["etag"]})
        assert changed.data == {"title": "Newer", "shouted": "NEWER"}
        assert of_stories() == ["stories.update"]
        assert (await client.get(path, headers={"if-none-match": shown.headers["etag"]})).status == 200
    await sql.execute("DELETE FROM stories WHERE title LIKE 'New%'")


async def test_values_that_python_decodes_are_shown_in_lists(gazette: Gazette, module_database_url: str) -> None:
    async with TestApp(flat, module_database_url) as running:
        data = (await running.anonymous.get("/api/stories")).data
    by_title = {row["title"]: row["comments"] for row in data}
    assert by_title == {
        "Whole": [
            {"text": "w", "doubled": "PT21600S"},
            {"text": "x", "doubled": None},
            {"text": "y", "doubled": "PT14400S"},
        ],
        **{title: [] for title in ("Draft", "Part a", "Part b", "Part c")},
    }
    assert gazette.story


async def test_a_page_of_dtos_ends_before_its_bytes_are_too_many(
    gazette: Gazette, module_database_url: str, sql: "asyncpg.Connection[Any]"
) -> None:
    """The lists inside the rows count as well, as text and as arrays."""
    long = "é" * 90
    await sql.execute("UPDATE comments SET text = $1 WHERE text = 'w'", "w" + long)
    async with TestApp(flat, module_database_url, GATEPOST_PAGE_BYTES_MAX="300") as running:
        found: list[str] = []
        path = "/api/stories"
        while path:
            page = (await running.anonymous.get(path)).json()
            found += [row["title"] for row in page["data"]]
            after = page["page"]["next"]
            path = f"/api/stories?after={after}" if after else ""
    await sql.execute("UPDATE comments SET text = 'w' WHERE text LIKE 'w%'")
    assert sorted(found) == ["Draft", "Part a", "Part b", "Part c", "Whole"]


async def test_own_endpoints_show_rows_as_their_dto_or_as_that_of_the_resource(
    gazette: Gazette, module_database_url: str
) -> None:
    async with TestApp(flat, module_database_url) as running:
        path, client = f"/api/own/{gazette.story}", running.anonymous
        line = {"title": "Whole", "shouted": "WHOLE"}
        assert (await client.get(f"{path}/plain")).data == line
        assert (await client.get(f"{path}/twice")).data == [line, line]
        shown = (await client.get(path)).data
        assert (shown["comment_count"], shown["author"], shown["is_mine"]) == (4, None, False)
        page = (await client.get("/api/own/all?limit=2&fields=title,pages")).json()
        assert page["data"] == [{"title": "Draft", "pages": 7}, {"title": "Part a", "pages": None}]
        rest = (await client.get(f"/api/own/all?after={page['page']['next']}")).json()
        assert [row["title"] for row in rest["data"]] == ["Part b", "Part c", "Whole"]
        assert rest["data"][2]["comment_count"] == 4
