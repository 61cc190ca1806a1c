"""What each of four identities reads, filters, expands, writes and refers to, where policies say `readable()`."""

from collections.abc import AsyncIterator
from itertools import permutations
from typing import Any
from urllib.parse import quote

import asyncpg
import pytest
import pytest_asyncio
from readable_app import FOUR, Base, Rows, app, filled
from sqlalchemy import MetaData

from gatepost.events import RequestFailed
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

failures: list[str] = []
app.events.subscribe(RequestFailed, lambda event: failures.append(str(event.error)))


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sql(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another program on the database of the module."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows(module_database_url: str, sql: "asyncpg.Connection[Any]") -> AsyncIterator[Rows]:
    """The app with its rows. Tests take back what they write."""
    async with TestApp(app, module_database_url) as running:
        yield await filled(running, sql)


async def titles(rows: Rows, by: str, path: str, key: str = "title") -> list[str]:
    response = await rows.clients[by].get(path)
    assert response.status == 200
    return [row[key] for row in response.data]


@pytest.mark.parametrize("order", [*permutations(FOUR)][::5], ids=" ".join)
async def test_a_list_has_the_rows_that_each_identity_reads_whoever_asked_before(
    rows: Rows, order: tuple[str, ...]
) -> None:
    for by in order:
        assert await titles(rows, by, "/api/threads?sort=title") == sorted(rows.threads_of(by))
        assert await titles(rows, by, "/api/posts?sort=text", "text") == sorted(rows.posts_of(by))


@pytest.mark.parametrize("by", FOUR)
async def test_one_row_is_there_or_as_if_it_were_not(rows: Rows, by: str) -> None:
    client = rows.clients[by]
    for title, key in rows.threads.items():
        response = await client.get(f"/api/threads/{key}")
        assert response.status == (200 if rows.reads_thread(by, title) else 404)
        if response.status == 200:
            assert ("note" in response.data) is ("note" in rows.card(by, title))
    for text, key in rows.posts.items():
        assert (await client.get(f"/api/posts/{key}")).status == (200 if rows.reads_post(by, text) else 404)


@pytest.mark.parametrize("by", FOUR)
async def test_filters_and_expansions_that_lead_there_show_no_more(rows: Rows, by: str) -> None:
    client = rows.clients[by]
    for title in rows.threads:
        found = await titles(rows, by, f"/api/posts?thread.title={quote(title)}&sort=text", "text")
        assert found == [text for text in rows.posts if text.startswith(title) and rows.reads_thread(by, title)]
    expanded = (await client.get("/api/threads?expand=club&sort=title")).data
    assert {row["title"]: row["club"]["name"] for row in expanded} == {
        title: title.split("-")[0] for title in rows.threads_of(by)
    }


@pytest.mark.parametrize("by", FOUR)
async def test_dtos_show_rows_and_computed_members_to_each_identity(rows: Rows, by: str) -> None:
    found = {row["text"]: row for row in (await rows.clients[by].get("/api/posts?limit=100")).data}
    assert found == {
        text: {
            "text": text,
            "thread": rows.card(by, text[:-2]) if rows.reads_thread(by, text) else None,
            "is_thread_readable": rows.reads_thread(by, text),
        }
        for text in rows.posts_of(by)
    }


@pytest.mark.parametrize("by", FOUR)
async def test_a_select_of_an_endpoint_asks_for_the_actor_of_the_call(rows: Rows, by: str) -> None:
    visible = sorted(rows.threads_of(by))
    for _ in range(2):  # compiled, and again from what is kept
        busy = (await rows.clients[by].get("/api/threads/busy?limit=100")).data
        assert {row["title"]: row for row in busy} == {
            title: rows.card(by, title)
            for title in visible
            if any(rows.reads_post(by, text) for text in rows.posts if text.startswith(title))
        }
        assert await titles(rows, by, "/api/threads/first") == visible[:2]
        replied = [title for title in visible if (reply := rows.reply_to(title)) and rows.reads_thread(by, reply)]
        without = await titles(rows, by, "/api/threads/without-replies?limit=100")
        assert sorted(without) == [title for title in visible if title not in replied]
        later = await titles(rows, by, "/api/threads/without-replies?title=led")
        assert sorted(later) == [title for title in visible if title not in replied and title > "led"]


@pytest.mark.parametrize("by", FOUR)
async def test_so_do_selects_of_columns_and_statements_of_services(rows: Rows, by: str) -> None:
    of_threads = sorted(text for text in rows.posts if rows.reads_thread(by, text))
    assert (await rows.clients[by].get("/api/threads/texts")).data == of_threads
    assert (await rows.clients[by].get("/api/threads/texts-of-actor")).data == of_threads


async def test_a_statement_of_a_session_that_says_no_actor_is_an_error_that_says_so(rows: Rows) -> None:
    failures.clear()
    assert (await rows.clients["warden"].get("/api/threads/of-nobody")).status == 500
    assert "readable(Post) is in a statement of a session, which knows no actor. Begin the statement" in failures[0]


async def test_a_select_that_asks_about_a_model_without_a_resource_is_one_too(rows: Rows) -> None:
    failures.clear()
    assert (await rows.clients["warden"].get("/api/threads/unserved")).status == 500
    words = "ThreadRoutes.unserved: The Select asks whether Unserved is readable, which has no resource. Declare"
    assert words in failures[0]


@pytest.mark.parametrize("by", FOUR)
async def test_a_row_of_a_path_is_found_by_those_who_read_it(rows: Rows, by: str) -> None:
    client = rows.clients[by]
    for title in rows.threads:
        response = await client.get(f"/api/threads/{title}/posts")
        touched = await client.post(f"/api/threads/{title}/touch")
        if not rows.reads_thread(by, title):
            assert (response.status, touched.status) == (404, 404)
            continue
        assert sorted(row["text"] for row in response.data) == [text for text in rows.posts if text.startswith(title)]
        assert touched.data == rows.card(by, title)


@pytest.mark.parametrize("by", FOUR)
async def test_creating_goes_by_the_row_that_would_be_made(rows: Rows, by: str, sql: "asyncpg.Connection[Any]") -> None:
    client = rows.clients[by]
    for name, key in rows.clubs.items():
        response = await client.post("/api/threads", json={"title": f"new-{by}-{name}", "club_id": str(key)})
        if by == "anonymous":
            assert response.status == 401
        elif not rows.reads_club(by, name):
            assert response.status == 422
            assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [
                ("/club_id", "not_found")
            ]
        else:
            assert response.status == (403 if name == "open" else 201)
        taken = await client.post("/api/threads", json={"title": "open-1", "club_id": str(rows.clubs["open"])})
        assert taken.status == (401 if by == "anonymous" else 403), "and nobody learns that the title is taken"
    await sql.execute("DELETE FROM threads WHERE title LIKE 'new-%'")


@pytest.mark.parametrize("by", FOUR)
async def test_changing_and_deleting_go_by_the_row_that_is_there_and_what_becomes_of_it(
    rows: Rows, by: str, sql: "asyncpg.Connection[Any]"
) -> None:
    client = rows.clients[by]
    for title, key in rows.threads.items():
        name = title.split("-")[0]
        may_change = by == "warden" or (by == "leader" and name == "led")
        expected = 404 if not rows.reads_thread(by, title) else 200 if may_change else 401 if by == "anonymous" else 403
        assert (await client.patch(f"/api/threads/{key}", json={"title": title})).status == expected
        note = await client.patch(f"/api/threads/{key}", json={"note": "a note"})
        assert note.status == (expected if expected in (200, 404) else 422 if by != "anonymous" else note.status)
        moved = await client.patch(f"/api/threads/{key}", json={"club_id": str(rows.clubs["open"])})
        assert moved.status == (expected if by == "warden" or expected != 200 else 403)
        await sql.execute("UPDATE threads SET club_id = $2 WHERE id = $1", key, rows.clubs[name])
        if by != "warden":
            assert (await client.delete(f"/api/threads/{key}")).status == (401 if by == "anonymous" else 403)


async def test_deleting_goes_by_what_refers_to_the_row(rows: Rows, sql: "asyncpg.Connection[Any]") -> None:
    warden = rows.clients["warden"]
    for name, club in rows.clubs.items():
        insert = "INSERT INTO threads (title, note, club_id) VALUES ('going', '', $1) RETURNING id"
        key = await sql.fetchval(insert, club)
        await sql.execute("INSERT INTO posts (text, thread_id) VALUES ('its post', $1)", key)
        assert (await warden.delete(f"/api/threads/{key}")).status == (404 if name == "gone" else 403)
        await sql.execute("DELETE FROM posts WHERE thread_id = $1", key)
        assert (await warden.delete(f"/api/threads/{key}")).status == (404 if name == "gone" else 204)
    await sql.execute("DELETE FROM threads WHERE title = 'going'")


@pytest.mark.parametrize("by", FOUR)
async def test_services_that_override_verbs_ask_the_same(rows: Rows, by: str, sql: "asyncpg.Connection[Any]") -> None:
    client = rows.clients[by]
    for title, key in rows.threads.items():
        is_readable = rows.reads_thread(by, title)
        made = await client.post("/api/posts", json={"text": f"new-{title}", "thread_id": str(key)})
        assert made.status == (201 if is_readable else 422)
    for text, key in rows.posts.items():
        status = 200 if rows.reads_thread(by, text) else 403 if rows.reads_post(by, text) else 404
        assert (await client.patch(f"/api/posts/{key}", json={"text": text})).status == status
        hidden = next((each for title, each in rows.threads.items() if not rows.reads_thread(by, title)), None)
        moved = await client.patch(f"/api/posts/{key}", json={"thread_id": str(hidden)})
        assert moved.status == (422 if status == 200 else status)
        if status != 200:
            assert (await client.delete(f"/api/posts/{key}")).status == status
    await sql.execute("DELETE FROM posts WHERE text LIKE 'new-%'")


async def test_a_policy_asks_about_rows_that_the_same_transaction_has_made(
    rows: Rows, sql: "asyncpg.Connection[Any]"
) -> None:
    statuses = {
        (by, name): (await rows.clients[by].post(f"/api/threads/with-post?club_id={rows.clubs[name]}")).status
        for by, name in (("leader", "led"), ("leader", "closed"), ("auditor", "led"), ("leader", "open"))
    }
    assert statuses == {
        ("leader", "led"): 201,
        ("leader", "closed"): 403,
        ("auditor", "led"): 403,
        ("leader", "open"): 403,
    }
    await sql.execute("DELETE FROM posts WHERE text = 'with it'")
    await sql.execute("DELETE FROM threads WHERE title = 'with a post'")


async def test_a_change_of_what_is_asked_about_shows_at_once(rows: Rows, sql: "asyncpg.Connection[Any]") -> None:
    anonymous = rows.clients["anonymous"]
    path = f"/api/threads/{rows.threads['led-1']}"
    assert (await anonymous.get(path)).status == 404
    await sql.execute("UPDATE clubs SET is_open = true WHERE name = 'led'")
    shown = await anonymous.get(path)
    assert shown.status == 200
    assert (await anonymous.get(path, headers={"if-none-match": shown.headers["etag"]})).status == 304
    warden = await rows.clients["warden"].get(path, headers={"if-none-match": shown.headers["etag"]})
    assert warden.status == 200, "who sees the note as well"
    await sql.execute("UPDATE clubs SET is_open = false WHERE name = 'led'")
    assert (await anonymous.get(path, headers={"if-none-match": shown.headers["etag"]})).status == 404
