"""Entity tags name a version and what the actor is shown of the row: who is shown something else has another one."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from entity_tags_app import Item, ServicedItem, app
from sqlalchemy import MetaData, update

from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATHS = ("items", "serviced_items")
MODELS = {"items": Item, "serviced_items": ServicedItem}


@dataclass
class TaggedApp:
    """A running app with clients of every identity that is shown other fields."""

    running: TestApp
    clients: dict[str, Client]
    owner_id: UUID

    async def item(self, path: str, **values: Any) -> ClientResponse:
        """A new item of the owner's, as the owner is shown it."""
        made = await self.clients["owner"].post(f"/api/{path}", json={"owner_id": str(self.owner_id), **values})
        assert made.status == 201, made.body
        return made


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the tagged items."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tagged(module_database_url: str) -> AsyncIterator[TaggedApp]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as running:
        owner, owner_id = await running.user_and_id()
        clients = {
            "anonymous": running.anonymous,
            "stranger": await running.user(),
            "buyer": await running.user("buyer"),
            "owner": owner,
        }
        yield TaggedApp(running, clients, owner_id)


def conditional(tag: str) -> dict[str, str]:
    """The header of a client that knows the response with this tag."""
    return {"if-none-match": tag}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("is_graded", [False, True])
async def test_a_tag_is_the_same_where_the_same_fields_are_shown(tagged: TaggedApp, path: str, is_graded: bool) -> None:
    where = (await tagged.item(path, is_graded=is_graded)).headers["location"]
    shown = {name: await client.get(where) for name, client in tagged.clients.items()}
    tags = {name: response.headers["etag"] for name, response in shown.items()}
    fields = {name: tuple(response.data) for name, response in shown.items()}
    assert len(set(fields.values())) == 3, "anonymous and stranger see the same"
    for one, tag in tags.items():
        for other, client in tagged.clients.items():
            assert (tag == tags[other]) is (fields[one] == fields[other]), (one, other)
            again = await client.get(where, headers=conditional(tag))
            assert again.status == (304 if fields[one] == fields[other] else 200), (one, other)


@pytest.mark.parametrize("path", PATHS)
async def test_a_tag_is_a_version_and_a_digest_wherever_it_is_sent(tagged: TaggedApp, path: str) -> None:
    made = await tagged.item(path)
    where, client = made.headers["location"], tagged.clients["owner"]
    assert re.fullmatch(r'"1\.[0-9a-f]{8}"', made.headers["etag"])
    read = await client.get(where)
    changed = await client.patch(where, json={"name": "desk"})
    unchanged = await client.patch(where, json={"name": "desk"})
    assert (read.headers["etag"], changed.headers["etag"]) == (
        made.headers["etag"],
        made.headers["etag"].replace('"1.', '"2.'),
    )
    assert unchanged.headers["etag"] == changed.headers["etag"]


@pytest.mark.parametrize("path", PATHS)
async def test_a_change_of_role_ends_a_304(tagged: TaggedApp, path: str) -> None:
    where = (await tagged.item(path)).headers["location"]
    client, key = await tagged.running.user_and_id()
    before = await client.get(where)
    assert (await client.get(where, headers=conditional(before.headers["etag"]))).status == 304
    await set_roles(key, ["buyer"])
    after = await changed(client, where, before.headers["etag"])
    assert (after.status, set(after.data) - set(before.data)) == (200, {"cost"})
    await set_roles(key, [])
    ended = await changed(client, where, after.headers["etag"])
    assert "cost" not in ended.data
    assert ended.headers["etag"] == before.headers["etag"]


async def changed(client: Client, where: str, tag: str) -> ClientResponse:
    """The first response that is not a 304: a change of role is known everywhere within 100 ms."""
    async with asyncio.timeout(20):
        while True:
            response = await client.get(where, headers=conditional(tag))
            if response.status != 304:
                return response
            await asyncio.sleep(0.01)


