"""Envelopes by the names of DTOs: around rows, lists and bodies, of derived endpoints and own ones; and what refusals
are about."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from dialects_clients import Spoken
from lending_app import library
from sqlalchemy import MetaData

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

SHORT = {"fullTitle": ["too_short"], "pageCount": ["too_small"]}

BOTH = {"fullTitle": ["required"], "pageCount": ["required"]}


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the library."""
    return library.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def at_desk(module_database_url: str) -> AsyncIterator[Spoken]:
    """The library, with an editor."""
    async with TestApp(library, module_database_url) as running:
        yield Spoken(running, await running.user("editor"))


async def shelf(at_desk: Spoken, **values: Any) -> str:
    """The code of a new shelf."""
    code = secrets.token_hex(4)
    made = await at_desk.editor.post("/api/shelves", json={"shelf": {"codeName": code, **values}})
    assert made.status == 201, made.body
    return code


async def book(at_desk: Spoken, code: str, title: str = "Ode") -> str:
    """The path of a new book."""
    body = {"draft": {"fullTitle": title, "pageCount": 3}}
    made = await at_desk.editor.post(f"/api/shelves/{code}/books", json=body)
    assert made.status == 201, made.body
    return str(made.headers["location"])


async def test_rows_and_lists_have_the_names_of_their_dtos(at_desk: Spoken) -> None:
    code, client = await shelf(at_desk), at_desk.running.anonymous
    path = await book(at_desk, code)
    shown = {"fullTitle": "Ode", "pageCount": 3, "twiceCounted": 6, "shelf": {"codeName": code}}
    assert (await client.get(path)).json() == {"book": shown}
    assert (await client.get(f"/api/shelves/{code}/books")).json() == {"books": [shown], "booksCount": 1}
    assert (await client.get(f"/api/shelves?codeName={code}")).json() == {
        "shelves": [{"codeName": code}],
        "shelvesCount": 1,
    }
    changed = await at_desk.editor.put(path, json={"draft": {"fullTitle": "Odes"}})
    assert changed.json() == {"book": {**shown, "fullTitle": "Odes"}}


async def test_own_endpoints_have_them_as_well_or_a_name_of_their_own(at_desk: Spoken) -> None:
    code, client = await shelf(at_desk), at_desk.running.anonymous
    path = await book(at_desk, code, "Elegy")
    every = (await client.get("/api/desk/all")).json()
    assert every.keys() == {"books"}
    assert "Elegy" in [each["fullTitle"] for each in every["books"]]
    first = (await client.get("/api/desk/first?limit=1")).json()
    assert (first.keys(), len(first["pick"])) == ({"pick", "pickCount"}, 1)
    assert "Elegy" in (await client.get("/api/desk/titles")).json()["titles"]
    assert (await client.get(f"/api/desk/found/{code}")).json() == {"found": {"codeName": code}}
    assert (await client.get(f"/api/desk/shelves/{code}")).json() == {"data": {"code_name": code}}
    key = path.rpartition("/")[2]
    renamed = await at_desk.editor.put(f"/api/desk/{key}", json={"book": {"fullTitle": "Lament"}})
    assert renamed.json()["book"]["fullTitle"] == "Lament"


@pytest.mark.parametrize(
    ("content", "fields", "pointers"),
    [
        (b'{"draft": {}}', BOTH, ["/draft/fullTitle", "/draft/pageCount"]),
        (b"{}", BOTH, ["/draft/fullTitle", "/draft/pageCount"]),
        (
            b'{"fullTitle": "Ode", "pageCount": 3}',
            {"fullTitle": ["required", "unknown_field"], "pageCount": ["required", "unknown_field"]},
            ["/fullTitle", "/pageCount", "/draft/fullTitle", "/draft/pageCount"],
        ),
        (
            b'{"draft": {"fullTitle": "", "pageCount": 0}}',
            SHORT,
            ["/draft/fullTitle", "/draft/pageCount"],
        ),
        (b'{"draft": {"fullTitle": "Ode", "pageCount": 3}, "more": 1}', {"more": ["unknown_field"]}, ["/more"]),
        (b'{"draft": null}', {"draft": ["wrong_type"]}, ["/draft"]),
        (b"[]", {"": ["wrong_type"]}, [""]),
        (b'{"draft": {"fullTitle": "taken", "pageCount": 3}}', {"fullTitle": ["already_exists"]}, ["/draft/fullTitle"]),
    ],
)
async def test_what_is_wrong_in_a_body_is_found_below_its_envelope(
    at_desk: Spoken, content: bytes, fields: dict[str, list[str]], pointers: list[str]
) -> None:
    code = await shelf(at_desk)
    for path in (f"/api/shelves/{code}/books", f"/api/desk/{code}/books"):
        refused = await at_desk.editor.post(path, content=content, headers={"content-type": "application/json"})
        problem = refused.json()
        assert problem["fields"] == fields, (path, problem)
        assert sorted(problem["at"]) == sorted(pointers)


