"""Resources whose tables stand in schemas of their own behave as all others."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from contract_clients import failures, pointers, problem
from schemas_app import app, bare

from gatepost.events import RequestFailed
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

for item in (app, bare):
    item.events.subscribe(RequestFailed, failures.append)


@pytest.fixture(scope="module")
def database_metadata() -> None:
    """The databases are empty: there are two apps."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keepers(module_database_url: str) -> AsyncIterator[tuple[Client, Client]]:
    """The depot, started, and two who keep shelves in it."""
    async with TestApp(app, module_database_url) as running:
        yield await running.user(), await running.user()


async def shelf_of(keeper: Client, name: str) -> dict[str, Any]:
    created = await keeper.post("/api/shelves", json={"name": name})
    assert created.status == 201, created.body
    shelf: dict[str, Any] = created.data
    return shelf


async def test_the_whole_contract_in_another_schema(keepers: tuple[Client, Client]) -> None:
    keeper, other = keepers
    shelf = await shelf_of(keeper, "whole")
    body = {"label": "all", "weight": "1.5", "shelf_id": shelf["id"]}
    box = await keeper.post("/api/boxes", json=body)
    assert (box.status, box.data["kind"], box.data["version"]) == (201, "small", 1)
    path = box.headers["location"]
    tag = {"if-match": box.headers["etag"]}
    changed = await keeper.patch(path, json={"weight": 2, "kind": "large"}, headers=tag)
    assert (changed.status, changed.data["version"], changed.headers["etag"][:3]) == (200, 2, '"2.')
    problem(await keeper.patch(path, json={"weight": 3}, headers=tag), 412, "version_mismatch")
    problem(await other.patch(path, json={"weight": 3}), 403, "forbidden")
    found = await other.get("/api/boxes?shelf.name=whole&expand=shelf&sort=-weight&label[contains]=a&kind=large")
    assert found.status == 400, "an enum without an index is no filter"
    found = await other.get("/api/boxes?shelf.name=whole&expand=shelf&sort=-weight&label[contains]=all")
    assert [row["shelf"]["name"] for row in found.data] == ["whole"]
    assert (await keeper.delete(path)).status == 204


async def test_constraints_of_another_schema_are_told_in_the_words_of_the_declaration(
    keepers: tuple[Client, Client],
) -> None:
    keeper, other = keepers
    shelf, theirs = await shelf_of(keeper, "told"), await shelf_of(other, "theirs")
    refused = await keeper.post("/api/shelves", json={"name": "told"})
    problem(refused, 409, "already_exists")
    assert pointers(refused) == {"/name": "already_exists"}
    box = (await keeper.post("/api/boxes", json={"label": "b", "weight": 1, "shelf_id": shelf["id"]})).data
    their_box = (await other.post("/api/boxes", json={"label": "c", "weight": 1, "shelf_id": theirs["id"]})).data
    problem(await keeper.delete(f"/api/shelves/{shelf['id']}"), 409, "still_referenced")
    missing = await keeper.patch(f"/api/boxes/{box['id']}", json={"shelf_id": box["id"]})
    assert pointers(missing) == {"/shelf_id": "not_found"}

    seal = await keeper.post("/api/seals", json={"number": 1, "box_id": box["id"]})
    assert (seal.status, seal.data["kind"]) == (201, "large")
    twice = await keeper.post("/api/seals", json={"number": 1, "box_id": box["id"]})
    assert pointers(twice) == {"/number": "already_exists"}
    problem(await keeper.post("/api/seals", json={"number": 2, "box_id": their_box["id"]}), 403, "forbidden")
    emptied = await keeper.patch(seal.headers["location"], json={"number": 999})
    assert pointers(emptied) == {"/label": "not_nullable"}, "of the depot's boxes, not of the table of that name"
    assert (await other.get("/api/seals?box.shelf.name=told&expand=box.shelf")).data[0]["box"]["shelf"][
        "name"
    ] == "told"


async def test_a_base_without_a_schema_and_without_versions(database_url: str) -> None:
    async with TestApp(bare, database_url) as running:
        user = await running.user()
        root = await user.post("/api/tags", json={"name": "root"})
        leaf = await user.post("/api/tags", json={"name": "leaf", "parent_id": root.data["id"]})
        assert (await user.get("/api/tags?parent.name=root&expand=parent")).data == [{**leaf.data, "parent": root.data}]
        assert pointers(await user.post("/api/tags", json={"name": "leaf"})) == {"/name": "already_exists"}
        path, tag = leaf.headers["location"], {"if-match": leaf.headers["etag"]}
        assert (await user.patch(path, json={"name": "twig"}, headers=tag)).status == 200
        problem(await user.patch(path, json={"name": "bark"}, headers=tag), 412, "version_mismatch")
        problem(await user.delete(root.headers["location"]), 409, "still_referenced")
