"""Changes of a document, each with its harmless opposite: what narrows a request or widens a response breaks."""

import json
from typing import Any

import pytest

from gatepost.openapi.breaking_changes import breaking_changes
from gatepost.openapi.list_patterns import list_pattern
from gatepost.openapi.schema_variants import InvalidDocument

BOOK: dict[str, Any] = {
    "type": "object",
    "required": ["id", "title"],
    "properties": {"id": {"type": "integer"}, "title": {"type": "string"}, "genre": {"enum": ["novel", "poem"]}},
}
DRAFT: dict[str, Any] = {
    "type": "object",
    "required": ["title"],
    "additionalProperties": False,
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "price": {"type": ["string", "number"]},
        "genre": {"enum": ["novel", "poem"]},
    },
}


def document(*, sent: Any = None, shown: Any = None, operation: dict[str, Any] | None = None) -> dict[str, Any]:
    """A document with one operation: what may be sent to it, and what it shows."""
    return {
        "openapi": "3.1.0",
        "paths": {
            "/books/{id}": {
                "post": {
                    "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}],
                    "requestBody": {"required": True, "content": {"application/json": {"schema": sent or DRAFT}}},
                    "responses": {"200": {"content": {"application/json": {"schema": shown or BOOK}}}},
                    **(operation or {}),
                }
            }
        },
    }


