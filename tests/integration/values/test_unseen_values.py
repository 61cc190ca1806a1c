"""A value that no body may have is accepted where the row shows it; nothing tells whether a hidden one is the same."""

from collections.abc import AsyncIterator
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Field, Resource, Service, anyone, authenticated, nobody, owner
from gatepost.models.base import NAMING
from gatepost.testing import Client, ClientResponse, TestApp

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Base(DeclarativeBase):
    """Tables of this app alone."""

    metadata = MetaData(naming_convention=NAMING)


class _Pass:
    id: Mapped[int] = mapped_column(primary_key=True)
    until: Mapped[date]
    since: Mapped[date]
    note: Mapped[str | None]


class Ticket(_Pass, Base):
    __tablename__ = "tickets"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))


class Badge(_Pass, Base):
    __tablename__ = "badges"

    owner_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"))


class Badges(Service[Badge]):
    async def before_update(self, row: Badge, changes: Any, actor: Any) -> None: ...


FIELDS = {
    "until": Field(read=owner("owner_id"), write=authenticated),
    "since": Field(read=anyone, create=authenticated, update=nobody),
}
app = App(
    Resource(Ticket, read=anyone, write=authenticated, fields=FIELDS),
    Resource(Badge, service=Badges, read=anyone, write=authenticated, fields=FIELDS),
)


class Scene:
    """Row 1 ends at infinity, row 2 does not; both are the owner's, and began at minus infinity."""

    owner: Client
    stranger: Client
    database: Any


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(module_database_url: str) -> AsyncIterator[Scene]:
    made = Scene()
    async with TestApp(app, module_database_url) as running:
        made.owner, key = await running.user_and_id()
        made.stranger = await running.user()
        made.database = await asyncpg.connect(module_database_url)
        for table in ("tickets", "badges"):
            for until in ("infinity", "2024-01-01"):
                sql = f"INSERT INTO {table} (until, since, owner_id) VALUES ('{until}', '-infinity', $1)"
                await made.database.execute(sql, key)
        yield made
        await made.database.close()


@pytest.fixture(params=["tickets", "badges"])
def path(request: pytest.FixtureRequest) -> str:
    return f"/api/{request.param}"


def told(response: ClientResponse) -> Any:
    """What a refusal says, without what differs from request to request."""
    return response.status, {name: value for name, value in response.json().items() if name != "request_id"}


async def test_who_sees_the_value_sends_it_back(scene: Scene, path: str) -> None:
    before = await scene.database.fetchrow(f"SELECT xmin::text, until::text FROM {path[5:]} WHERE id = 1")
    assert (await scene.owner.patch(f"{path}/1", json={"until": "infinity"})).status == 200
    assert await scene.database.fetchrow(f"SELECT xmin::text, until::text FROM {path[5:]} WHERE id = 1") == before
    changed = await scene.owner.patch(f"{path}/1", json={"until": "infinity", "since": "-infinity", "note": "x"})
    assert changed.data["note"] == "x"
    assert await scene.database.fetchval(f"SELECT until::text FROM {path[5:]} WHERE id = 1") == "infinity"


async def test_another_value_is_refused_as_ever(scene: Scene, path: str) -> None:
    for body in ({"until": "-infinity"}, {"until": "infinity", "since": "infinity"}, {"until": "infinity", "zz": 1}):
        response = await scene.owner.patch(f"{path}/1", json=body)
        assert response.status == 422, body
    codes = {error["pointer"]: error["code"] for error in response.json()["errors"]}
    assert codes == {"/until": "invalid_format", "/zz": "unknown_field"}
    assert (await scene.owner.post(path, json={"until": "infinity", "since": "2024-01-01"})).status == 422


async def test_a_hidden_value_equals_nothing(scene: Scene, path: str) -> None:
    for body in (
        {"until": "infinity"},
        {"until": "infinity", "note": "x"},
        {"until": "infinity", "since": "-infinity"},
    ):
        one, other, absent = [await scene.stranger.patch(f"{path}/{key}", json=body) for key in (1, 2, 999)]
        assert told(one) == told(other)
        assert one.status == 422
        if "since" not in body:
            assert told(absent) == told(one)
