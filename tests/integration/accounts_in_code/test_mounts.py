"""Mounted applications: what is in their scope, their lifespans, and who is asking."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from mounts_app import app

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(module_database_url: str) -> AsyncIterator[TestApp]:
    async with TestApp(app, module_database_url) as started:
        yield started


async def test_a_mount_finds_the_actor_the_app_and_its_state(hall: TestApp) -> None:
    editor, key = await hall.user_and_id("editor")

    response = await editor.get("/telling/anything")

    assert response.json() == {
        "actor": str(key),
        "roles": ["editor"],
        "root_path": "/telling",
        "greeting": "hello",
        "notes": True,
        "is_actor": True,
    }
    assert "no-store" in response.headers["cache-control"]


@pytest.mark.parametrize("authorization", [None, "Bearer its.own.token", "Digest abc", "Bearer"])
async def test_credentials_that_are_not_valid_leave_it_to_the_mount(hall: TestApp, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}

    response = await hall.anonymous.get("/telling", headers=headers)

    assert (response.status, response.json()["actor"], response.json()["notes"]) == (200, None, False)


async def test_an_application_without_a_lifespan_is_served(hall: TestApp) -> None:
    assert (await hall.anonymous.get("/plain")).json() == {"state": {}}


@pytest.mark.parametrize("path", ["/api/hall/touch", "/telling", "/plain"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://test"}, 200),
        ({}, 200),
    ],
)
async def test_a_page_of_another_origin_changes_nothing_with_a_cookie(
    hall: TestApp, path: str, headers: dict[str, str], status: int
) -> None:
    """Also without a body."""
    _, key = await hall.user_and_id()

    response = await hall.anonymous.post(path, headers={"cookie": f"hall={key}", **headers})

    assert response.status == status
    if status == 403:
        assert response.json()["code"] == "cross_origin"


async def test_an_authenticator_of_ones_own_makes_the_actor_of_own_endpoints_and_mounts(hall: TestApp) -> None:
    partner = {"x-partner": "acme"}

    touched = await hall.anonymous.post("/api/hall/touch", headers=partner)
    told = await hall.anonymous.get("/telling", headers=partner)
    refused = await hall.anonymous.post("/api/hall/touch")

    assert touched.data == {"actor": "acme", "roles": ["partner"]}
    assert (told.json()["actor"], told.json()["roles"]) == ("acme", ["partner"])
    assert refused.status == 401
    assert refused.headers["www-authenticate"] == "Partner"  # the last of three lines


async def test_an_own_endpoint_knows_the_user_of_a_cookie(hall: TestApp) -> None:
    _, key = await hall.user_and_id()

    response = await hall.anonymous.get("/api/hall/look", headers={"cookie": f"hall={key}"})

    assert UUID(response.data["actor"]) == key
    assert (await Client(app).get("/api/hall/look")).data == {"actor": None}
