"""Refusals in the form of a dialect: below the prefix alone, from every layer, and only once there is a path."""

from typing import Any

import pytest
from dialects_clients import Spoken

from gatepost.testing import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "content"),
    [
        ("GET", "/api/nothing", {}, 404, {"errors": {"request": ["not_found"]}}),
        ("DELETE", "/api/poems", {}, 405, {"errors": {"request": ["method_not_allowed"]}}),
        ("PATCH", "/api/poems/1", {"json": {}}, 405, {"errors": {"request": ["method_not_allowed"]}}),
        ("POST", "/api/poems", {"json": {}}, 401, {"errors": {"request": ["not_signed_in"]}}),
        ("POST", "/api/poems", {"content": b"x" * 2_000_000}, 413, {"errors": {"request": ["content_too_large"]}}),
        ("GET", "/api/poems?limit=0", {}, 400, {"errors": {"limit": ["Send a whole number from 1 to 100."]}}),
        ("GET", "/api/poems?after=x", {}, 400, {"errors": {"request": ["unknown_parameter"]}}),
    ],
)
async def test_every_layer_refuses_in_the_form_of_the_dialect(
    with_own_errors: Spoken, method: str, path: str, options: dict[str, Any], status: int, content: Any
) -> None:
    refused = await with_own_errors.running.anonymous.request(method, path, **options)
    assert (refused.status, refused.json()) == (status, content)
    assert refused.headers["content-type"] == "application/json"
    assert "x-request-id" in refused.headers


async def test_a_body_of_another_type_is_refused_in_the_form_of_the_dialect(with_own_errors: Spoken) -> None:
    client = with_own_errors.running.anonymous
    refused = await client.post("/api/poems", content=b"a=b", headers={"content-type": "text/plain"})
    assert (refused.status, refused.json()) == (415, {"errors": {"request": ["unsupported_media_type"]}})


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/elsewhere", {}, 404),
        ("/apiary", {}, 404),
        ("/problems/nothing", {}, 404),
        ("/api/../poems", {}, 400),
        ("/api/poems", {"host": "a b"}, 400),
    ],
)
async def test_other_paths_and_malformed_requests_get_problem_details(
    with_own_errors: Spoken, path: str, headers: dict[str, str], status: int
) -> None:
    refused = await with_own_errors.running.anonymous.get(path, headers=headers)
    assert refused.status == status, refused.body
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["status"] == status


async def test_violations_are_grouped_by_field(with_own_errors: Spoken) -> None:
    refused = await with_own_errors.editor.post("/api/poems", json={"lineCount2": 0, "shortTitle": ""})
    assert refused.status == 422
    assert refused.json() == {
        "errors": {
            "lineCount2": ["The value must be 1 or more."],
            "poetId": ["can't be blank"],
            "shortTitle": ["can't be blank"],
        }
    }


async def test_a_dialect_that_fails_is_logged_and_gives_way_to_a_bland_500(with_own_errors: Spoken) -> None:
    poet = await with_own_errors.poet()
    refused = await with_own_errors.editor.post("/api/poems", json={"shortTitle": "taken", "poetId": poet["id"]})
    assert refused.status == 500
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "internal_error"
    assert "title_taken" not in refused.body.decode()


async def test_the_scheme_of_tokens_is_that_of_the_dialect(with_own_errors: Spoken) -> None:
    running = with_own_errors.running
    user, _ = await running.user_and_id("editor", email="scheme@example.com", password="long enough to use")
    assert (await user.get("/api/poems")).status == 200
    sent = {"email": "scheme@example.com", "password": "long enough to use"}
    signed_in = await running.anonymous.post("/api/auth/login", json=sent)
    assert signed_in.data["token_type"] == "Token"
    token = signed_in.data["access_token"]
    assert (await Client(running.app, token=token, scheme="Token").get("/api/poems")).status == 200
    refused = await Client(running.app, token=token).get("/api/poems")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, "Token")


async def test_the_update_is_a_put_that_merges(with_own_errors: Spoken) -> None:
    made = await with_own_errors.poem(lineCount2=4)
    changed = await with_own_errors.editor.put(f"/api/poems/{made['id']}", json={"shortTitle": "Elegy"})
    assert (changed.status, changed.data["shortTitle"], changed.data["lineCount2"]) == (200, "Elegy", 4)


async def test_lists_are_paged_by_offsets(with_own_errors: Spoken) -> None:
    await with_own_errors.poem()
    page = await with_own_errors.running.anonymous.get("/api/poems?offset=0&limit=1&count=true")
    assert page.json()["page"].keys() == {"limit", "offset", "total", "total_is_exact"}
