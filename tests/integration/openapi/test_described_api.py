"""What the document says is what the API does: examples are accepted, responses fit (`responses_are_described`)."""

import json
from typing import Any

import pytest
from described_app import app

from gatepost.settings import Settings
from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def whole() -> Any:
    return app.composed(Settings()).openapi.full()


def example_of(whole: Any, method: str, path: str) -> Any:
    content = whole["paths"][path][method]["requestBody"]["content"]
    return next(iter(content.values()))["example"]


async def test_the_example_of_a_body_with_every_type_is_accepted_and_shown(whole: Any, cabinet: TestApp) -> None:
    user = await cabinet.user("keeper")
    example = {**example_of(whole, "post", "/api/specimens"), "origin": {"country": "IT"}}
    made = await user.post("/api/specimens", json=example)
    assert made.status == 201, made.body

    link = whole["paths"]["/api/specimens"]["post"]["responses"]["201"]["links"]["get"]
    assert link["parameters"]["id"] == "$response.body#/data/id"
    path = f"/api/specimens/{made.data['id']}"
    change = example_of(whole, "patch", "/api/specimens/{id}")
    changed = await user.patch(path, json=change, headers={"If-Match": made.headers["etag"]})
    chosen = await user.get(f"{path}?fields=label,price&expand=vault")
    listed = await user.get("/api/specimens?price[gte]=0&count=true&expand=vault")

    assert (changed.status, chosen.status, listed.status) == (200, 200, 200)
    assert chosen.data == {"label": change["label"], "price": made.data["price"], "vault": None}


async def test_own_endpoints_of_all_kinds_respond_as_described(cabinet: TestApp) -> None:
    anonymous, user = cabinet.anonymous, await cabinet.user("keeper")
    statuses = [
        (await anonymous.get("/api/specimens/summary")).status,
        (await anonymous.get("/api/specimens/search?term=a&grades=fine&grades=poor&sort=label")).status,
        (await anonymous.get("/api/specimens/cards?least=-1")).status,
        (await anonymous.get("/api/kinds/1/2030-01-31?mood=bad&many=1&many=2")).status,
        (await anonymous.get("/api/kinds/0/2030-01-31")).status,
        (await anonymous.post("/api/kinds/notes", json={"text": "a", "pair": [1, "b"]})).status,
        (await anonymous.put("/api/kinds/models", json={"count": 3, "names": {"a": 1}})).status,
        (await anonymous.post("/api/kinds/raw", content=b"abc")).status,
        (await anonymous.get("/api/kinds/names")).status,
        (await user.post("/api/kinds/parts", json={"name": "a"})).status,
    ]

    assert statuses == [200, 200, 400, 200, 404, 202, 200, 200, 200, 422]


async def test_vaults_are_shown_as_their_dto_and_known_by_their_code(cabinet: TestApp) -> None:
    keeper = await cabinet.user("keeper")
    made = await keeper.post("/api/vaults", json={"code": "A 1", "vault_alarm": "loud"})
    shown = await cabinet.anonymous.get("/api/vaults/A%201")

    assert (made.status, shown.status) == (201, 200)
    assert (await cabinet.anonymous.get("/api/vaults?fields=code")).data[0] == {"code": "A 1"}
    assert "vault_alarm" in (await keeper.get("/api/vaults")).data[0]


async def test_parameters_and_bodies_are_described_by_their_annotations(whole: Any) -> None:
    kinds = whole["paths"]["/api/kinds/{number}/{day}"]["get"]["parameters"]
    by_name = {(item["in"], item["name"]): item for item in kinds}
    drawing = whole["components"]["schemas"]["Drawing"]

    assert by_name["path", "number"]["schema"]["minimum"] == 1
    assert by_name["path", "day"]["schema"] == {"type": "string", "format": "date"}
    assert by_name["query", "mood"]["schema"] == {"enum": ["good", "bad"], "default": "good"}
    assert by_name["query", "many"]["schema"]["items"]["type"] == "integer"
    assert by_name["header", "trace"]["schema"]["type"] == "string"
    assert by_name["cookie", "theme"]["schema"]["default"] == "light"
    assert drawing["properties"]["shapes"]["items"]["discriminator"]["propertyName"] == "type"
    assert drawing["properties"]["inner"]["anyOf"][0] == {"$ref": "#/components/schemas/Drawing"}
    assert whole["components"]["schemas"]["Note"]["properties"]["text"]["maxLength"] == 100
    assert whole["components"]["schemas"]["Model2"]["properties"]["count"]["maximum"] == 5
    assert whole["paths"]["/api/kinds/raw"]["post"]["requestBody"]["content"].keys() == {
        "application/octet-stream",
        "*/*",
    }


async def test_what_decorators_and_docstrings_say_is_there(whole: Any) -> None:
    summary = whole["paths"]["/api/specimens/summary"]["get"]
    weigh = whole["paths"]["/api/specimens/{specimen}/weigh"]["post"]
    broken = whole["paths"]["/api/specimens/{specimen}/break"]["post"]["responses"]["409"]["$ref"]

    assert whole["info"] == {"title": "Specimens", "version": "2.0.0", "description": "A cabinet of curiosities."}
    assert (summary["summary"], summary["description"]) == ("Count the specimens", "By grade, too.")
    assert summary["tags"] == ["reports"]
    assert (weigh["operationId"], weigh["deprecated"]) == ("weigh", True)
    assert "`too_precious`: It is too precious." in json.dumps(
        whole["components"]["responses"][broken.rpartition("/")[2]]["description"]
    )
    assert {"name": "specimens", "description": "One of every type."} in whole["tags"]
    assert whole["components"]["schemas"]["Specimen"]["properties"]["label"]["description"].startswith("What stands")
