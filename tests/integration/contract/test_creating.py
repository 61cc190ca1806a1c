"""Creating: what may be left out, what is filled, what is refused, and that a refusal writes nothing."""

from typing import Any

import pytest
import pytest_asyncio
from contract_clients import Clients, pointers, problem, without_id
from contract_rows import write_works
from pagination import page

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


async def count(clients: Clients, path: str) -> int:
    """How many rows a small table has."""
    return len((await page(clients.guard, f"/api/{path}?limit=100"))["data"])


async def test_a_row_is_created_with_the_defaults_of_python_and_of_the_database(
    clients: Clients, keys: dict[str, int]
) -> None:
    response = await clients.editor.post("/api/works", json={"title": "New", "author_id": keys["ann"]})
    assert response.status == 201
    assert response.headers["location"] == f"/api/works/{response.data['id']}"
    assert response.headers["etag"].startswith('"')
    expected = {"pages": 100, "pages_read": 0, "genre": "a novel", "state": "new", "available": True, "extra": None}
    assert {name: response.data[name] for name in expected} == expected
    again = await clients.editor.get(response.headers["location"])
    assert again.headers["etag"] == response.headers["etag"]
    assert again.data == response.data
    shown = await clients.anonymous.get(response.headers["location"])
    assert shown.headers["etag"] != response.headers["etag"]
    assert shown.data == {name: value for name, value in response.data.items() if name not in ("cost", "files")}


async def test_the_order_of_members_means_nothing_however_often_it_comes(clients: Clients) -> None:
    for number in range(4):
        members = [("code", f"order-{number}"), ("name", f"Land {number}")]
        created = await clients.editor.post("/api/lands", json=dict(members[:: 1 if number % 2 else -1]))
        assert (created.status, created.data) == (201, dict(members))


@pytest.mark.parametrize("code", ["x y", "ü", "%41", "a?b=c#d", "a:b;c,d", "+", "..x", "x" * 200, "'\"", "a&b"])
async def test_a_natural_key_has_an_address_however_odd_it_is(
    clients: Clients, keys: dict[str, int], code: str
) -> None:
    created = await clients.editor.post("/api/lands", json={"code": code, "name": "Odd"})
    assert created.status == 201, created.body
    assert (await clients.anonymous.get(created.headers["location"])).data == {"code": code, "name": "Odd"}
    problem(await clients.editor.post("/api/lands", json={"code": code, "name": "Odd"}), 409, "already_exists")
    assert (await clients.editor.patch(created.headers["location"], json={"name": "Other"})).data["name"] == "Other"
    assert (await clients.editor.delete(created.headers["location"])).status == 204


@pytest.mark.parametrize(
    ("code", "reason"),
    [("", "too_short"), ("a/b", "pattern_mismatch"), ("a\\b", "pattern_mismatch"), ("a\nb", "pattern_mismatch"),
     ("..", "pattern_mismatch"), (".", "pattern_mismatch"), ("\x00", "invalid_text")],
)  # fmt: skip
async def test_a_key_that_no_path_can_carry_is_refused(clients: Clients, code: str, reason: str) -> None:
    response = await clients.editor.post("/api/lands", json={"code": code, "name": "Odd"})
    assert response.status == 422
    assert pointers(response) == {"/code": reason}


REFUSED: list[tuple[str, str, dict[str, Any], int, str, dict[str, str]]] = [
    ("anonymous", "works", {}, 401, "not_signed_in", {}),
    ("stranger", "works", {}, 403, "forbidden", {}),
    ("editor", "works", {"id": 7, "title": "T"}, 422, "invalid_body", {"/id": "read_only", "/author_id": "required"}),
    ("editor", "works", {"title": "T", "author_id": 1, "ghost_id": 1}, 422, "invalid_body",
     {"/ghost_id": "unknown_field"}),
    ("editor", "works", {"title": "T", "author_id": 1, "vault_id": 1}, 422, "invalid_body",
     {"/vault_id": "unknown_field"}),
    ("editor", "works", {"title": "T", "author_id": 1, "vaqlt_id": 1}, 422, "invalid_body",
     {"/vaqlt_id": "unknown_field"}),
    ("editor", "works", {"title": "T", "author_id": 1, "author": {}}, 422, "invalid_body",
     {"/author": "unknown_field"}),
    ("editor", "works", {"title": "T", "author_id": 1, "isbn": "1"}, 409, "already_exists",
     {"/isbn": "already_exists"}),
    ("editor", "works", {"title": "T", "author_id": 1, "pages": 1, "pages_read": 2}, 422, "invalid_body",
     {"/pages_read": "violates_check", "/pages": "violates_check"}),
    ("editor", "works", {"title": None, "author_id": None}, 422, "invalid_body",
     {"/title": "not_nullable", "/author_id": "not_nullable"}),
    ("editor", "people", {"name": "P", "diary": "x"}, 422, "invalid_body", {"/diary": "read_only"}),
    ("editor", "people", {"name": "P", "password": "x"}, 422, "invalid_body", {"/password": "unknown_field"}),
    ("guard", "vaults", {"name": "north"}, 409, "already_exists", {"/name": "already_exists"}),
]  # fmt: skip


