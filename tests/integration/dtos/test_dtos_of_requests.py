"""DTOs of derived endpoints: what queries may ask of them, entity tags, writes, and how many statements they take."""

from typing import Any

import asyncpg
import pytest
from gazette_rows import FOUR, STATEMENTS, Gazette

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("by", FOUR)
async def test_fields_choose_among_the_members_that_the_identity_sees(gazette: Gazette, by: str) -> None:
    client = gazette.clients[by]
    response = await client.get(f"/api/stories/{gazette.story}?fields=title,by_same_author")
    assert response.data == {"title": "Whole", "by_same_author": 5}
    for name in ("id", "secret", "unknown", *([] if by == "editor" else ["cost", "margin", "audit"])):
        for path in (f"/api/stories/{gazette.story}?fields={name}", f"/api/stories?fields={name}"):
            refused = await client.get(path)
            assert refused.status == 400
            assert f"There is no field '{name}'; allowed: title, " in refused.json()["detail"]
            assert ("cost" in refused.json()["detail"].partition("allowed")[2]) == (by == "editor")


async def test_a_list_caches_no_members_of_another_identity(gazette: Gazette) -> None:
    path = "/api/stories?fields=title,audit&sort=-title&limit=1"
    assert (await gazette.clients["editor"].get(path)).data == [{"title": "Whole", "audit": "audited Whole"}]
    assert (await gazette.clients["stranger"].get(path)).status == 400
    path = "/api/stories?fields=is_mine&sort=-title&limit=1"
    for by, shown in (("author", True), ("editor", False), ("anonymous", False)):
        assert (await gazette.clients[by].get(path)).data == [{"is_mine": shown}]


async def test_nothing_expands_beside_a_dto(gazette: Gazette) -> None:
    for path in (f"/api/stories/{gazette.story}?expand=author", "/api/stories?expand=author"):
        response = await gazette.clients["editor"].get(path)
        assert (response.status, response.json()["code"]) == (400, "unknown_parameter")


async def test_filters_and_sorting_stay_those_of_the_resource(gazette: Gazette) -> None:
    response = await gazette.clients["author"].get("/api/stories?title=Draft&fields=title,pages")
    assert response.data == [{"title": "Draft", "pages": 7}]
    assert (await gazette.clients["author"].get("/api/stories?margin=10")).status == 400


async def test_pages_lead_through_all_rows_both_ways(gazette: Gazette) -> None:
    client, path = gazette.clients["author"], "/api/stories?sort=title&limit=2"
    found: list[str] = []
    page: Any = (await client.get(path)).json()
    while True:
        found += [row["title"] for row in page["data"]]
        if page["page"]["next"] is None:
            break
        page = (await client.get(f"{path}&after={page['page']['next']}")).json()
    assert found == ["Draft", "Part a", "Part b", "Part c", "Whole"]
    before = (await client.get(f"{path}&before={page['page']['prev']}")).json()
    assert [row["title"] for row in before["data"]] == ["Part b", "Part c"]


async def test_a_page_is_one_statement(gazette: Gazette) -> None:
    for path in ("/api/stories", "/api/comments", f"/api/stories/{gazette.story}"):
        await gazette.clients["editor"].get(path)
        STATEMENTS.clear()
        assert (await gazette.clients["editor"].get(path)).status == 200
        assert len([name for name in STATEMENTS if name != "users.load"]) == 1, STATEMENTS


async def test_created_and_changed_rows_are_shown_as_the_dto(gazette: Gazette, sql: "asyncpg.Connection[Any]") -> None:
    client = gazette.clients["author"]
    created = await client.post("/api/stories", json={"title": "New", "note": "mine", "parent_id": str(gazette.story)})
    assert created.status == 201
    key = created.headers["location"].rpartition("/")[2]
    try:
        assert created.data == (await client.get(f"/api/stories/{key}")).data
        assert created.data["parent"] == {"title": "Whole", "note": "a note", "comment_count": 4, "part_count": 5}
        assert created.data["by_same_author"] == 6
        changed = await client.patch(f"/api/stories/{key}", json={"title": "Newer"})
        assert (changed.status, changed.data["title"]) == (200, "Newer")
        assert changed.data == (await client.get(f"/api/stories/{key}")).data
        again = await client.patch(f"/api/stories/{key}", json={"title": "Newer"})
        assert again.data == changed.data
    finally:
        await sql.execute("DELETE FROM stories WHERE id = $1::text::uuid", key)
