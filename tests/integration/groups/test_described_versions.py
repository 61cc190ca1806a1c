"""What describes an API with versions: the OpenAPI document, routes, explanations, pages; and what clients are told in
the dialect of their version."""

import asyncio
import re
from typing import Any

import msgspec
import pytest
from groups_app import app
from record_shop import Shop

from gatepost import Actor
from gatepost.cli.explained_request import parse_request
from gatepost.cli.explained_walk import Walk
from gatepost.cli.explanations import Explanation
from gatepost.database.statement_recording import RecordingDatabase
from gatepost.openapi.breaking_changes import breaking_changes
from gatepost.server.operation_rows import operation_rows
from gatepost.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def document() -> Any:
    """The whole document."""
    return app.composed(Settings()).openapi.full()


def references(found: object) -> set[str]:
    """What a part of a document refers to."""
    if isinstance(found, dict):
        own = {found["$ref"]} if "$ref" in found else set[str]()
        return own.union(*map(references, found.values()))
    return set[str]().union(*map(references, found)) if isinstance(found, list) else set()


def reached(document: Any, prefix: str) -> set[str]:
    """The names of the schemas that the operations below a prefix refer to, at any depth."""
    paths = [item for path, item in document["paths"].items() if path.startswith(prefix)]
    known: set[str] = set()
    found = references(paths)
    while found - known:
        reference = (found - known).pop()
        known.add(reference)
        _, _, section, name = reference.split("/")
        found |= references(document["components"][section][name])
    return {each.rpartition("/")[2] for each in known if "/schemas/" in each}


async def test_schemas_of_a_version_are_its_own(document: Any) -> None:
    shared = {"Problem", "Page"}
    first = reached(document, "/api/releases") | reached(document, "/api/songs") | reached(document, "/api/pins")
    second, third = reached(document, "/api/v2/"), reached(document, "/api/v3/")
    assert all(name.startswith("V2") for name in second - shared)
    assert all(name.startswith("V3") for name in third - shared)
    assert not any(name.startswith(("V2", "V3")) for name in first)
    assert document["components"]["schemas"]["V2Release"]["properties"].keys() == {
        "id",
        "title",
        "state",
        "unitCost",
        "labelId",
        "label",
    }
    assert {"label_id", "unit_cost"} <= document["components"]["schemas"]["Release"]["properties"].keys()


async def test_operations_and_tags_begin_with_the_group(document: Any) -> None:
    by_path = {
        path: {operation["operationId"] for operation in item.values()} for path, item in document["paths"].items()
    }
    assert by_path["/api/v2/records"] == {"v2.records.list", "v2.records.create"}
    assert by_path["/api/v2/charts/pins"] == {"v2.charts.pins", "v2.charts.add_pin"}
    assert by_path["/api/statistics/labels"] == {"label-statistics"}
    assert by_path["/api/v2/statistics/labels"] == {"v2.label-statistics"}
    assert by_path["/api/releases"] == {"releases.list", "releases.create"}
    tags = {tag for item in document["paths"].values() for operation in item.values() for tag in operation["tags"]}
    assert {"releases", "v2.records", "v2.songs", "v2.charts", "v3.releases"} <= tags
    assert tags == {tag["name"] for tag in document["tags"]}


async def test_refusals_are_described_in_the_dialect_of_the_version(document: Any) -> None:
    def contents(path: str) -> set[str]:
        reference = document["paths"][path]["get"]["responses"]["404"]["$ref"].rpartition("/")[2]
        return {*document["components"]["responses"][reference]["content"]}

    assert contents("/api/v2/records/{id}") == {"application/json", "application/problem+json"}
    assert contents("/api/releases/{id}") == contents("/api/v3/releases/{id}") == {"application/problem+json"}


