"""A database that takes no writes: reads go on, writes are told to come back, and its end is noticed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from outcomes_app import app

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import DatabaseReadOnly, DatabaseWritable
from gatepost.testing import TestApp

emitted: list[str] = []
app.events.subscribe(DatabaseReadOnly, lambda event: emitted.append(event.reason))
app.events.subscribe(DatabaseWritable, lambda event: emitted.append("writable"))


@pytest.fixture
async def running(database_url: str) -> AsyncIterator[TestApp]:
    """An app with a few connections."""
    async with TestApp(app, database_url, GATEPOST_DATABASE_POOL_SIZE="4") as started:
        await fill_pool(started)  # a connection that is still being opened would be taken for the end of the outage
        emitted.clear()
        yield started


def set_read_only(postgresql: EmbeddedPostgreSQL, dsn: str, state: str) -> None:
    """For every session that begins from now on."""
    name = dsn.partition("?")[0].rpartition("/")[2]
    postgresql.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {state}")


async def fill_pool(app_is: TestApp) -> None:
    """Open every connection that the pool may have."""
    pool = app_is.app.running.database.pool
    taken = [await pool.acquire() for _ in range(4)]
    for connection in taken:
        pool.release(connection)


async def test_an_outage_of_writes_is_told_and_heals(
    running: TestApp, postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    client, database = running.anonymous, running.app.running.database
    set_read_only(postgresql, database_url, "on")
    database.pool.close_idle(lambda raw: True)
    await fill_pool(running)
    for resource in ("bookings", "postings"):
        response = await client.post(f"/api/{resource}", json={"text": "one"})
        assert (response.status, response.json()["code"]) == (503, "database_read_only")
        assert int(response.headers["retry-after"]) >= 1
        assert (await client.get(f"/api/{resource}")).status == 200
    ready = await client.get("/readyz")
    assert (ready.status, ready.json()["database"]) == (200, "read_only")
    assert emitted == ["default_transaction_read_only is on"]

    await fill_pool(running)  # connections that know of nothing else, as reads have left them
    set_read_only(postgresql, database_url, "off")

    async def is_written() -> bool:
        return (await client.post("/api/bookings", json={"text": "two"})).status == 201

    tries = 0
    async with asyncio.timeout(30):
        while not await is_written():
            tries += 1
            await asyncio.sleep(0.3)
    assert tries <= 6
    assert (await client.get("/readyz")).json()["database"] == "ok"
    assert emitted == ["default_transaction_read_only is on", "writable"]
    for number in range(8):
        assert (await client.post("/api/postings", json={"text": str(number)})).status == 201


async def test_idle_connections_are_closed_once_in_an_outage(
    running: TestApp, postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    pool = running.app.running.database.pool
    set_read_only(postgresql, database_url, "on")
    pool.close_idle(lambda raw: True)
    await fill_pool(running)
    before = set(pool.open)
    await running.anonymous.post("/api/bookings", json={"text": "one"})
    assert before.isdisjoint(pool.open)
    await fill_pool(running)
    before = set(pool.open)
    await running.anonymous.post("/api/bookings", json={"text": "one"})
    assert len(before - set(pool.open)) == 1


async def test_readiness_says_no_where_writes_are_needed(postgresql: EmbeddedPostgreSQL, database_url: str) -> None:
    async with TestApp(app, database_url, GATEPOST_READY_NEEDS_WRITES="true") as started:
        assert (await started.anonymous.get("/readyz")).status == 200
        set_read_only(postgresql, database_url, "on")
        started.app.running.database.pool.close_idle(lambda raw: True)
        await started.anonymous.get("/api/bookings")
        ready = await started.anonymous.get("/readyz")
        assert (ready.status, ready.json()["database"]) == (503, "read_only")


async def test_a_transaction_that_a_service_has_made_read_only_says_nothing_of_the_server(
    running: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    from outcomes_app import Postings
    from sqlalchemy import text

    async def make_read_only(self: Postings, draft: object, actor: object) -> None:
        await self.session.execute(text("SET TRANSACTION READ ONLY"))

    monkeypatch.setattr(Postings, "before_create", make_read_only)
    assert (await running.anonymous.post("/api/postings", json={"text": "one"})).status == 500
    assert not running.app.running.database.is_read_only
    assert emitted == []