async def set_roles(key: UUID, roles: list[str]) -> None:
    """What an administrator does."""
    async with app.transaction() as tx:
        await tx.session.execute(update(app.user_model).where(app.user_model.id == key).values(roles=roles))


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_row_shows_now_ends_a_304_without_a_new_version(tagged: TaggedApp, path: str) -> None:
    """Where the rule of a field says something else than before, whatever the version says."""
    where = (await tagged.item(path)).headers["location"]
    stranger, owner, model = tagged.clients["stranger"], tagged.clients["owner"], MODELS[path]
    before = {client: (await client.get(where)).headers["etag"] for client in (stranger, owner)}
    key = where.rpartition("/")[2]
    async with app.transaction() as tx:
        await tx.session.execute(update(model).where(model.id == key).values(owner_id=None))
    after = {client: await client.get(where, headers=conditional(tag)) for client, tag in before.items()}
    assert [response.status for response in after.values()] == [200, 200]
    assert after[owner].headers["etag"] == after[stranger].headers["etag"]
    assert after[owner].headers["etag"].partition(".")[2] == before[stranger].partition(".")[2]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fields", ["id", "name", "note", "id,price,grade"])
async def test_fields_do_not_change_a_tag(tagged: TaggedApp, path: str, fields: str) -> None:
    where = (await tagged.item(path)).headers["location"]
    for client in (tagged.clients[name] for name in ("stranger", "buyer", "owner")):
        tag = (await client.get(where)).headers["etag"]
        part = await client.get(f"{where}?fields={fields}")
        assert part.status == 200, part.body
        assert part.headers["etag"] == tag
        assert (await client.get(f"{where}?fields={fields}", headers=conditional(tag))).status == 304


@pytest.mark.parametrize("path", PATHS)
async def test_if_match_is_about_the_version_alone(tagged: TaggedApp, path: str) -> None:
    where = (await tagged.item(path)).headers["location"]
    tags = {name: (await client.get(where)).headers["etag"] for name, client in tagged.clients.items()}
    client = tagged.clients["buyer"]
    version = 1
    for tag in (*tags.values(), '"1"', '"1.0"', '"1."', '"0", "1.ffffffff"'):
        admitted = tag.replace('"1', f'"{version}')
        changed = await client.patch(where, json={"name": f"desk {version}"}, headers={"if-match": admitted})
        assert changed.status == 200, (tag, changed.body)
        version += 1
    digest = tags["buyer"].partition(".")[2]
    for stale in (tags["buyer"], '"1"', f'W/"{version}"', f'W/"{version}.{digest}', f'".{version}"', f'".{digest}'):
        changed = await client.patch(where, json={"name": "x"}, headers={"if-match": stale})
        assert (changed.status, changed.json()["code"]) == (412, "version_mismatch"), stale
    assert (await client.delete(where, headers={"if-match": f'"{version}.{digest}'})).status == 204


@pytest.mark.parametrize("path", PATHS)
async def test_a_version_alone_is_no_304(tagged: TaggedApp, path: str) -> None:
    where = (await tagged.item(path)).headers["location"]
    client = tagged.clients["anonymous"]
    tag = (await client.get(where)).headers["etag"]
    for unknown in ('"1"', 'W/"1"', '"1.00000000"', tag.replace('"1.', '"2.')):
        assert (await client.get(where, headers=conditional(unknown))).status == 200, unknown
    for known in (tag, f"W/{tag}", "*", f'"1", {tag}'):
        assert (await client.get(where, headers=conditional(known))).status == 304, known


async def test_a_row_with_expansions_has_no_tag(tagged: TaggedApp) -> None:
    item = await tagged.item("items")
    made = await tagged.clients["owner"].post("/api/labels", json={"item_id": item.data["id"]})
    for query in ("?expand=item", "?expand=item&fields=id"):
        shown = await tagged.clients["owner"].get(made.headers["location"] + query, headers=conditional("*"))
        assert (shown.status, "etag" in shown.headers) == (200, False)
        assert set(shown.data["item"]) > {"note", "price"}
