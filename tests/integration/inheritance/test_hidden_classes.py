"""Two databases that differ only in rows of a class that an actor may not see give the actor the same bytes."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from notes_app import Base, Note, PrivateNote, PublicNote, SecretNote, Serving, app_of
from sqlalchemy import MetaData
from tests.databases import Databases

from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPEN = dict.fromkeys(("list", "get", "create", "update", "delete"), "anyone")
CLOSED = dict.fromkeys(OPEN, "boss")
LOUD = {**OPEN, "list": "loud", "get": "loud"}

APPS: dict[str, dict[type[Note], Serving]] = {
    "a base and a closed subclass": {Note: Serving(OPEN), PrivateNote: Serving(CLOSED)},
    "the same through services": {
        Note: Serving(OPEN, has_service=True),
        PrivateNote: Serving(CLOSED, has_service=True),
    },
    "two subclasses": {PublicNote: Serving(OPEN), PrivateNote: Serving(CLOSED)},
    "one subclass": {PublicNote: Serving(OPEN, has_service=True)},
    "a rule of the row": {Note: Serving(OPEN, rank="mine"), PrivateNote: Serving(LOUD), SecretNote: Serving(CLOSED)},
}
HIDDEN = (101, 102)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the notes, and those of users."""
    app_of(APPS["a base and a closed subclass"])
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def urls(module_database_url: str, databases: Databases) -> AsyncIterator[tuple[str, str]]:
    """Two databases."""
    with databases.opened(Base.metadata) as twin:
        yield module_database_url, twin


async def fill(url: str, *, with_hidden: bool) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("TRUNCATE notes, comments")
    for key in range(1, 8):
        kind = "public" if key % 2 else "note"
        await connection.execute("INSERT INTO notes (id, kind, text, rank) VALUES ($1, $2, 'x', 1)", key, kind)
    # Hidden ones at the beginning, in the middle and at the end of every order.
    for key, text in zip((-5, *HIDDEN, 200), ("a", "x", "x", "z"), strict=True) if with_hidden else ():
        kind = "secret" if key in HIDDEN else "private"
        await connection.execute("INSERT INTO notes (id, kind, text, rank) VALUES ($1, $2, $3, 1)", key, kind, text)
        await connection.execute("INSERT INTO comments (id, note_id, private_id) VALUES ($1, $1, $1)", key)
        await connection.execute("UPDATE comments SET note_id = NULL, private_id = NULL")
    if not with_hidden:
        for key in (-5, *HIDDEN, 200):
            await connection.execute("INSERT INTO comments (id) VALUES ($1)", key)
    await connection.close()


async def ask(client: Client, served: dict[type[Note], Serving]) -> dict[str, Any]:
    """What a stranger can ask, and the responses."""
    found: dict[str, Any] = {}

    async def note(name: str, sending: Awaitable[ClientResponse]) -> ClientResponse:
        response = await sending
        body = {key: value for key, value in response.json().items() if key != "request_id"} if response.body else None
        found[name] = response.status, response.headers.get("etag"), body
        return response

    for model in served:
        path = f"/api/{model.__name__.lower()}"
        for query in ("", "?limit=2", "?sort=-text&limit=3", "?text=x", "?text[gte]=a&sort=text", "?limit=1&sort=-id"):
            cursor: Any = ""
            while cursor is not None:
                separator = "&" if query else "?"
                asked = f"{path}{query}{f'{separator}after={cursor}' if cursor else ''}"
                response = await note(f"list {asked.partition('after=')[0]} {len(found)}", client.get(asked))
                cursor = response.json()["page"]["next"] if response.status == 200 else None
        for key in (*HIDDEN, -5, 200, 999):
            await note(f"get {path} {key}", client.get(f"{path}/{key}"))
            await note(f"patch {path} {key}", client.patch(f"{path}/{key}", json={"topic": "t"}))
            await note(
                f"match {path} {key}", client.patch(f"{path}/{key}", json={"topic": "t"}, headers={"if-match": '"1"'})
            )
            await note(f"delete {path} {key}", client.delete(f"{path}/{key}"))
    for name in ("note", "private"):
        for query in (f"?expand={name}", f"?{name}.text=x", f"?{name}.text[gte]=a"):
            await note(f"comments {query}", client.get(f"/api/comments{query}"))
    # Rows of a class without a resource can be referred to, as those of a table without one.
    for name in ("note_id", "private_id", "plain_id") if {Note, PrivateNote} & served.keys() else ():
        for key in (*HIDDEN, 999):
            await note(f"refer {name} {key}", client.patch(f"/api/comments/{HIDDEN[0]}", json={name: key}))
    return found


@pytest.mark.parametrize("name", APPS)
async def test_rows_of_a_hidden_class_change_no_byte(urls: tuple[str, str], name: str) -> None:
    responses: list[dict[str, Any]] = []
    for url, with_hidden in zip(urls, (False, True), strict=True):
        await fill(url, with_hidden=with_hidden)
        async with TestApp(app_of(APPS[name]), url) as running:
            responses.append(await ask(running.anonymous, APPS[name]))
    without, with_hidden = responses
    assert without == with_hidden
    assert any(response[0] == 200 for response in without.values())