def changed(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """A schema with other properties, or without those that are None."""
    found = {**schema["properties"], **properties}
    return {**schema, "properties": {name: value for name, value in found.items() if value is not None}}


def parameters(*found: dict[str, Any]) -> dict[str, Any]:
    """An operation with these parameters beside the one of its path."""
    return {"parameters": [*document()["paths"]["/books/{id}"]["post"]["parameters"], *found]}


def query(name: str = "limit", *, required: bool = False, **schema: Any) -> dict[str, Any]:
    """A parameter of the query string."""
    return {"name": name, "in": "query", "required": required, "schema": schema or {"type": "integer"}}


def response(schema: Any, status: str = "200", **header: Any) -> dict[str, Any]:
    """A response besides the usual one."""
    usual = document()["paths"]["/books/{id}"]["post"]["responses"]
    given = {"content": {"application/json": {"schema": schema}}, "headers": header}
    return {"responses": {**usual, status: given}}


def breaks(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """What breaks, as lines."""
    return [str(change) for change in breaking_changes(old, new)]


SAME = document()
NO_PATHS = {"openapi": "3.1.0", "paths": {}}
NULLABLE = {"type": ["string", "null"]}
TAGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}

BREAKING: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "operation removed": (SAME, NO_PATHS, "POST /books/{id}: the operation is gone."),
    "required request field added": (
        SAME,
        document(sent={**changed(DRAFT, isbn={"type": "string"}), "required": ["title", "isbn"]}),
        "POST /books/{id}, the body /isbn: is required now.",
    ),
    "request field made required": (
        SAME,
        document(sent={**DRAFT, "required": ["title", "price"]}),
        "POST /books/{id}, the body /price: is required now.",
    ),
    "request type narrowed": (
        SAME,
        document(sent=changed(DRAFT, price={"type": "string"})),
        "POST /books/{id}, the body /price: a value of the type 'number' is no longer accepted.",
    ),
    "request bound narrowed": (
        SAME,
        document(sent=changed(DRAFT, title={"type": "string", "maxLength": 100})),
        "POST /books/{id}, the body /title: `maxLength` was 200 and is 100.",
    ),
    "request bound added": (
        SAME,
        document(sent=changed(DRAFT, title={"type": "string", "maxLength": 200, "minLength": 1})),
        "POST /books/{id}, the body /title: `minLength` was not there and is 1.",
    ),
    "request enum value removed": (
        SAME,
        document(sent=changed(DRAFT, genre={"enum": ["novel"]})),
        'POST /books/{id}, the body /genre: "poem" is no longer accepted.',
    ),
    "request field removed": (
        SAME,
        document(sent=changed(DRAFT, genre=None)),
        "POST /books/{id}, the body /genre: is no longer accepted.",
    ),
    "response field removed": (
        SAME,
        document(shown=changed(BOOK, genre=None)),
        "POST /books/{id}, the response 200 /genre: is gone.",
    ),
    "response field optional": (
        SAME,
        document(shown={**BOOK, "required": ["id"]}),
        "POST /books/{id}, the response 200 /title: may be absent now.",
    ),
    "response type widened": (
        SAME,
        document(shown=changed(BOOK, id={"type": "number"})),
        "POST /books/{id}, the response 200 /id: a value of the type 'number' may be the value now.",
    ),
    "response enum value added": (
        SAME,
        document(shown=changed(BOOK, genre={"enum": ["novel", "poem", "essay"]})),
        'POST /books/{id}, the response 200 /genre: "essay" may be the value now.',
    ),
    "null added to a response": (
        SAME,
        document(shown=changed(BOOK, title=NULLABLE)),
        "POST /books/{id}, the response 200 /title: a value of the type 'null' may be the value now.",
    ),
    "null added to a response by a branch": (
        SAME,
        document(shown=changed(BOOK, title={"anyOf": [{"type": "string"}, {"type": "null"}]})),
        "POST /books/{id}, the response 200 /title: a value of the type 'null' may be the value now.",
    ),
    "null removed from a request": (
        document(sent=changed(DRAFT, title=NULLABLE)),
        document(sent=changed(DRAFT, title={"type": "string"})),
        "POST /books/{id}, the body /title: a value of the type 'null' is no longer accepted.",
    ),
    "response status removed": (
        document(operation=response(BOOK, "201")),
        SAME,
        "POST /books/{id}, the response 201: is gone.",
    ),
    "response header removed": (
        document(operation=response(BOOK, ETag={"schema": {"type": "string"}})),
        document(operation=response(BOOK)),
        "POST /books/{id}, the response 200, the header 'ETag': is gone.",
    ),
    "parameter made required": (
        document(operation=parameters(query())),
        document(operation=parameters(query(required=True))),
        "POST /books/{id}, the parameter 'limit' (query): is required now.",
    ),
    "required parameter added": (
        SAME,
        document(operation=parameters(query(required=True))),
        "POST /books/{id}, the parameter 'limit' (query): is new and required.",
    ),
    "parameter removed": (
        document(operation=parameters(query())),
        SAME,
        "POST /books/{id}, the parameter 'limit' (query): is no longer accepted.",
    ),
    "parameter narrowed": (
        document(operation=parameters(query(type="integer", maximum=100))),
        document(operation=parameters(query(type="integer", maximum=50))),
        "POST /books/{id}, the parameter 'limit' (query): `maximum` was 100 and is 50.",
    ),
    "sort order removed": (
        document(operation=parameters(query(type="string", pattern=list_pattern(["price", "title"], is_signed=True)))),
        document(operation=parameters(query(type="string", pattern=list_pattern(["title"], is_signed=True)))),
        "POST /books/{id}, the parameter 'limit' (query): no longer accepts price.",
    ),
    "relation of filters removed": (
        document(operation={"x-relation-filters": {"author": "authors.list", "shelf": "shelves.list"}}),
        document(operation={"x-relation-filters": {"shelf": "shelves.list"}}),
        "POST /books/{id}, filters over 'author': are no longer accepted.",
    ),
    "field of a relation removed": (
        document(operation={"x-relation-filters": {"author": ["name", "born"]}}),
        document(operation={"x-relation-filters": {"author": ["name"]}}),
        "POST /books/{id}, filters by 'author.born': are no longer accepted.",
    ),
    "media type removed": (
        document(operation={"requestBody": {"content": {"application/json": {}, "text/plain": {}}}}),
        document(operation={"requestBody": {"content": {"application/json": {}}}}),
        "POST /books/{id}, the body: the media type 'text/plain' is no longer accepted.",
    ),
    "body made required": (
        document(operation={"requestBody": {"content": {"application/json": {}}}}),
        document(operation={"requestBody": {"required": True, "content": {"application/json": {}}}}),
        "POST /books/{id}, the body: is required now.",
    ),
    "sign-in required": (
        document(operation={"security": [{"bearer": []}, {}]}),
        document(operation={"security": [{"bearer": []}]}),
        "POST /books/{id}: it cannot be called anonymously any more.",
    ),
    "scheme removed": (
        document(operation={"security": [{"bearer": []}, {"key": []}]}),
        document(operation={"security": [{"bearer": []}]}),
        "POST /books/{id}: key does not suffice any more.",
    ),
    "elements narrowed": (
        document(sent=changed(DRAFT, tags=TAGS)),
        document(sent=changed(DRAFT, tags={**TAGS, "items": {"type": "string", "maxLength": 20}})),
        "POST /books/{id}, the body /tags/*: `maxLength` was not there and is 20.",
    ),
    "elements widened": (
        document(shown=changed(BOOK, tags=TAGS)),
        document(shown=changed(BOOK, tags={"type": "array"})),
        "POST /books/{id}, the response 200 /tags/*: any value may be the value now.",
    ),
    "map narrowed": (
        document(sent={"type": "object", "additionalProperties": {"type": ["string", "integer"]}}),
        document(sent={"type": "object", "additionalProperties": {"type": "string"}}),
        "POST /books/{id}, the body /*: a value of the type 'integer' is no longer accepted.",
    ),
    "other members refused": (
        document(sent={"type": "object"}),
        document(sent={"type": "object", "additionalProperties": False}),
        "POST /books/{id}, the body: other members are no longer accepted.",
    ),
    "format changed": (
        document(shown=changed(BOOK, at={"type": "string", "format": "date"})),
        document(shown=changed(BOOK, at={"type": "string", "format": "date-time"})),
        'POST /books/{id}, the response 200 /at: `format` was "date" and is "date-time".',
    ),
    "member of allOf removed": (
        document(shown={"allOf": [BOOK, {"type": "object", "properties": {"stock": {"type": "integer"}}}]}),
        SAME,
        "POST /books/{id}, the response 200 /stock: is gone.",
    ),
}

