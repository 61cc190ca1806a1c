"""The documents of the examples are valid OpenAPI 3.1, and say what a client has to know."""

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from examples.bookshop.app import app as bookshop
from openapi_spec_validator import OpenAPIV31SpecValidator

from gatepost import Actor, anonymous
from gatepost.settings import Settings

ROOT = Path(__file__).parents[3]

EXAMPLES = ["examples.bookshop.app:app", "examples.conduit.conduit:app", "examples.bookstore.app:app"]

ACTORS = [anonymous, Actor(1), Actor(1, frozenset({"editor"}))]


@cache
def printed(example: str) -> Any:
    """What the owner of an example sees: in a process of its own, because examples have tables of the same names."""
    command = [sys.executable, "-c", "from gatepost.cli.main import main; main()", "openapi", "--app", example]
    return json.loads(subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60).stdout)


@pytest.fixture(scope="module")
def openapi() -> Any:
    """The documents of the bookshop."""
    return bookshop.composed(Settings()).openapi


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_whole_document_is_valid(example: str) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(printed(example)).iter_errors()] == []


@pytest.mark.parametrize("actor", ACTORS, ids=repr)
def test_the_document_of_an_actor_is_valid(actor: Actor, openapi: Any) -> None:
    found = json.loads(openapi.document(actor).body)

    assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_operation_and_schema_has_a_name_and_every_reference_leads_somewhere(example: str) -> None:
    found = printed(example)
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]

    assert len(names) == len({*names})
    assert all(operation["summary"] and operation["tags"] for operation in operations)
    assert all(schema["title"] == name for name, schema in found["components"]["schemas"].items())
    for reference in references(found):
        place: Any = found
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]
        assert place is not None


def references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in references(value)]
    return [found for value in node for found in references(value)] if isinstance(node, list) else []


def parameters_of(found: Any, method: str, path: str) -> dict[str, Any]:
    parameters = [
        item if "name" in item else found["components"]["parameters"][item["$ref"].rpartition("/")[2]]
        for item in found["paths"][path][method]["parameters"]
    ]
    return {item["name"]: item for item in parameters}


def test_filters_are_one_parameter_each_and_shared_by_reference() -> None:
    found = printed(EXAMPLES[0])
    parameters = parameters_of(found, "get", "/api/books")

    assert parameters["price[lt]"]["schema"] == {"anyOf": [{"type": "number"}, {"type": "string", "enum": ["NaN"]}]}
    assert parameters["title[contains]"]["schema"] == {"type": "string"}
    assert parameters["author.name"]["in"] == "query"
    assert (
        parameters["sort"]["schema"]["pattern"]
        == "^-?(?:id|title|price|author_id)(?:,-?(?:id|title|price|author_id))*$"
    )
    assert {"$ref": "#/components/parameters/books.price.lt"} in found["paths"]["/api/books"]["get"]["parameters"]
    assert not any(item.get("style") for item in parameters.values())


def test_a_list_says_which_relations_its_filters_may_follow() -> None:
    paths = printed(EXAMPLES[0])["paths"]

    assert paths["/api/books"]["get"]["x-relation-filters"] == {"author": "authors.list"}
    assert paths["/api/authors"]["get"]["x-relation-filters"] == {"books": "books.list"}
    assert paths["/api/books"]["get"]["description"] == (
        "Filters may follow up to 3 relations: put `author.` before a filter of `authors.list`, and so on."
    )
    assert "x-relation-filters" not in paths["/api/orders"]["get"]


def test_expansions_are_named_as_deep_as_they_go() -> None:
    found = printed(EXAMPLES[0])
    pattern = re.compile(parameters_of(found, "get", "/api/books")["expand"]["schema"]["pattern"])

    assert pattern.search("author")
    assert not pattern.search("author.books")
    assert not pattern.search(",".join(["author"] * 11))