async def test_only_one_envelope_is_read(at_desk: Spoken) -> None:
    code, headers = await shelf(at_desk), {"content-type": "application/json"}
    good = b'{"fullTitle": "Ode", "pageCount": 3}'
    for path in (f"/api/shelves/{code}/books", f"/api/desk/{code}/books"):
        for content in (
            b'{"draft": {}, "draft": %b}' % good,
            b'{"draft": %b, "draft": {}}' % good,
            b'{"draft": %b} {}' % good,
            b'{"draft": %b' % good,
            b'{"draft": {"fullTitle": "a", "fullTitle": "b", "pageCount": 3}}',
        ):
            refused = await at_desk.editor.post(path, content=content, headers=headers)
            assert (refused.status, refused.json()["code"]) == (400, "malformed_json"), content
        for content in (b'\n{ "draft"\t: %b }\r\n' % good, b'{"\\u0064raft": %b}' % good):
            made = await at_desk.editor.post(path, content=content, headers=headers)
            assert made.status == 201, made.body


async def test_a_change_without_its_envelope_lacks_it(at_desk: Spoken) -> None:
    path = await book(at_desk, await shelf(at_desk))
    for place in (path, f"/api/desk/{path.rpartition('/')[2]}/part"):
        refused = await at_desk.editor.put(place, json={})
        assert (refused.status, refused.json()["fields"]) == (422, {"draft": ["required"]})
        assert (await at_desk.editor.put(place, json={"draft": {}})).status == 200
        refused = await at_desk.editor.put(place, json={"draft": {"fullTitel": "x"}})
        assert refused.json()["at"] == ["/draft/fullTitel"]


async def test_what_an_endpoint_refuses_is_below_the_envelope_of_its_body(at_desk: Spoken) -> None:
    key = (await book(at_desk, await shelf(at_desk))).rpartition("/")[2]
    refused = await at_desk.editor.put(f"/api/desk/{key}", json={"book": {"fullTitle": "x", "note": "no"}})
    assert (refused.status, refused.json()["at"]) == (409, ["/book/fullTitle"])


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_row_that_is_not_found_is_named(at_desk: Spoken, method: str) -> None:
    code, nothing = await shelf(at_desk), "01890000-0000-7000-8000-000000000000"
    closed = await shelf(at_desk, isClosed=True)
    stranger = await at_desk.running.user()
    hidden = (await book(at_desk, closed)).rpartition("/")[2]
    body = {"json": {"draft": {"fullTitle": "x"}}} if method == "PUT" else {}
    for path, about in (
        (f"/api/shelves/{code}/books/{nothing}", "book"),
        (f"/api/shelves/{code}/books/nothing", "book"),
        (f"/api/shelves/nowhere/books/{nothing}", "shelf"),
        (f"/api/shelves/{closed}/books/{hidden}", "shelf"),
    ):
        refused = await stranger.request(method, path, **body)
        assert (refused.status, refused.json()["about"]) == (404, about), path


async def test_a_row_above_or_of_a_path_that_is_not_found_is_named(at_desk: Spoken) -> None:
    client = at_desk.editor
    body = {"draft": {"fullTitle": "x", "pageCount": 1}}
    for response in (
        await client.get("/api/shelves/nowhere/books"),
        await client.post("/api/shelves/nowhere/books", json=body),
        await client.post("/api/desk/nowhere/books", json=body),
        await client.get("/api/desk/shelves/nowhere"),
        await client.get("/api/desk/found/nowhere"),
    ):
        assert (response.status, response.json()["about"]) == (404, "shelf")
    for key in ("nothing", "01890000-0000-7000-8000-000000000000"):
        response = await client.put(f"/api/desk/{key}", json={"book": {"fullTitle": "x"}})
        assert (response.status, response.json()["about"]) == (404, "book")