BOTH_WAYS = ("format changed", "required request field added", "required parameter added")
"""Changes whose opposite breaks as well."""


@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_found_and_its_opposite_is_harmless(name: str) -> None:
    old, new, line = BREAKING[name]
    assert breaks(old, new) == [line]
    if name not in BOTH_WAYS:
        assert breaks(new, old) == []


@pytest.mark.parametrize("name", BREAKING)
def test_a_document_breaks_nothing_of_itself(name: str) -> None:
    old, new, _ = BREAKING[name]
    assert breaks(old, old) == []
    assert breaks(new, new) == []


def test_parameters_of_a_path_may_be_renamed() -> None:
    text = json.dumps(SAME).replace("{id}", "{key}").replace('"name": "id"', '"name": "key"')
    assert breaks(SAME, json.loads(text)) == []


def test_schemas_may_move_into_components_and_may_contain_themselves() -> None:
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "above": {"$ref": "#/components/schemas/Tree"}},
    }
    old = {**document(shown={"$ref": "#/components/schemas/Tree"}), "components": {"schemas": {"Tree": tree}}}
    longer = changed(tree, name=NULLABLE)
    new = {**old, "components": {"schemas": {"Tree": longer}}}
    place = "POST /books/{id}, the response 200"
    assert breaks(old, old) == []
    assert breaks(document(shown=tree["properties"]["name"]), document(shown={"type": "string"})) == []
    assert breaks(old, new) == [f"{place} /name: a value of the type 'null' may be the value now."]


def test_branches_are_compared_with_the_branch_that_they_resemble() -> None:
    def events(**other: Any) -> dict[str, Any]:
        made = {"kind": {"const": "made"}, "by": {"type": "string"}}
        moved = {"kind": {"const": "moved"}, "to": {"type": "string"}, **other}
        return {"oneOf": [{"type": "object", "properties": each, "required": ["kind"]} for each in (made, moved)]}

    assert breaks(document(sent=events()), document(sent=events(at={"type": "string"}))) == []
    assert breaks(document(sent=events()), document(sent=events(to={"type": "integer"}))) == [
        "POST /books/{id}, the body /to: a value of the type 'string' is no longer accepted."
    ]


@pytest.mark.parametrize("wrong", [{}, {"openapi": "3.1.0"}, {"paths": {}}, {"openapi": "3.1.0", "paths": {"/": 5}}])
def test_what_is_no_document_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidDocument):
        breaking_changes(wrong, SAME)


def test_a_reference_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(InvalidDocument, match="leads nowhere"):
        breaking_changes(document(sent={"$ref": "#/components/schemas/Lost"}), SAME)


def test_a_refusal_may_have_another_code() -> None:
    def refusing(*codes: str) -> dict[str, Any]:
        problem = {"type": "object", "properties": {"code": {"enum": [*codes]}, "status": {"type": "integer"}}}
        return document(operation=response(problem, "409"))

    assert breaks(refusing("out_of_stock"), refusing("out_of_stock", "sold_out")) == []
    assert breaks(refusing("out_of_stock"), SAME) == ["POST /books/{id}, the response 409: is gone."]