@pytest.mark.parametrize(("identity", "path", "body", "status", "code", "errors"), REFUSED)
async def test_a_creation_that_is_refused_says_why_and_writes_nothing(
    clients: Clients,
    keys: dict[str, int],
    identity: str,
    path: str,
    body: dict[str, Any],
    status: int,
    code: str,
    errors: dict[str, str],
) -> None:
    before = await count(clients, path)
    response = await clients.by(identity).post(f"/api/{path}", json=body)
    problem(response, status, code)
    assert pointers(response) == errors
    assert await count(clients, path) == before


async def test_every_reference_that_leads_nowhere_is_named_absent_and_hidden_alike(
    clients: Clients, keys: dict[str, int]
) -> None:
    absent = {"title": "T", "author_id": 10**6, "editor_id": 10**6, "shelf_id": 10**6}
    response = await clients.editor.post("/api/works", json=absent)
    problem(response, 422, "reference_not_found")
    expected = {"/author_id": "not_found", "/editor_id": "not_found", "/shelf_id": "not_found"}
    assert pointers(response) == expected
    open_ones = await clients.editor.post("/api/works", json={"title": "T", "author_id": 10**6, "editor_id": 10**6})
    assert pointers(open_ones) == {"/author_id": "not_found", "/editor_id": "not_found"}
    hidden = await clients.editor.post("/api/works", json=absent | {"shelf_id": keys["theirs"]})
    assert without_id(hidden) == without_id(response)
    patch = f"/api/works/{keys['land']}"
    unseen = await clients.editor.patch(patch, json={"shelf_id": keys["mine"]})
    nowhere = await clients.editor.patch(patch, json={"shelf_id": 10**6})
    problem(unseen, 422, "reference_not_found")
    assert without_id(unseen) == without_id(nowhere)
    several = await clients.editor.patch(patch, json={"author_id": 10**6, "editor_id": 2 * 10**6})
    assert pointers(several) == {"/author_id": "not_found", "/editor_id": "not_found"}


async def test_an_owner_is_filled_and_cannot_be_somebody_else(clients: Clients, keys: dict[str, int]) -> None:
    filled = await clients.member.post("/api/loans", json={"work_id": keys["sea"]})
    assert (filled.status, filled.data["member_id"]) == (201, str(clients.member_id))
    own = await clients.member.post("/api/loans", json={"work_id": keys["sea"], "member_id": str(clients.member_id)})
    assert own.status == 201
    before = await count(clients, "loans")
    other = {"work_id": keys["sea"], "member_id": str(clients.stranger_id)}
    problem(await clients.member.post("/api/loans", json=other), 403, "forbidden")
    problem(await clients.anonymous.post("/api/loans", json=other), 401, "not_signed_in")
    assert await count(clients, "loans") == before


async def test_parameters_and_other_content_types_are_refused(clients: Clients, keys: dict[str, int]) -> None:
    body = {"title": "T", "author_id": keys["ann"]}
    problem(await clients.editor.post("/api/works?fields=id", json=body), 400, "unknown_parameter")
    form = {"content-type": "application/x-www-form-urlencoded"}
    problem(await clients.editor.post("/api/works", json=body, headers=form), 415, "unsupported_media_type")
    problem(await clients.editor.request("PUT", f"/api/works/{keys['sea']}", json=body), 405, "method_not_allowed")