async def test_a_row_that_may_not_be_written_is_named(at_desk: Spoken) -> None:
    path = await book(at_desk, await shelf(at_desk))
    key, stranger = path.rpartition("/")[2], await at_desk.running.user()
    for response in (
        await stranger.put(path, json={"draft": {"fullTitle": "x"}}),
        await stranger.delete(path),
        await stranger.put(f"/api/desk/{key}", json={"book": {"fullTitle": "x"}}),
        await stranger.put(f"/api/desk/{key}/part", json={"draft": {"fullTitle": "x"}}),
    ):
        assert (response.status, response.json()["about"]) == (403, "book")
    moved = {"book": {"codeName": secrets.token_hex(4)}}
    refused = await stranger.put(f"/api/desk/{key}/shelf", json=moved)
    assert (refused.status, refused.json()["about"]) == (403, "shelf")
    assert (await at_desk.editor.put(f"/api/desk/{key}/shelf", json=moved)).json().keys() == {"moved"}


async def test_members_of_classes_have_wire_names_both_ways(at_desk: Spoken) -> None:
    line = {"type": "line", "itemCount": 2, "stamp": {"stamped-by": "x"}}
    report = {"lineItems": [line, {"type": "line", "itemCount": 1}], "extraData": {"as_it_is": 1}}
    response = await at_desk.editor.post("/api/desk/reports", json=report)
    assert (response.status, response.json()) == (200, {"reports": [report, report]})
    wrong = {
        "line_items": [],
        "lineItems": [{"itemCount": 0, "short_note": "x"}, {"stamp": {"stamped_by": "x"}}],
        "extraData": {},
    }
    refused = await at_desk.editor.post("/api/desk/reports", json=wrong)
    assert refused.json()["at"] == [
        "/lineItems/0/itemCount",
        "/lineItems/0/short_note",
        "/lineItems/1/itemCount",
        "/lineItems/1/stamp/stamped-by",
        "/lineItems/1/stamp/stamped_by",
        "/line_items",
    ]


async def test_members_of_pydantic_models_have_wire_names_both_ways(at_desk: Spoken) -> None:
    mark = {"postedFrom": "Ulm", "halfPrice": "2"}
    letter = {"firstMark": mark, "otherMarks": [mark, None], "marksByCode": {"a_b": mark}}
    shown = {**mark, "fullPrice": "4"}
    expected = {
        "firstMark": shown,
        "otherMarks": [shown, None],
        "marksByCode": {"a_b": shown},
        "sealedBy": {"signed-by": "x"},
    }
    sent = {**letter, "sealedBy": {"signed-by": "x"}}

    response = await at_desk.editor.post("/api/desk/letters", json=sent)
    assert (response.status, response.json()) == (200, {"letters": [expected]})
    inside = await at_desk.editor.post("/api/desk/parcels", json={"coverLetter": sent})
    assert inside.json() == {"parcel": {"coverLetter": expected, "wasOpened": False}}

    wrong = {
        "firstMark": {"posted_from": "x"},
        "otherMarks": [{**mark, "halfPrice": "x", "color": 1}],
        "marksByCode": {"a_b": {}},
        "sealedBy": {"signed_by": "x"},
    }
    pointers = [
        "/firstMark/postedFrom",
        "/firstMark/posted_from",
        "/marksByCode/a_b/postedFrom",
        "/otherMarks/0/color",
        "/otherMarks/0/halfPrice",
        "/sealedBy/signed-by",
        "/sealedBy/signed_by",
    ]
    refused = await at_desk.editor.post("/api/desk/letters", json=wrong)
    assert refused.json()["at"] == pointers
    nested = await at_desk.editor.post("/api/desk/parcels", json={"coverLetter": wrong})
    assert nested.json()["at"] == [f"/coverLetter{pointer}" for pointer in pointers]
