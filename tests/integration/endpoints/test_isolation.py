"""Endpoints run in a transaction that is isolated as the services that they take declare."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from isolated_app import app, notes
from sqlalchemy import MetaData

from gatepost.testing import Client, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the meters."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(module_database_url: str) -> AsyncIterator[Client]:
    async with TestApp(app, module_database_url) as started:
        yield started.anonymous


@pytest.mark.parametrize("path", ["meters/{}/by-parameter", "readings/{}", "meters/{}/plain"])
async def test_no_change_is_lost(client: Client, path: str) -> None:
    name = path.partition("/")[0] + path.rpartition("/")[2].strip("{}")
    created = await client.post("/api/meters", json={"name": name})

    path = f"/api/{path.format(name)}"
    responses = await asyncio.gather(*(client.post(path) for _ in range(8)))

    assert [response.status for response in responses] == [200] * 8
    assert (await client.get(created.headers["location"])).data["count"] == 8


async def test_what_an_attempt_added_that_ran_again_is_undone(client: Client) -> None:
    await client.post("/api/meters", json={"name": "noted"})

    responses = await asyncio.gather(*(client.post(f"/api/meters/noted/noted?note={each}") for each in range(8)))
    noted = [await asyncio.wait_for(notes.get(), 10) for _ in responses]

    assert sorted(noted) == [str(each) for each in range(8)], "once for each response"
    seen = [name for response in responses for name in response.headers if name.removeprefix("x-").isdigit()]
    assert sorted(seen) == [f"x-{each}" for each in range(8)], "what the last attempt saw"
    states = [response.headers["x-state"] for response in responses]
    assert sorted(states) == [f"[{each}] kept" for each in range(8)], (
        "and kept for the call, beside what was there before"
    )


async def test_a_service_by_its_model_declares_the_same(client: Client) -> None:
    assert (await client.get("/api/meters/level")).data == "serializable"


@pytest.mark.parametrize("path", ["/api/meters/{}/plain", "/api/readings/{}"])
async def test_a_row_of_the_path_is_changed_in_the_version_that_was_read(client: Client, path: str) -> None:
    name = "versioned" + path.split("/")[2]
    created = await client.post("/api/meters", json={"name": name})
    tag, path = created.headers["etag"], path.format(name)

    first = await client.post(path, headers={"if-match": tag})
    again = await client.post(path, headers={"if-match": tag})
    current = (await client.get(created.headers["location"])).headers["etag"]
    either = await client.post(path, headers={"if-match": f"{tag}, {current}"})
    whatever = await client.post(path, headers={"if-match": "*"})
    broken = await client.post(path, headers={"if-match": "3"})

    assert first.status == 200
    assert (again.status, again.json()["code"]) == (412, "version_mismatch")
    assert (either.status, whatever.status) == (200, 200)
    assert (broken.status, broken.json()["code"]) == (400, "malformed_request")
    assert (await client.post("/api/meters/absent/plain", headers={"if-match": tag})).status == 404


async def test_of_several_changes_of_one_version_one_is_made(client: Client) -> None:
    created = await client.post("/api/meters", json={"name": "raced"})
    tag = created.headers["etag"]
    responses = await asyncio.gather(
        *(client.post("/api/meters/raced/plain", headers={"if-match": tag}) for _ in range(5))
    )
    assert sorted(response.status for response in responses) == [200, 412, 412, 412, 412]
