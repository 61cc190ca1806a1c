"""`/openapi.json` as it is served: to whom, with which headers, and what it keeps to itself."""

import gzip
import json
from typing import Any

import pytest
from described_app import app
from openapi_spec_validator import OpenAPIV31SpecValidator

from gatepost.settings import Settings
from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

HIDDEN = ("cost_price", "vault_alarm", "inner_note", "secret_door", "secret-door")
"""Names that only keepers may know, and those that nobody may."""

NOBODY_S = HIDDEN[2:]


async def document(client: Client) -> Any:
    response = await client.get("/openapi.json")
    assert response.status == 200
    return response.json()


async def test_the_documents_of_all_kinds_of_actors_are_valid(cabinet: TestApp) -> None:
    documents = [
        await document(each) for each in (cabinet.anonymous, await cabinet.user(), await cabinet.user("keeper"))
    ]
    documents.append(app.composed(Settings()).openapi.full())

    for found in documents:
        assert [error.message for error in OpenAPIV31SpecValidator(found).iter_errors()] == []
    assert len({json.dumps(found) for found in documents}) == 4


async def test_a_hidden_name_is_nowhere_in_the_document_of_an_actor_who_may_not_see_it(cabinet: TestApp) -> None:
    for client in (cabinet.anonymous, await cabinet.user(), await cabinet.user("another")):
        text = (await client.get("/openapi.json")).body.decode()
        assert [name for name in HIDDEN if name in text] == []


async def test_an_actor_who_may_see_them_finds_them_everywhere(cabinet: TestApp) -> None:
    found = await document(await cabinet.user("keeper"))
    schemas, text = found["components"]["schemas"], json.dumps(found)

    assert "cost_price" in schemas["Specimen"]["required"]
    assert "cost_price" in schemas["SpecimenCreate"]["properties"]
    assert "cost_price" in schemas["SpecimenCard"]["properties"]
    assert "vault_alarm" in schemas["VaultCard"]["properties"]
    assert "specimens.cost_price.lt" in found["components"]["parameters"]
    assert [name for name in NOBODY_S if name in text] == []


async def test_the_owner_s_document_has_what_any_client_may_see_and_requires_what_all_do(cabinet: TestApp) -> None:
    found = app.composed(Settings()).openapi.full()
    schemas, text = found["components"]["schemas"], json.dumps(found)

    assert "cost_price" in schemas["Specimen"]["properties"]
    assert "cost_price" not in schemas["Specimen"]["required"]
    assert {"/api/specimens/{specimen}/break"} <= found["paths"].keys()
    assert [name for name in NOBODY_S if name in text] == []


async def test_operations_are_those_that_the_actor_may_call(cabinet: TestApp) -> None:
    stranger, user, keeper = [
        (await document(each))["paths"]
        for each in (cabinet.anonymous, await cabinet.user(), await cabinet.user("keeper"))
    ]

    assert stranger.keys() == user.keys() < keeper.keys()
    assert keeper.keys() - user.keys() == {"/api/specimens/{specimen}/break"}
    assert stranger["/api/specimens"].keys() == {"get", "post"}
    assert user["/api/vaults"].keys() == {"get"}
    assert keeper["/api/vaults"].keys() == {"get", "post"}
    assert "/api/ledgers" not in keeper


async def test_it_is_kept_by_nobody_but_the_browser_which_asks_again(cabinet: TestApp) -> None:
    first = await cabinet.anonymous.get("/openapi.json")
    tag = first.headers["etag"]
    again = await cabinet.anonymous.get("/openapi.json", headers={"If-None-Match": tag})
    other = await (await cabinet.user("keeper")).get("/openapi.json", headers={"If-None-Match": tag})

    assert first.headers["content-type"] == "application/json"
    assert first.headers["cache-control"] == again.headers["cache-control"] == "private, no-cache"
    assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
    assert (other.status, other.headers["etag"] == tag) == (200, False)


async def test_it_is_compressed_once_for_all(cabinet: TestApp) -> None:
    plain = await cabinet.anonymous.get("/openapi.json")
    coded = [await cabinet.anonymous.get("/openapi.json", headers={"Accept-Encoding": "gzip"}) for _ in range(2)]

    assert {response.headers["content-encoding"] for response in coded} == {"gzip"}
    assert coded[0].body == coded[1].body
    assert gzip.decompress(coded[0].body) == plain.body


async def test_an_invalid_token_is_refused_and_head_shows_no_body(cabinet: TestApp) -> None:
    refused = await cabinet.anonymous.get("/openapi.json", headers={"Authorization": "Bearer nonsense"})
    head = await cabinet.anonymous.request("HEAD", "/openapi.json")

    assert (refused.status, refused.json()["code"]) == (401, "invalid_token")
    assert (head.status, head.body) == (200, b"")
