"""A group serves its resources below its prefix, in its dialect, beside the app's own."""

import pytest
from record_shop import Shop

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_each_version_serves_a_model_by_its_own_resource(running: TestApp) -> None:
    editor = await running.user("editor", "curator")
    label = (await editor.post("/api/group_labels", json={"short_name": "versioned"})).data
    first = await editor.post("/api/releases", json={"title": "first", "label_id": label["id"]})
    second = await editor.post("/api/v2/records", json={"title": "second", "labelId": label["id"]})
    assert (first.status, second.status) == (201, 201)
    assert first.headers["location"] == f"/api/releases/{first.data['id']}"
    made = second.json()["record"]
    assert second.headers["location"] == f"/api/v2/records/{made['id']}"
    assert made.keys() == {"id", "title", "state", "unitCost", "labelId"}
    card = (await editor.get(f"/api/v3/releases/{made['id']}")).data
    assert card == {"id": made["id"], "title": "second", "label": {"short_name": "versioned"}, "song_count": 0}


async def test_what_a_group_does_not_declare_is_not_served_below_its_prefix(running: TestApp) -> None:
    editor = await running.user("editor")
    for path in (
        "/api/v2/group_labels",
        "/api/v2/pins",
        "/api/v2/releases",
        "/api/v3/songs",
        "/api/v2",
        "/api/v4/pins",
    ):
        assert (await editor.get(path)).status == 404, path
    assert (await editor.get("/api/pins")).status == 200


async def test_refusals_below_a_prefix_are_in_the_dialect_of_its_group(running: TestApp) -> None:
    client = running.anonymous
    assert (await client.get("/api/v2/nothing")).json()["failed"] == "not_found"
    assert (await client.get("/api/v2/records")).json()["failed"] == "not_signed_in"
    sent = await client.post("/api/v2/records", headers={"content-type": "text/plain"}, content=b"x")
    assert (sent.status, sent.json()["failed"]) == (415, "unsupported_media_type")
    for path in ("/api/v3/nothing", "/api/nothing", "/api/v20/nothing"):
        assert (await client.get(path)).json()["code"] == "not_found", path


async def test_conventions_of_a_dialect_hold_in_its_group_alone(shop: Shop) -> None:
    editor, key = shop.clients["editor"], shop.releases["out"]
    page = (await editor.get("/api/all/releases?limit=1&offset=2&sort=id")).json()
    assert (page["dataCount"], [row["title"] for row in page["data"]]) == (3, ["withdrawn"])
    assert (await editor.get("/api/all/releases?after=x")).status == 400
    assert (await editor.get("/api/releases?offset=1")).status == 400
    put = await editor.put(f"/api/all/releases/{key}", json={"unitCost": 5})
    assert (put.status, put.data["unitCost"]) == (200, 5)
    assert (await editor.patch(f"/api/all/releases/{key}", json={"unitCost": 5})).status == 405
    assert (await editor.put(f"/api/releases/{key}", json={"unit_cost": 5})).status == 405
    assert (await editor.patch(f"/api/releases/{key}", json={"unit_cost": 6})).data["unit_cost"] == 6
