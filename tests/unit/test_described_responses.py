"""What holds responses against documents finds what is missing in them."""

import json
from typing import Any

import pytest
from examples.bookshop.app import app
from tests.described_responses import DescribedResponses

from gatepost.settings import Settings

BOOK = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "title": "Emma",
    "price": "9.50",
    "stock": 1,
    "author_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "created_at": "2030-01-31T12:30:00Z",
    "updated_at": "infinity",
    "version": 1,
}


@pytest.fixture(scope="module")
def described() -> DescribedResponses:
    return DescribedResponses(app.composed(Settings()).openapi.full())


@pytest.mark.parametrize(
    ("method", "path", "status", "headers", "code", "sentence"),
    [
        ("GET", "/api/books", 200, ["link", "ratelimit", "x-other"], None, None),
        ("GET", "/api/books/1", 404, ["x-request-id"], "not_found", None),
        ("GET", "/api/books/1", 503, ["retry-after"], "overloaded", None),
        ("GET", "/api/nothing", 200, [], None, "GET /api/nothing is not described."),
        ("GET", "/api/books", 203, [], None, "GET /api/books: 203 is not described."),
        ("GET", "/api/books", 200, ["etag"], None, "GET /api/books: etag of 200 is not described."),
        ("GET", "/api/books", 404, [], "not_found", "GET /api/books: not_found of 404 is not described."),
        ("GET", "/api/books", 400, [], "not_sortable", None),
        ("GET", "/api/books/1", 400, [], "not_sortable", "GET /api/books/1: not_sortable of 400 is not described."),
    ],
)
def test_a_response_is_described_or_said_not_to_be(
    method: str, path: str, status: int, headers: list[str], code: str | None, sentence: str | None, described: Any
) -> None:
    assert [*described.undescribed(method, path, status, headers, code)] == ([sentence] if sentence else [])


@pytest.mark.parametrize(
    ("book", "is_fit"),
    [
        (BOOK, True),
        ({"title": "Emma"}, True),
        ({**BOOK, "cost": 1}, False),
        ({**BOOK, "price": 9.5}, False),
        ({**BOOK, "created_at": "yesterday"}, False),
        ({**BOOK, "title": None}, False),
        ({**BOOK, "author": None}, True),
    ],
)
def test_a_body_fits_its_schema_or_is_said_not_to(book: Any, is_fit: bool, described: Any) -> None:
    found = [*described.misfits("GET", "/api/books/1", 200, "application/json", json.dumps({"data": book}).encode())]

    assert (found == []) is is_fit


NODE = {
    "type": "object",
    "properties": {
        "default": {"type": "integer"},
        "children": {"type": "array", "items": {"$ref": "#/components/schemas/Node"}},
        "leaf": {"$ref": "#/components/schemas/Leaf", "description": "The last one."},
        "kind": {"const": {"type": "object", "properties": {}}},
    },
}
LEAF = {"type": "object", "properties": {"size": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("body", "is_fit"),
    [
        ({"default": 1, "children": [{"children": [{"default": 2}]}], "leaf": {"size": 1}}, True),
        ({"children": [{"children": [{"size": 1}]}]}, False),
        ({"children": [{"children": [{"default": "two"}]}]}, False),
        ({"leaf": {"size": "large"}}, False),
        ({"leaf": {"width": 1}}, False),
        ({"kind": {"type": "object", "properties": {}}}, True),
        ({"kind": {"type": "object", "properties": {}, "additionalProperties": False}}, False),
    ],
)
def test_schemas_are_closed_behind_references_and_values_are_no_schemas(body: Any, is_fit: bool) -> None:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Node"}}}
    document = {
        "paths": {"/nodes": {"get": {"responses": {"200": {"$ref": "#/components/responses/Nodes"}}}}},
        "components": {"responses": {"Nodes": {"content": content}}, "schemas": {"Node": NODE, "Leaf": LEAF}},
    }

    found = [*DescribedResponses(document).misfits("GET", "/nodes", 200, "application/json", json.dumps(body).encode())]

    assert (found == []) is is_fit
