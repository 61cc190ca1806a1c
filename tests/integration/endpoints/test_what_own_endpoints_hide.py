"""Own endpoints tell no more than derived ones: of rows that a body refers to, and of columns that a list is ordered
by."""

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from hidden_app import File, Filed, Folder, archive
from sqlalchemy import MetaData

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the archive."""
    return Filed.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The archive, served."""
    async with TestApp(archive, module_database_url) as started:
        yield started


async def stored(row: Any) -> str:
    """The key of a row, which is stored."""
    async with archive.transaction() as tx:
        tx.session.add(row)
        await tx.session.flush()
        return str(row.id)


async def folder(*, is_open: bool) -> str:
    """The key of a new folder."""
    return await stored(Folder(name=secrets.token_hex(6), is_open=is_open))


async def file(**values: Any) -> str:
    """The key of a new file."""
    return await stored(File(name=secrets.token_hex(6), secret=secrets.token_hex(6), **values))


@pytest.mark.parametrize("path", ["made", "ensured"])
async def test_a_body_refers_only_to_rows_that_the_actor_may_read(running: TestApp, path: str) -> None:
    stranger, editor = await running.user(), await running.user("editor")
    shown, closed, missing = await folder(is_open=True), await folder(is_open=False), str(uuid4())

    async def sent(client: Any, key: str) -> Any:
        return await client.post(f"/api/files/{path}", json={"name": secrets.token_hex(6), "folder_id": key})

    assert (await sent(stranger, shown)).status in (200, 201)
    assert (await sent(editor, closed)).status in (200, 201)
    refusals = [(await sent(stranger, key)) for key in (closed, missing)]
    assert [(each.status, each.json()["code"], each.json()["errors"][0]["pointer"]) for each in refusals] == [
        (422, "reference_not_found", "/folder_id")
    ] * 2
    assert refusals[0].json()["errors"] == refusals[1].json()["errors"]


async def test_references_of_the_code_itself_are_not_looked_up(running: TestApp) -> None:
    stranger, closed = await running.user(), await folder(is_open=False)

    response = await stranger.post(f"/api/files/filed/{closed}", json={"name": secrets.token_hex(6)})

    assert (response.status, response.data["folder_id"]) == (200, closed)


async def test_a_change_refers_only_to_rows_that_the_actor_may_read(running: TestApp) -> None:
    stranger, closed = await running.user(), await folder(is_open=False)
    key = await file()

    refused = await stranger.patch(f"/api/files/{key}/moved", json={"folder_id": closed})
    moved = await stranger.patch(f"/api/files/{key}/moved", json={"folder_id": await folder(is_open=True)})

    assert (refused.status, refused.json()["code"]) == (422, "reference_not_found")
    assert moved.status == 200


async def test_a_shown_reference_may_be_sent_back_and_a_hidden_one_not_be_guessed(running: TestApp) -> None:
    stranger, closed = await running.user(), await folder(is_open=False)
    key = await file(folder_id=closed, unseen_id=closed)

    sent_back = await stranger.patch(f"/api/files/{key}/moved", json={"folder_id": closed})
    guessed = await stranger.patch(f"/api/files/{key}/moved", json={"unseen_id": closed})

    assert sent_back.status == 200
    assert (guessed.status, guessed.json()["errors"][0]["pointer"]) == (422, "/unseen_id")


@pytest.mark.parametrize("path", ["by-secret", "by-salary"])
async def test_a_cursor_does_not_tell_what_its_list_is_ordered_by(running: TestApp, path: str) -> None:
    keys = [await file(salary=10_000_000 + number) for number in range(3)]
    async with archive.transaction() as tx:
        values = [await tx.session.get_one(File, key) for key in keys]
    seen, after = 0, ""

    while after is not None:
        response = await running.anonymous.get(f"/api/files/{path}?limit=1" + (after and f"&after={after}"))
        page, seen = response.json()["page"], seen + len(response.data)
        for cursor in filter(None, (page["next"], page["prev"])):
            position = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            assert not any(each.secret.encode() in position or str(each.salary).encode() in position for each in values)
        after = page["next"]

    assert seen >= len(keys)


async def test_a_location_of_the_code_itself_does_not_split_the_response(running: TestApp) -> None:
    where = {"where": "/a\r\nSet-Cookie: b=c é", "name": secrets.token_hex(6)}

    response = await running.anonymous.post("/api/files/placed", params=where)

    assert (response.status, response.headers["location"]) == (201, "/a%0D%0ASet-Cookie:%20b=c%20%C3%A9")


@pytest.mark.parametrize("path", ["skipped", "fetched", "locked"])
async def test_a_select_of_which_a_page_would_forget_a_part_is_refused(running: TestApp, path: str) -> None:
    assert (await running.anonymous.get(f"/api/files/{path}")).status == 500
