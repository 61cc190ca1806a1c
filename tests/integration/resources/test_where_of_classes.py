"""`Resource(where=)` of classes over one table: a row satisfies the conditions of every resource that shows it."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio
from library_app import Base, app
from resource_clients import FOUR, People, people_of
from sqlalchemy import MetaData

from gatepost.testing import TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROWS = {
    "medium": ("medium", False, None),
    "lost medium": ("medium", True, None),
    "disc": ("disc", False, 0),
    "scratched disc": ("disc", False, 3),
    "lost disc": ("disc", True, 0),
    "tape": ("tape", False, None),
    "lost tape": ("tape", True, None),
}
OF_MEDIA = {"medium", "disc", "tape"}
OF_DISCS = {"disc", "lost disc"}
"""The condition of the base is not that of the subclass's own resource, as its policies are not."""


class Media(NamedTuple):
    """The clients, and the key of each row."""

    people: People
    keys: dict[str, str]


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the library."""
    assert app
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def media(module_database_url: str, sql: "asyncpg.Connection[Any]") -> AsyncIterator[Media]:
    """The library with a row of each kind."""
    async with TestApp(app, module_database_url) as running:
        insert = "INSERT INTO media (kind, is_lost, scratches) VALUES ($1, $2, $3) RETURNING id"
        yield Media(
            await people_of(running), {name: str(await sql.fetchval(insert, *row)) for name, row in ROWS.items()}
        )


@pytest.mark.parametrize("identity", FOUR)
@pytest.mark.parametrize(("path", "shown"), [("media", OF_MEDIA), ("discs", OF_DISCS)])
async def test_a_row_satisfies_every_condition_that_it_is_under(
    media: Media, identity: str, path: str, shown: set[str]
) -> None:
    client = media.people[identity]
    listed = {row["id"] for row in (await client.get(f"/api/{path}")).json()["data"]}
    assert listed & set(media.keys.values()) == {media.keys[name] for name in shown}
    for name, key in media.keys.items():
        assert (await client.get(f"/api/{path}/{key}")).status == (200 if name in shown else 404), name


@pytest.mark.parametrize("identity", FOUR)
async def test_a_class_without_a_resource_is_under_the_condition_of_its_base(media: Media, identity: str) -> None:
    client = media.people[identity]
    assert (await client.post("/api/cases", json={"tape_id": media.keys["lost tape"]})).status == 422
    assert (await client.post("/api/cases", json={"tape_id": media.keys["disc"]})).status == 422
    created = await client.post("/api/cases", json={"tape_id": media.keys["tape"]})
    assert created.status == 201
    path = f"/api/cases/{created.data['id']}?expand=tape"
    assert (await client.get(path)).data["tape"]["id"] == media.keys["tape"]


async def test_writes_of_the_base_find_what_it_shows(media: Media) -> None:
    editor = media.people["editor"]
    for name in ROWS:
        status = (
            await editor.patch(f"/api/media/{media.keys[name]}", json={"is_lost": name.startswith("lost")})
        ).status
        assert status == (200 if name in OF_MEDIA else 404), name
    created = await editor.post("/api/discs", json={"scratches": 1})
    assert created.status == 403
    assert (await editor.post("/api/discs", json={"scratches": 0})).status == 201