def test_a_creation_links_to_what_can_be_done_with_the_row() -> None:
    links = printed(EXAMPLES[0])["paths"]["/api/books"]["post"]["responses"]["201"]["links"]

    assert {name: link["operationId"] for name, link in links.items()} == {
        "get": "books.get",
        "update": "books.update",
        "delete": "books.delete",
    }
    assert links["get"]["parameters"] == {"id": "$response.body#/data/id"}


def test_defaults_stand_in_bodies_of_creations_alone() -> None:
    schemas = printed(EXAMPLES[0])["components"]["schemas"]

    assert schemas["BookCreate"]["properties"]["stock"]["default"] == 0
    assert "default" not in schemas["BookUpdate"]["properties"]["stock"]


def test_a_patch_is_a_merge_patch_or_plain_json() -> None:
    body = printed(EXAMPLES[0])["paths"]["/api/books/{id}"]["patch"]["requestBody"]

    assert list(body["content"]) == ["application/merge-patch+json", "application/json"]


def test_refusals_name_their_codes_and_the_gate_s_are_one_default() -> None:
    found = printed(EXAMPLES[0])
    responses = found["paths"]["/api/books/{id}"]["get"]["responses"]
    missing = found["components"]["responses"][responses["404"]["$ref"].rpartition("/")[2]]

    assert missing["content"]["application/problem+json"]["schema"]["properties"]["code"] == {"enum": ["not_found"]}
    assert responses["default"] == {"$ref": "#/components/responses/Refused"}
    assert "Retry-After" in found["components"]["responses"]["Refused"]["headers"]


def test_the_form_of_a_dialect_is_the_first_of_a_refusal() -> None:
    found = printed(EXAMPLES[1])["components"]["responses"]["Refused"]

    assert list(found["content"]) == ["application/json", "application/problem+json"]


def test_the_dialect_decides_names_envelopes_scheme_and_form_of_refusals() -> None:
    found = printed(EXAMPLES[1])
    listed = found["paths"]["/api/articles"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    schema = found["components"]["schemas"][listed["$ref"].rpartition("/")[2]]
    card = found["components"]["schemas"]["ArticleCard"]
    (scheme,) = found["components"]["securitySchemes"].values()
    refused = found["components"]["responses"][
        found["paths"]["/api/articles/{slug}"]["put"]["responses"]["404"]["$ref"].rpartition("/")[2]
    ]

    assert schema["required"] == ["articles", "articlesCount"]
    assert {"tagList", "favoritesCount", "createdAt"} <= card["properties"].keys()
    assert card["properties"]["favoritesCount"]["type"] == "integer"
    assert (scheme["in"], scheme["name"]) == ("header", "Authorization")
    assert refused["content"]["application/json"]["examples"]["not_found"]["value"] == {
        "errors": {"request": ["not found"]}
    }


def test_the_anonymous_are_told_what_signing_in_would_open_to_a_user_without_roles(openapi: Any) -> None:
    paths = json.loads(openapi.document(anonymous).body)["paths"]
    editor = Actor(1, frozenset({"editor"}))

    assert paths["/api/orders"].keys() == {"get", "post"}
    assert paths["/api/books"].keys() == {"get"}
    assert json.loads(openapi.document(editor).body)["paths"]["/api/books"].keys() == {"get", "post"}


def test_actors_for_whom_the_policies_decide_alike_share_a_document(openapi: Any) -> None:
    assert openapi.document(Actor(1)) is openapi.document(Actor(2, frozenset({"reader"})))
    assert openapi.document(Actor(1)) is not openapi.document(Actor(1, frozenset({"editor"})))


def test_what_makes_documents_is_loaded_at_the_first_request() -> None:
    program = (
        "import sys; from examples.bookshop.app import app; from gatepost.settings import Settings;"
        "composed = app.composed(Settings()); before = 'gatepost.openapi.document' in sys.modules;"
        "composed.openapi.full(); print(before, 'gatepost.openapi.document' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True)

    assert ended.stdout.split() == ["False", "True"]