async def test_an_actor_is_told_of_each_version_what_it_would_tell(shop: Shop) -> None:
    seen = {}
    for identity in ("anonymous", "user", "editor", "curator"):
        found = (await shop.clients[identity].get("/openapi.json")).json()
        schemas = found["components"]["schemas"]
        first, second = (schemas.get(name, {}).get("properties", {}) for name in ("Release", "V2Release"))
        seen[identity] = ("unit_cost" in first, "state" in first, "unitCost" in second, "state" in second)
    assert seen == {
        "anonymous": (False, True, True, False),
        "user": (False, True, True, False),
        "editor": (True, True, True, False),
        "curator": (False, True, True, True),
    }


async def test_what_breaks_clients_of_one_version_is_found_whatever_the_other_has(document: Any) -> None:
    changed = msgspec.json.decode(msgspec.json.encode(document))
    del changed["components"]["schemas"]["V2Release"]["properties"]["unitCost"]
    found = breaking_changes(document, changed)
    assert found
    assert all("/api/v2/" in str(each) for each in found), found
    assert not breaking_changes(document, document)


async def test_routes_are_listed_with_their_group() -> None:
    rows = operation_rows(app.composed(Settings()), Settings())
    assert any({"/api/v2/records", "v2.records.list"} <= {*map(str, row.values())} for row in rows)


def explained(text: str, *roles: str) -> Explanation:
    """What is found about a request."""
    sample = app.declaration.sample_user()
    assert sample is not None
    asked, found = parse_request(text, (), None), Explanation(text, "")
    walk = Walk(
        app.composed(Settings(), RecordingDatabase),
        asked,
        Actor(sample.id, frozenset(roles), user=sample.user),
        found,
    )
    asyncio.run(walk.go())
    return found


@pytest.mark.parametrize(
    ("request_text", "operation", "condition"),
    [
        ("GET /api/releases?title=x", "releases.list", "state != 'withdrawn'"),
        ("GET /api/v2/records?title=x", "v2.records.list", "state != 'draft'"),
        ("GET /api/v3/releases?title=x", "v3.releases.list", "state != 'withdrawn'"),
        ("GET /api/v2/records/1/songs", "v2.songs.list", "state != 'draft'"),
    ],
)
async def test_a_request_is_explained_as_its_version_answers_it(
    request_text: str, operation: str, condition: str
) -> None:
    found = await asyncio.to_thread(explained, request_text, "x")
    (statement,) = found.statements
    assert found.operation == operation
    assert condition in re.sub(r"\s+", " ", statement.sql)
    assert len(re.findall(r"state != '\w+'", statement.sql)) == 1


async def test_a_service_of_a_group_is_explained() -> None:
    found = await asyncio.to_thread(explained, "PATCH /api/v2/records/1", "curator")
    assert found.handler is not None
    assert found.handler.startswith("CheckedReleases.before_update")
    assert any("The service runs in one transaction" in each for each in found.unknown)


async def test_the_start_page_lists_every_version(shop: Shop) -> None:
    page = (await shop.clients["anonymous"].get("/", headers={"accept": "text/html"})).body.decode()
    assert "/api/v2/records" in page
    assert "/api/v3/releases" in page


async def test_constraints_are_told_in_the_words_of_the_version(shop: Shop) -> None:
    curator, editor = shop.clients["curator"], shop.clients["editor"]
    record = {"title": "out", "labelId": shop.label}
    refused = await curator.post("/api/v2/records", json=record)
    assert (refused.status, refused.json()["failed"], refused.json()["fields"]) == (409, "already_exists", ["/title"])
    missing = await curator.post("/api/v2/records", json={"title": "x", "labelId": 99})
    assert (missing.status, missing.json()["fields"]) == (422, ["/labelId"])
    of_app = await editor.post("/api/releases", json={"title": "x", "label_id": 99})
    assert (of_app.status, of_app.json()["errors"][0]["pointer"]) == (422, "/label_id")


async def test_unknown_names_are_refused_with_those_of_the_version(shop: Shop) -> None:
    client = shop.clients["curator"]
    assert (await client.get("/api/v2/records?unit_cost=1")).status == 400
    assert (await client.get("/api/v2/records?unitCost=1")).status == 200
    assert (await client.patch(f"/api/v2/records/{shop.releases['out']}", json={"label_id": 1})).json()["fields"] == [
        "/label_id"
    ]
