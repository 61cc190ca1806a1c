"""A change that changes nothing: one more statement finds the row, and nothing is written."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import MetaData, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import App, Resource, anyone, events
from gatepost.testing import TestApp


class Base(DeclarativeBase):
    """A base without version and timestamps."""


class Item(Base):
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    count: Mapped[int] = mapped_column(default=0)


app = App(Resource(Item, read=anyone, write=anyone))
sent: list[str] = []
app.events.subscribe(events.StatementFinished, lambda event: sent.append(event.name))


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of this app."""
    return app.metadata


@pytest_asyncio.fixture
async def running(database_url: str) -> AsyncIterator[TestApp]:
    """The app on an empty database."""
    async with TestApp(app, database_url) as started:
        yield started


async def xmin() -> str:
    async with app.transaction() as tx:
        return str(await tx.session.scalar(text("SELECT xmin FROM items")))


@pytest.mark.parametrize("condition", [False, True])
async def test_an_unchanged_row_is_read_and_not_written(running: TestApp, condition: bool) -> None:
    client = running.anonymous
    created = await client.post("/api/items", json={"name": None, "count": 3})
    path, before = f"/api/items/{created.data['id']}", await xmin()
    for values in ({"count": 3}, {"name": None}, {"name": None, "count": 3}):
        for _ in range(2):  # the first one compiles
            sent.clear()
            headers = {"If-Match": created.headers["etag"]} if condition else {}
            response = await client.patch(path, json=values, headers=headers)
            assert (response.status, response.data) == (200, created.data)
            assert response.headers["etag"] == created.headers["etag"]
            assert sent == ["items.update", "items.unchanged"]
    assert await xmin() == before
    assert (await client.patch(path, json={"count": 4})).data["count"] == 4
    assert await xmin() != before
