"""Changing and deleting: merge patches, entity tags, and the refusals of both."""

from typing import Any

import pytest
import pytest_asyncio
from contract_clients import Clients, pointers, problem, without_id
from contract_rows import write_works

from gatepost.testing import ClientResponse

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(clients: Clients) -> dict[str, int]:
    """The catalogue's keys by name."""
    return await write_works(clients.member_id, clients.stranger_id)


async def new_work(clients: Clients, keys: dict[str, int], **values: Any) -> ClientResponse:
    """A work of its own for a test."""
    response = await clients.editor.post("/api/works", json={"title": "T", "author_id": keys["ann"], **values})
    assert response.status == 201, response.body
    return response


MERGES: list[tuple[Any, Any, Any]] = [
    ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": None, "e": [1]}, "a": 2}, {"a": 2, "b": {"d": 3, "e": [1]}}),
    ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
    ({"a": 1}, None, None),
    ({"a": 1}, {}, {"a": 1}),
    ({"a": "text"}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    (None, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ("text", {"a": 1}, {"a": 1}),
    ({"a": 1}, [1], [1]),
]


@pytest.mark.parametrize(("present", "patch", "result"), MERGES)
async def test_documents_merge_as_rfc_7396_says(clients: Clients, present: Any, patch: Any, result: Any) -> None:
    created = await clients.editor.post("/api/samples", json={"document": present, "small": 1, "numbers": [1, 2]})
    patched = await clients.editor.patch(created.headers["location"], json={"document": patch, "numbers": [3]})
    assert patched.status == 200, patched.body
    assert (patched.data["document"], patched.data["numbers"], patched.data["small"]) == (result, [3], 1)


async def test_absent_fields_stay_and_an_empty_patch_changes_nothing(clients: Clients, keys: dict[str, int]) -> None:
    work = await new_work(clients, keys, pages=7, extra={"a": 1})
    same = await clients.editor.patch(work.headers["location"], json={})
    assert (same.status, same.data) == (200, work.data)
    assert same.headers["etag"] == work.headers["etag"], "nothing was written"
    changed = await clients.editor.patch(work.headers["location"], json={"pages": 8})
    assert changed.data == work.data | {"pages": 8}
    assert changed.headers["etag"] != work.headers["etag"]


async def test_the_order_of_members_means_nothing_however_often_it_comes(
    clients: Clients, keys: dict[str, int]
) -> None:
    work = await new_work(clients, keys)
    for number in range(4):
        members = [("title", f"T{number}"), ("limit", number), ("order", number + 1)]
        changed = await clients.editor.patch(work.headers["location"], json=dict(members[:: 1 if number % 2 else -1]))
        assert (changed.status, changed.data) == (200, work.data | dict(members))


async def test_a_whole_row_may_be_sent_back_with_a_change_in_it(clients: Clients, keys: dict[str, int]) -> None:
    work = await new_work(clients, keys, isbn=f"whole-{keys['ann']}", extra={"a": {"b": 1}})
    changed = await clients.editor.patch(work.headers["location"], json=work.data | {"title": "Other"})
    assert changed.status == 200, changed.body
    assert changed.data == work.data | {"title": "Other"}
    sample = await clients.editor.post(
        "/api/samples", json={"moment": "2024-01-01T00:00:00Z", "span": "PT1H", "amount": "1.5", "genres": ["poems"]}
    )
    assert (await clients.editor.patch(sample.headers["location"], json=sample.data)).data == sample.data


@pytest.mark.parametrize(
    ("patch", "errors"),
    [
        ({"id": 0}, {"/id": "read_only"}),
        ({"isbn": "other"}, {"/isbn": "write_once"}),
        (
            {"id": 0, "isbn": "other", "pages": "many", "nothing": 1},
            {"/id": "read_only", "/isbn": "write_once", "/pages": "wrong_type", "/nothing": "unknown_field"},
        ),
        ({"title": None}, {"/title": "not_nullable"}),
        ({"zz": 1}, {"/zz": "unknown_field"}),
        ({"ghost_id": 1}, {"/ghost_id": "unknown_field"}),
        ({"vault_id": 1}, {"/vault_id": "unknown_field"}),
        ({"pages_read": 101}, {"/pages_read": "violates_check", "/pages": "violates_check"}),
    ],
)
async def test_a_patch_that_is_refused_says_where(
    clients: Clients, keys: dict[str, int], patch: dict[str, Any], errors: dict[str, str]
) -> None:
    work = await new_work(clients, keys)
    response = await clients.editor.patch(work.headers["location"], json=patch | {"available": False})
    problem(response, 422, "invalid_body")
    assert pointers(response) == errors
    assert (await clients.editor.get(work.headers["location"])).data == work.data


async def test_read_only_fields_that_are_sent_back_beside_a_mistake_are_none(
    clients: Clients, keys: dict[str, int]
) -> None:
    work = await new_work(clients, keys, isbn=f"beside-{keys['ann']}")
    response = await clients.editor.patch(work.headers["location"], json=work.data | {"pages": "many"})
    assert pointers(response) == {"/pages": "wrong_type"}
    missing = f"{work.headers['location']}0000"
    assert pointers(await clients.editor.patch(missing, json={"id": 0, "pages": "many"})) == {"/pages": "wrong_type"}


async def test_a_field_that_is_hidden_on_this_row_cannot_be_guessed(clients: Clients, keys: dict[str, int]) -> None:
    guesses = [
        await clients.editor.patch(f"/api/people/{keys['ann']}", json={"diary": text}) for text in ("Ann's", "x")
    ]
    assert [response.status for response in guesses] == [422, 422]
    assert without_id(guesses[0]) == without_id(guesses[1])


@pytest.mark.parametrize(
    ("identity", "status", "code"), [("anonymous", 401, "not_signed_in"), ("stranger", 403, "forbidden")]
)
async def test_who_may_not_write_is_told_so(
    clients: Clients, keys: dict[str, int], identity: str, status: int, code: str
) -> None:
    for key in (keys["sea"], 10**6):
        problem(await clients.by(identity).patch(f"/api/works/{key}", json={"title": "X"}), status, code)
        problem(await clients.by(identity).delete(f"/api/works/{key}"), status, code)


async def test_rows_of_others_are_as_absent_as_those_that_never_were(clients: Clients, keys: dict[str, int]) -> None:
    loan = await clients.member.post("/api/loans", json={"work_id": keys["sea"]})
    tag = {"if-match": loan.headers["etag"]}
    for path in (loan.headers["location"], "/api/loans/1000000", "/api/loans/x"):
        problem(await clients.stranger.get(path), 404, "not_found")
        problem(await clients.stranger.patch(path, json={"note": "x"}, headers=tag), 404, "not_found")
        problem(await clients.stranger.delete(path, headers=tag), 404, "not_found")
    problem(await clients.editor.patch(loan.headers["location"], json={"note": "x"}, headers=tag), 403, "forbidden")
    problem(await clients.editor.delete(loan.headers["location"], headers=tag), 403, "forbidden")
    given = {"member_id": str(clients.stranger_id)}
    problem(await clients.member.patch(loan.headers["location"], json=given, headers=tag), 403, "forbidden")
    assert (await clients.member.get(loan.headers["location"])).data == loan.data


async def test_a_row_that_others_refer_to_cannot_be_deleted(clients: Clients, keys: dict[str, int]) -> None:
    problem(await clients.editor.delete(f"/api/people/{keys['ann']}"), 409, "still_referenced")
    work = await new_work(clients, keys)
    assert (await clients.editor.delete(work.headers["location"])).status == 204
    problem(await clients.editor.delete(work.headers["location"]), 404, "not_found")


async def test_if_match_admits_the_present_version_only(clients: Clients, keys: dict[str, int]) -> None:
    work = await new_work(clients, keys)
    path, tag = work.headers["location"], work.headers["etag"]
    for admitted in ("TAG", '"0", TAG', '"a,b",TAG', 'TAG,"x"', "*", ' TAG , W/"1"'):
        header = {"if-match": admitted.replace("TAG", tag)}
        response = await clients.editor.patch(path, json={"pages": 5}, headers=header)
        assert response.status == 200, admitted
        tag = response.headers["etag"]
    for stale in (work.headers["etag"], f"W/{tag}", '"0"', '""', '"0", "1"', '"\N{LATIN SMALL LETTER E}"'):
        for response in (
            await clients.editor.patch(path, json={"pages": 6}, headers={"if-match": stale}),
            await clients.editor.patch(path, json={"extra": {"a": 6}}, headers={"if-match": stale}),
            await clients.editor.delete(path, headers={"if-match": stale}),
        ):
            problem(response, 412, "version_mismatch")
    for malformed in (
        "3",
        "x",
        '"',
        "",
        ",",
        tag + ",",
        "*, *",
        '"a" "b"',
        f"{tag} {tag}",
        f'{tag}, "a""b"',
        ",".join([tag] * 30),
        '"\xe9"',
    ):
        response = await clients.editor.delete(path, headers={"if-match": malformed})
        problem(response, 400, "malformed_request")
    assert (await clients.editor.get(path)).data["pages"] == 5
    assert (await clients.editor.delete(path, headers={"if-match": tag})).status == 204


async def test_if_none_match_gets_304_for_the_current_version(clients: Clients, keys: dict[str, int]) -> None:
    path = (await new_work(clients, keys)).headers["location"]
    tag = (await clients.anonymous.get(path)).headers["etag"]
    for known in (tag, f"W/{tag}", "*", f'"0", {tag}'):
        response = await clients.anonymous.get(path, headers={"if-none-match": known})
        assert (response.status, response.body, response.headers["etag"]) == (304, b"", tag)
    assert (await clients.anonymous.get(path, headers={"if-none-match": '"0"'})).status == 200
    assert (await clients.anonymous.get(f"{path}?fields=id", headers={"if-none-match": tag})).status == 304
    assert (await clients.anonymous.get(f"{path}?expand=author", headers={"if-none-match": tag})).status == 200


async def test_a_resource_may_demand_if_match(clients: Clients, keys: dict[str, int]) -> None:
    loan = await clients.member.post("/api/loans", json={"work_id": keys["sea"]})
    path = loan.headers["location"]
    problem(await clients.member.patch(path, json={"note": "x"}), 428, "version_required")
    problem(await clients.member.delete(path), 428, "version_required")
    patched = await clients.member.patch(path, json={"note": "x"}, headers={"if-match": loan.headers["etag"]})
    assert patched.data["note"] == "x"
    problem(await clients.member.delete(path, headers={"if-match": loan.headers["etag"]}), 412, "version_mismatch")
    assert (await clients.member.delete(path, headers={"if-match": patched.headers["etag"]})).status == 204
