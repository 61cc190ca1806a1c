"""Bodies and query classes of own endpoints, and DTOs as the bodies of derived ones."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest
import pytest_asyncio
from bodies_app import Essay, app
from sqlalchemy import MetaData

from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Journal(NamedTuple):
    """A running journal, and who uses it."""

    anonymous: Client
    writer: Client
    editor: Client


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def journal(module_database_url: str) -> AsyncIterator[Journal]:
    async with TestApp(app, module_database_url) as started:
        yield Journal(started.anonymous, await started.user(), await started.user("editor"))


def errors_of(response: ClientResponse) -> list[tuple[str, str]]:
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]


PARTS: dict[str, Any] = {
    "shape": {"type": "circle", "radius": 1},
    "named": {"name": "a"},
    "pair": [1, "b"],
    "counts": {"c": 9},
}


@pytest.mark.parametrize("path", ["/api/essays", "/api/essays/whole"])
async def test_a_body_has_the_members_of_its_dto(journal: Journal, path: str) -> None:
    body = {"title": "Bees", "text": "They hum.", "note": "x", "mood": None}

    created = await journal.writer.post(path, json=body)

    assert created.status == 201
    shown = {name: created.data[name] for name in ("title", "tags", "price", "note", "mood", "rank")}
    assert shown == {"title": "Bees", "tags": [], "price": "1.50", "note": "x", "mood": None, "rank": 0}


@pytest.mark.parametrize("path", ["/api/essays", "/api/essays/whole"])
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("/text", "required"), ("/title", "required")]),
        ({"title": "ab", "text": "x"}, [("/title", "too_short")]),
        ({"title": "x" * 21, "text": None}, [("/text", "not_nullable"), ("/title", "too_long")]),
        (
            {"title": "abc", "text": "x", "slug": "s", "is_draft": False, "rank": 1},
            [("/is_draft", "unknown_field"), ("/rank", "unknown_field"), ("/slug", "unknown_field")],
        ),
        (
            {"title": "abc", "text": "x", "tags": ["", "ok"], "price": -1},
            [("/price", "too_small"), ("/tags/0", "too_short")],
        ),
    ],
)
async def test_a_body_names_every_violation_of_model_and_dto(
    journal: Journal, path: str, body: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    response = await journal.writer.post(path, json=body)

    assert (response.status, errors_of(response)) == (422, errors)


async def test_a_field_of_a_role_is_a_member_for_that_role(journal: Journal) -> None:
    body = {"title": "Bees", "text": "They hum.", "rank": 3}

    created = await journal.editor.post("/api/essays/whole", json=body)

    assert (created.status, created.data["rank"]) == (201, 3)


async def test_the_rule_of_a_field_holds_for_every_row_of_a_body(journal: Journal) -> None:
    body = {"title": "Bees", "text": "They hum."}

    refused = await journal.writer.post("/api/essays/published", json={**body, "mood": "merry"})
    allowed = await journal.writer.post("/api/essays/published", json=body)

    assert refused.status == 403
    assert [row["mood"] for row in allowed.data] == ["calm", "calm"]


async def test_members_that_were_not_sent_have_their_defaults(journal: Journal) -> None:
    response = await journal.writer.post("/api/essays/shown", json={"title": "Bees", "text": "x"})

    assert response.data == {"title": "Bees", "tags": [], "price": "1.50", "note": None, "mood": "calm"}


async def essay(journal: Journal, *, is_draft: bool = True) -> str:
    created = await journal.writer.post("/api/essays", json={"title": "Bees", "text": "They hum."})
    async with app.transaction() as tx:
        (await tx.session.get_one(Essay, created.data["id"])).is_draft = is_draft
    return str(created.data["id"])


@pytest.mark.parametrize("path", ["/api/essays/{}", "/api/essays/{}/part"])
async def test_what_was_sent_changes_and_nothing_else(journal: Journal, path: str) -> None:
    id = await essay(journal)

    changed = await journal.writer.request("PATCH", path.format(id), json={"tags": ["a"], "note": "n"})

    assert changed.status == 200
    shown = {name: changed.data[name] for name in ("title", "text", "tags", "note")}
    assert shown == {"title": "Bees", "text": "They hum.", "tags": ["a"], "note": "n"}


@pytest.mark.parametrize("path", ["/api/essays/{}", "/api/essays/{}/part"])
@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"title": None, "tags": None}, [("/tags", "not_nullable"), ("/title", "not_nullable")]),
        ({"price": 1, "slug": "x"}, [("/price", "unknown_field"), ("/slug", "unknown_field")]),
        ({"rank": 1}, [("/rank", "unknown_field")]),
    ],
)
async def test_a_change_refuses_what_it_may_not_set(
    journal: Journal, path: str, body: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    id = await essay(journal)

    response = await journal.writer.request("PATCH", path.format(id), json=body)

    assert (response.status, errors_of(response)) == (422, errors)


@pytest.mark.parametrize("path", ["/api/essays/{}", "/api/essays/{}/part"])
async def test_the_rule_of_a_field_that_depends_on_the_row_holds(journal: Journal, path: str) -> None:
    id = await essay(journal, is_draft=False)

    refused = await journal.writer.request("PATCH", path.format(id), json={"note": "late"})
    allowed = await journal.writer.request("PATCH", path.format(id), json={"title": "Wasps"})

    assert (refused.status, allowed.status) == (403, 200)
    assert allowed.data["note"] is None


async def test_a_row_of_a_mapped_dataclass_is_made(journal: Journal) -> None:
    created = await journal.anonymous.post("/api/body-desk/stamps", json={"name": "red"})

    assert (created.status, created.data["printed"], created.data["count"]) == (201, "today", 7)


async def test_a_body_of_every_kind_of_member_is_read(journal: Journal) -> None:
    body = {**PARTS, "either": "ab", "role": "editor", "nick": None, "share": "0.1", "inner": PARTS, "free": [1.5]}

    response = await journal.anonymous.request("PUT", "/api/body-desk/parts", json=body)

    assert response.status == 200
    assert response.data["shape"] == {"type": "circle", "radius": 1}
    assert (response.data["either"], response.data["role"], response.data["nick"]) == ("ab", "editor", None)
    assert "nick" not in response.data["inner"]


@pytest.mark.parametrize(
    ("changed", "errors"),
    [
        ({"shape": {"type": "circle", "radius": 0}}, [("/shape/radius", "too_small")]),
        ({"shape": {"type": "square", "side": 10.01}}, [("/shape/side", "too_large")]),
        ({"shape": {"type": "line", "side": 1}}, [("/shape/type", "not_a_choice")]),
        ({"shape": {"side": 1}}, [("/shape/type", "required")]),
        ({"shape": {"type": "circle", "radius": 1, "x": 1}}, [("/shape/x", "unknown_field")]),
        ({"named": {"name": "abcdef"}}, [("/named/name", "too_long")]),
        ({"pair": [0, 1]}, [("/pair/0", "too_small"), ("/pair/1", "wrong_type")]),
        ({"pair": [1]}, [("/pair", "too_short")]),
        ({"counts": {"abcd": 1, "b": 10}}, [("/counts/abcd", "too_long")]),
        ({"counts": {"b": 10}}, [("/counts/b", "too_large")]),
        ({"either": "a"}, [("/either", "too_short")]),
        ({"either": []}, [("/either", "wrong_type")]),
        ({"nick": "abcd"}, [("/nick", "too_long")]),
        ({"level": 3}, [("/level", "not_a_choice")]),
        ({"share": 0}, [("/share", "too_small")]),
        ({"inner": {**PARTS, "pair": [0, "x"]}}, [("/inner/pair/0", "too_small")]),
        ({"named": {"name": "a\0"}, "pair": [0, "x"]}, [("/named/name", "invalid_text"), ("/pair/0", "too_small")]),
    ],
)
async def test_constraints_hold_at_every_depth(
    journal: Journal, changed: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    response = await journal.anonymous.request("PUT", "/api/body-desk/parts", json={**PARTS, **changed})

    assert (response.status, errors_of(response)) == (422, errors)


async def test_a_union_of_classes_is_a_body(journal: Journal) -> None:
    response = await journal.anonymous.post("/api/body-desk/shapes", json={"type": "square", "side": 1})

    assert response.data == "Square"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({"first": 2, "last": 1}, [("", "invalid_value")]),
        ({"first": 0, "lst": 1}, [("/first", "too_small"), ("/last", "required"), ("/lst", "unknown_field")]),
    ],
)
async def test_a_pydantic_model_is_a_body(journal: Journal, body: Any, errors: list[tuple[str, str]]) -> None:
    response = await journal.anonymous.post("/api/body-desk/spans", json=body)

    assert (response.status, errors_of(response)) == (422, errors)


async def test_bounds_of_the_route_hold_with_the_other_violations(journal: Journal) -> None:
    body = {**PARTS, "pair": [0, "x"], "free": [[[[1]]]]}

    response = await journal.anonymous.post("/api/body-desk/deep", json=body)

    assert errors_of(response) == [("/free/0/0", "too_deep"), ("/pair/0", "too_small")]


@pytest.mark.parametrize(
    ("content", "status"), [(b"", 200), (b"null", 200), (b'{"name": "a", "name": "b"}', 400), (b"{", 400)]
)
async def test_a_body_with_a_default_may_be_absent(journal: Journal, content: bytes, status: int) -> None:
    headers = {"content-type": "application/json"}

    response = await journal.anonymous.request("POST", "/api/body-desk/optional", content=content, headers=headers)

    assert response.status == status


@pytest.mark.parametrize(
    ("path", "content", "shown"),
    [
        ("maybe-stamp", b"", "nothing"),
        ("maybe-stamp", b" null ", "nothing"),
        ("maybe-stamp", b'{"name": "a"}', "a"),
        ("maybe-essay", b"", ["nothing"]),
        ("maybe-essay", b'{"title": "a"}', ["title"]),
        ("maybe-stamp", b'{"size": "a"}', None),
    ],
)
async def test_a_dto_with_a_default_may_be_absent(journal: Journal, path: str, content: bytes, shown: Any) -> None:
    headers = {"content-type": "application/json"}

    response = await journal.anonymous.request("POST", f"/api/body-desk/{path}", content=content, headers=headers)

    assert (response.status, response.json().get("data")) == ((422, None) if shown is None else (200, shown))


@pytest.mark.parametrize("kind", [None, "application/json", "text/plain", "x", "multipart/form-data; boundary=b"])
async def test_raw_bytes_are_taken_of_any_type(journal: Journal, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}

    taken = await journal.anonymous.request("POST", "/api/body-desk/hook", content=b"\xff{", headers=headers)
    refused = await journal.anonymous.request("POST", "/api/body-desk/hook", content=b"x" * 21, headers=headers)

    assert (taken.status, taken.data, refused.status) == (200, "ff7b", 413)


@pytest.mark.parametrize(
    ("content", "code", "pointers"),
    [
        (b"nope", "malformed_json", []),
        (b"", "malformed_json", []),
        (b"\xff", "malformed_json", []),
        (b"[]", "invalid_body", [""]),
        (b'{"external_ref": "a", "external_ref": "b", "lines": []}', "malformed_json", []),
        (
            b'{"external_ref": "", "lines": [{"copies": 0}], "n": 1}',
            "invalid_body",
            ["/external_ref", "/lines/0/copies", "/n"],
        ),
    ],
)
async def test_raw_bytes_are_parsed_as_strictly_as_a_body(
    journal: Journal, content: bytes, code: str, pointers: list[str]
) -> None:
    path = "/api/body-desk/parsed"
    good = await journal.anonymous.request("POST", path, content=b'{"external_ref":"a","lines":[{"copies":2}]}')
    refused = await journal.anonymous.request("POST", path, content=content)

    assert good.data == {"ref": "a", "lines": [2]}
    assert (refused.json()["code"], [error["pointer"] for error in refused.json()["errors"]]) == (code, pointers)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "text/plain"])
@pytest.mark.parametrize("path", ["spans", "bare", "stamps"])
async def test_forms_and_uploads_are_not_json(journal: Journal, kind: str, path: str) -> None:
    response = await journal.anonymous.request(
        "POST", f"/api/body-desk/{path}", content=b"a=b", headers={"content-type": kind}
    )

    assert response.status == 415


@pytest.mark.parametrize(
    ("content", "headers"),
    [(b"", {}), (b"", {"content-type": "application/json"}), (b"{}", {"content-type": "application/json"})],
)
async def test_an_endpoint_without_a_body_ignores_one(
    journal: Journal, content: bytes, headers: dict[str, str]
) -> None:
    response = await journal.anonymous.request("POST", "/api/body-desk/bare", content=content, headers=headers)

    assert (response.status, response.data) == (200, "done")


async def test_a_class_of_query_parameters(journal: Journal) -> None:
    path = "/api/body-desk/search"

    plain = await journal.anonymous.get(path)
    full = await journal.anonymous.get(f"{path}?opens=2030-01-31&sizes=1&sizes=2&role=editor&price=0.10&page=2")

    assert plain.data == {"opens": None, "sizes": None, "role": "author", "price": None, "page": 1}
    assert full.data == {"opens": "2030-01-31", "sizes": [1, 2], "role": "editor", "price": "0.10", "page": 2}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("search?sizes=1&sizes=0&price=-1&page=x", ["sizes", "price", "page"]),
        ("search?sizes=13", ["13 is no size."]),
        ("search?rol=author&page=x", ["role", "page"]),
        ("search?role=reader", ["author, editor"]),
        ("spans?first=0", ["first", "last"]),
        ("spans?first=2&last=1", ["The last comes before the first."]),
        ("spans?first=0&last=1", ["first"]),
    ],
)
async def test_a_class_of_query_parameters_names_every_violation(
    journal: Journal, query: str, words: list[str]
) -> None:
    response = await journal.anonymous.get(f"/api/body-desk/{query}")

    assert response.status == 400
    assert all(word in response.json()["detail"] for word in words)
