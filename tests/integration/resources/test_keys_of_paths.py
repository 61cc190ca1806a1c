"""`Resource(key=)`: paths name rows by another unique column than the primary key."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from press_app import SERVICES, Essay, Printed, Remark, app, app_of, essays
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData

from gatepost import App, Field, Resource, anyone, authenticated, hidden, nobody
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Press(NamedTuple):
    """The clients, the app, and what begins the slugs of this run."""

    people: People
    app: App
    name: str

    async def essay(self, slug: str) -> dict[str, Any]:
        """A new essay of the keeper's."""
        created = await self.people["keeper"].post("/api/essays", json={"slug": f"{self.name}-{slug}"})
        assert created.status == 201, created.body
        return {**created.data, "path": created.headers["location"]}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the press."""
    assert app
    return Printed.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=list(SERVICES))
async def press(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[Press]:
    """The press, served by statements and through a service."""
    served = app_of(SERVICES[request.param])
    async with TestApp(served, module_database_url) as running:
        yield Press(await people_of(running), served, request.param)


@pytest.mark.parametrize("slug", ["plain", "two words", "ö,100% (a+b)"])
async def test_a_location_has_the_column(press: Press, slug: str) -> None:
    essay = await press.essay(slug)
    assert essay["path"].rpartition("/")[0] == "/api/essays"
    for identity in FOUR:
        got = await press.people[identity].get(essay["path"])
        assert (got.status, got.data["id"]) == (200, essay["id"])
        assert (await press.people[identity].get(f"/api/essays/{essay['id']}")).status == 404


@pytest.mark.parametrize(
    ("identity", "changed", "deleted"),
    [("anonymous", 401, 401), ("stranger", 403, 403), ("keeper", 200, 204), ("editor", 200, 204)],
)
async def test_changes_and_deletions_are_by_the_column(press: Press, identity: str, changed: int, deleted: int) -> None:
    essay, client = await press.essay(f"of {identity}"), press.people[identity]
    wrong = (await client.patch(essay["path"], json={"title": "x"}, headers={"If-Match": '"0"'})).status
    assert wrong == (412 if changed == 200 else changed)
    response = await client.patch(essay["path"], json={"title": "new"})
    assert response.status == changed
    assert "content-location" not in response.headers
    assert (await client.patch(essay["path"], json={"title": "new"})).status == changed, "an unchanged row"
    assert (await client.delete(essay["path"])).status == deleted
    assert (await client.get(essay["path"])).status == (404 if deleted == 204 else 200)
    assert (await client.patch(essay["path"] + "x", json={"title": "x"})).status == (401 if changed == 401 else 404)


async def test_a_change_of_the_column_moves_the_row(press: Press) -> None:
    essay, keeper = await press.essay("old"), press.people["keeper"]
    moved = await keeper.patch(essay["path"], json={"slug": f"{press.name}-new", "title": "moved"})
    assert (moved.status, moved.data["title"]) == (200, "moved")
    assert moved.headers["content-location"] == f"/api/essays/{press.name}-new"
    assert (await keeper.get(essay["path"])).status == 404
    assert (await keeper.get(moved.headers["content-location"])).data["id"] == essay["id"]
    taken = await press.essay("taken")
    assert (await keeper.patch(moved.headers["content-location"], json={"slug": taken["slug"]})).status == 409


async def test_a_row_that_leaves_the_condition_is_without_content(press: Press) -> None:
    essay, keeper = await press.essay("leaving"), press.people["keeper"]
    assert (await keeper.patch(essay["path"], json={"is_public": False})).status == 204
    assert (await keeper.get(essay["path"])).status == 404


@pytest.mark.parametrize("slug", ["", ".", "..", "a/b", "a\\b", "a\nb"])
async def test_a_text_without_a_path_is_refused(press: Press, slug: str) -> None:
    keeper = press.people["keeper"]
    assert (await keeper.post("/api/essays", json={"slug": slug})).status == 422
    essay = await press.essay(f"for {slug.encode().hex()}")
    assert (await keeper.patch(essay["path"], json={"slug": slug})).status == 422


async def test_references_expansions_and_cursors_have_the_primary_key(press: Press) -> None:
    essay, keeper = await press.essay("referred to"), press.people["keeper"]
    assert (await keeper.post("/api/remarks", json={"text": "x", "essay_id": essay["slug"]})).status == 422
    created = await keeper.post("/api/remarks", json={"text": "x", "essay_id": essay["id"]})
    assert created.status == 201
    expanded = await keeper.get(created.headers["location"] + "?expand=essay")
    assert expanded.data["essay"]["slug"] == essay["slug"]
    listed = await keeper.get(f"/api/remarks?essay.slug={essay['slug'].replace(' ', '+')}")
    assert [row["id"] for row in listed.json()["data"]] == [created.data["id"]]
    found, path = [], "/api/essays?sort=id&limit=2"
    while path:
        page = await keeper.get(path)
        found += [row["id"] for row in page.json()["data"]]
        cursor = page.json()["page"]["next"]
        path = f"/api/essays?sort=id&limit=2&after={cursor}" if cursor else ""
    assert found == sorted(found)
    assert essay["id"] in found


async def test_services_have_the_primary_key(press: Press) -> None:
    essay = await press.essay("of a service")
    async with press.app.transaction() as tx:
        assert (await tx.service(Essay).get(essay["id"], tx.actor)).slug == essay["slug"]


async def test_operations_show_the_column() -> None:
    composition = app.composed(load_settings({"GATEPOST_DATABASE_URL": "postgresql://localhost/none"}))
    paths = {operation.path for operation in composition.operations if operation.resource in ("essays", "remarks")}
    assert paths == {"/api/essays", "/api/essays/{slug}", "/api/remarks", "/api/remarks/{id}"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": "slog"}, "Essay has no column 'slog'. Did you mean 'slug'?"),
        ({"key": Remark.text}, "names Remark.text, of another model"),
        ({"key": 7}, "names 7"),
        ({"key": "title"}, "'title' is not unique"),
        ({"key": Essay.number}, "'number' may be NULL"),
        ({"fields": {"slug": hidden}}, "'slug' is hidden from anonymous clients who may get rows"),
        ({"fields": {"slug": Field(read=authenticated, write=anyone)}}, "'slug' is hidden from anonymous clients"),
        ({"fields": {"slug": Field(read=nobody, write=nobody)}}, "'slug' is hidden from"),
    ],
)
async def test_what_cannot_name_a_row_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        App(essays(None, **options))
    assert "Resource(Essay, key=...)" in str(refusal.value)
    assert words in str(refusal.value)


async def test_the_primary_key_may_be_named_as_well() -> None:
    served = App(Resource(Essay, read=anyone, key=Essay.id)).declaration.catalog.by_model[Essay]
    assert served.addressed is served
