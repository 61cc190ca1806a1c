"""The database goes, and comes back."""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from transaction_app import app, until

from gatepost.database.database import Database
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.errors import Problem
from gatepost.events import DatabaseLost, DatabaseRestored, Events
from gatepost.settings import DatabaseSettings
from gatepost.testing import TestApp


class OutageLog:
    """What the pool said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.events = Events()
        self.events.subscribe(DatabaseLost, lambda event: self.said.append("lost"))
        self.events.subscribe(DatabaseRestored, lambda event: self.said.append("restored"))


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server of the test's own."""
    with EmbeddedPostgreSQL(data, settings={"fsync": "off", "shared_buffers": "16MB"}) as running:
        yield running


async def test_while_the_database_is_away_few_try_and_all_are_refused_at_once(server: EmbeddedPostgreSQL) -> None:
    outages, tries = OutageLog(), 0
    database = Database(server.dsn("gatepost"), DatabaseSettings(), outages.events)
    connect = database.connect

    async def counting() -> Any:
        nonlocal tries
        tries += 1
        return await connect()

    database.pool.openings.connect = counting
    assert (await database.fetch("SELECT 42"))[0][0] == 42
    server.stop()
    started = asyncio.get_running_loop().time()
    for _ in range(200):
        with pytest.raises(Problem) as refused:
            await database.fetch("SELECT 42")
        assert (refused.value.status, refused.value.code) == (503, "database_unavailable")
    assert asyncio.get_running_loop().time() - started < 10
    assert tries < 20
    assert outages.said == ["lost"]
    server.start()

    async def heals() -> bool:
        with contextlib.suppress(Problem):
            return bool((await database.fetch("SELECT value FROM kept"))[0][0] == 42)
        return False

    await until(heals)
    assert outages.said == ["lost", "restored"]
    assert not database.pool.reachability.is_lost
    await database.close()


async def test_whoever_waits_for_a_connection_when_the_database_goes_is_refused_soon(
    server: EmbeddedPostgreSQL,
) -> None:
    settings = DatabaseSettings(pool_size=2, pool_wait_seconds=30)
    database = Database(server.dsn("gatepost"), settings, Events())
    held = [await database.pool.acquire() for _ in range(2)]
    waiters = [asyncio.ensure_future(database.fetch("SELECT 1")) for _ in range(10)]
    await asyncio.sleep(0)
    server.kill()
    for connection in held:
        database.pool.recover(connection)
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"database_unavailable"}
    await database.close()


async def test_an_app_starts_without_its_database_and_serves_once_it_is_there(server: EmbeddedPostgreSQL) -> None:
    dsn = server.dsn("gatepost")
    async with TestApp(app, dsn):
        pass
    server.stop()
    running = TestApp(app, dsn)
    await app.start(load_settings({"DATABASE_URL": dsn}))
    assert (await running.anonymous.get("/api/plain")).status == 503
    server.start()

    async def serves() -> bool:
        return (await running.anonymous.get("/api/plain")).status == 200

    await until(serves)
    await app.stop()
