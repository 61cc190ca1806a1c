"""The first rungs of the override ladder: hooks, whole verbs, services without `super()`, and mistakes."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple
from uuid import UUID

import pytest
import pytest_asyncio
from contract_clients import failures, pointers, problem
from msgspec import UNSET
from overrides_app import Cup, Kiln, app, events
from sqlalchemy import MetaData

from gatepost.events import RequestFailed
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

app.events.subscribe(RequestFailed, failures.append)


class Hands(NamedTuple):
    """Two ordinary users and one of the staff."""

    own: Client
    own_id: UUID
    other: Client
    other_id: UUID
    staff: Client
    kiln_id: int


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the overrides."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hands(module_database_url: str) -> AsyncIterator[Hands]:
    """The workshop, started, with its people."""
    async with TestApp(app, module_database_url) as running:
        async with app.transaction() as work:
            kiln = Kiln(name="big")
            work.session.add(kiln)
        yield Hands(
            *await running.user_and_id(), *await running.user_and_id(), await running.user("staff"), kiln.id
        )  # fmt: skip


@pytest.fixture(autouse=True)
def no_events() -> None:
    """Every test begins with an empty list."""
    events.clear()


async def names(client: Client, path: str) -> list[str]:
    return [row["name"] for row in (await client.get(f"/api/{path}?limit=100")).data]


async def test_hooks_run_around_the_write_and_after_the_commit(hands: Hands) -> None:
    created = await hands.own.post("/api/pots", json={"name": "blue", "owner_id": str(hands.own_id)})
    assert (created.status, created.data["name"]) == (201, "BLUE")
    assert events == ["before blue", "after BLUE True", "committed BLUE"]
    events.clear()
    changed = await hands.own.patch(created.headers["location"], json={"name": "green"})
    assert (changed.status, changed.data["name"]) == (200, "green")
    assert changed.headers["etag"] != created.headers["etag"]
    assert (await hands.own.delete(created.headers["location"])).status == 204
    assert events == ["from BLUE to green", "now green", "deleted green"]
    problem(await hands.own.get(created.headers["location"]), 404, "not_found")


@pytest.mark.parametrize(("name", "code"), [("refused", "kiln_full"), ("cracked", "cracked")])
async def test_a_hook_that_refuses_undoes_everything(hands: Hands, name: str, code: str) -> None:
    before = await names(hands.own, "pots")
    problem(await hands.own.post("/api/pots", json={"name": name, "owner_id": str(hands.own_id)}), 409, code)
    assert await names(hands.own, "pots") == before
    assert not [event for event in events if event.startswith("committed")]


async def test_a_hook_may_keep_a_row_from_being_deleted(hands: Hands) -> None:
    created = await hands.own.post("/api/pots", json={"name": "kept", "owner_id": str(hands.own_id)})
    problem(await hands.own.delete(created.headers["location"]), 409, "kept")
    assert "KEPT" in await names(hands.own, "pots")


async def test_validation_references_and_constraints_hold_before_a_service_is_asked(hands: Hands) -> None:
    own = {"owner_id": str(hands.own_id)}
    first = await hands.own.post("/api/pots", json={"name": "twice", **own})
    assert first.status == 201
    problem(await hands.own.post("/api/pots", json={"name": "twice", **own}), 409, "already_exists")
    events.clear()
    for body, errors in [
        ({"name": 1, **own}, {"/name": "wrong_type"}),
        ({"name": "x", "recipe": "y", **own}, {"/recipe": "unknown_field"}),
        ({"name": "x", "kiln_id": hands.kiln_id, **own}, {"/kiln_id": "not_found"}),
        ({"name": "x", "kiln_id": 10**6, **own}, {"/kiln_id": "not_found"}),
    ]:
        response = await hands.own.post("/api/pots", json=body)
        assert (response.status, pointers(response)) == (422, errors)
    assert events == []
    stale = {"if-match": '"0"'}
    problem(
        await hands.own.patch(first.headers["location"], json={"name": "x"}, headers=stale), 412, "version_mismatch"
    )
    problem(await hands.own.delete(first.headers["location"], headers=stale), 412, "version_mismatch")
    assert events == []


async def new_cup(hands: Hands, name: str, **more: Any) -> str:
    created = await hands.own.post("/api/cups", json={"name": name, **more})
    assert created.status == 201, created.body
    assert created.data["owner_id"] == str(hands.own_id)
    assert "recipe" not in created.data, "what a service set is shown to those who may see it"
    return created.headers["location"]


async def test_what_whole_verbs_return_is_shown_as_policies_and_fields_say(hands: Hands) -> None:
    path = await new_cup(hands, "cup")
    await hands.other.post("/api/cups", json={"name": "theirs"})
    assert set((await hands.own.get(path)).data) == {"id", "name", "owner_id", "kiln_id", "is_broken"}
    problem(await hands.other.get(path), 404, "not_found")
    assert await names(hands.own, "cups") == ["cup"]
    assert await names(hands.other, "cups") == ["theirs"]
    assert await names(hands.staff, "cups") == []
    assert (await hands.own.get("/api/cups?fields=name")).data == [{"name": "cup"}]
    assert (await hands.own.get(f"{path}?fields=name")).data == {"name": "cup"}
    problem(await hands.own.get(f"{path}?fields=recipe"), 400, "invalid_parameter")
    problem(await hands.own.get(f"{path}?expand=kiln"), 400, "invalid_parameter")
    changed = await hands.own.patch(path, json={"name": "mug"})
    assert (changed.status, changed.data["name"]) == (200, "mug!")
    assert (await hands.own.delete(path)).status == 204
    assert (await hands.own.get(path)).data["is_broken"] is True
    problem(await hands.other.patch(path, json={"name": "x"}), 404, "not_found")
    problem(await hands.other.delete(path), 404, "not_found")


async def test_expansions_are_read_for_rows_that_a_service_chose(hands: Hands) -> None:
    staff, staff_id = hands.staff, None
    created = await staff.post("/api/cups", json={"name": "staff's", "kiln_id": hands.kiln_id, "recipe": "x"})
    staff_id = created.data["owner_id"]
    assert created.data["recipe"] == "secret"
    page = await staff.get("/api/cups?expand=kiln&limit=1")
    assert [(row["owner_id"], row["kiln"]) for row in page.data] == [(staff_id, {"id": hands.kiln_id, "name": "big"})]
    async with app.transaction() as work:
        await work.session.delete(await work.session.get_one(Cup, created.data["id"]))


async def test_a_service_that_writes_without_super_is_held_to_the_rule(hands: Hands) -> None:
    created = await hands.own.post("/api/bowls", json={"name": "bowl"})
    assert (created.status, created.data["owner_id"]) == (201, str(hands.own_id))
    path = created.headers["location"]
    problem(await hands.own.post("/api/bowls", json={"name": f"to {hands.other_id}"}), 403, "forbidden")
    problem(await hands.own.patch(path, json={"name": f"to {hands.other_id}"}), 403, "forbidden")
    assert (await hands.own.get(path)).data == created.data
    assert await names(hands.other, "bowls") == []
    changed = await hands.own.patch(path, json={"name": "dish"})
    assert (changed.data["name"], (await hands.own.get(path)).data["name"]) == ("dish", "dish")
    problem(await hands.own.post("/api/bowls", json={"name": "dish"}), 409, "already_exists")
    assert (await hands.own.delete(path)).status == 204
    problem(await hands.own.get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "name", "said"),
    [
        ("POST", "/api/shards", "nothing", "Shards.create returned NoneType, not Shard."),
        ("POST", "/api/shards", "another", "Shards.create returned Bowl, not Shard."),
        ("POST", "/api/shards", "unwritten", "Shards.create returned a row that was not written; call super()."),
        ("POST", "/api/shards", "commit", "session.commit() is refused"),
        ("POST", "/api/shards", "error", "a mistake"),
        ("GET", "/api/shards/1", "", "Shards.get returned NoneType, not Shard."),
        ("GET", "/api/shards", "", "Shards.list returned dict, not Shard."),
    ],
)
async def test_a_service_with_a_mistake_is_a_bland_500_and_a_clear_line_in_the_log(
    hands: Hands, method: str, path: str, name: str, said: str
) -> None:
    response = await hands.own.request(method, path, json={"name": name} if name else UNSET)
    assert problem(response, 500, "internal_error")["errors"] == []
    assert "Shard" not in response.body.decode()
    (failed,) = failures
    assert said in str(failed.error)
    assert failed.request_id == response.json()["request_id"] == response.headers["x-request-id"]
    failures.clear()


@pytest.mark.parametrize(
    ("path", "root", "seen"),
    [
        ("/legacy/echo?a=1", "/legacy", "/legacy/echo"),
        ("/legacy/deep/echo?a=1", "/legacy/deep", "/legacy/deep/echo"),
        ("/api/pots/made/echo?a=1", "/api/pots/made", "/api/pots/made/echo"),
        ("/api/pots/m%61de/echo?a=1", "/api/pots/made", "/api/pots/made/echo"),
    ],
)
async def test_a_mounted_application_stands_behind_the_gate(hands: Hands, path: str, root: str, seen: str) -> None:
    response = await hands.own.get(path)
    assert response.status == 200
    found = response.json()
    assert (found["path"], found["root"], found["query"]) == (seen, root, "a=1")
    for header in ("x-request-id", "x-content-type-options", "content-security-policy"):
        assert header in response.headers
    posted = await hands.own.post("/legacy/echo", content=b"a=b", headers={"content-type": "text/plain"})
    assert posted.json()["body"] == "a=b"
    assert posted.json()["url"] == "http://test/legacy/echo"
    assert (await hands.own.get("/legacy/nothing")).status == 404
    problem(await hands.own.get("/legacybutnot"), 404, "not_found")


async def test_a_mount_beside_the_rows_of_a_resource_takes_its_path_with_every_method(hands: Hands) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS"):
        response = await hands.own.request(method, "/api/pots/m%61de")
        assert (response.status, response.headers.get("content-type")) == (404, "text/plain; charset=utf-8"), method
    problem(await hands.own.get("/api/pots/mades"), 404, "not_found")


async def test_a_mounted_application_that_fails_is_a_bland_500(hands: Hands) -> None:
    problem(await hands.own.get("/broken/anything"), 500, "internal_error")
    assert "a mistake in a mounted application" in str(failures.pop().error)
