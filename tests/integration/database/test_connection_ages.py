"""Connections reach an age at which others take their place."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from transaction_app import until

from gatepost.database.database import Database
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import Events
from gatepost.settings import DatabaseSettings

AGE_SECONDS = 0.2
PID = "SELECT pg_backend_pid()"


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, DatabaseSettings(pool_size=1, connection_seconds_max=AGE_SECONDS), Events())
    yield made
    await made.close()


async def pid_of(database: Database) -> int:
    """The backend of the connection that is lent next."""
    return int((await database.fetch(PID))[0][0])


async def test_one_that_idles_is_replaced(database: Database) -> None:
    first = await pid_of(database)

    async def is_replaced() -> bool:
        # For a moment there are both.
        return await pid_of(database) != first and database.pool.size == 1

    await until(is_replaced)


async def test_one_that_is_in_use_is_closed_when_it_comes_back(database: Database) -> None:
    async with database.pool.lend() as connection:
        first = await connection.raw.fetchval(PID)

        async def has_successor() -> bool:
            return connection.is_old

        await until(has_successor)
        assert await pid_of(database) != first
        assert await connection.raw.fetchval(PID) == first

    async def is_closed() -> bool:
        return connection.raw.is_closed()

    await until(is_closed)
    assert connection not in database.pool.open


async def test_one_whose_successor_cannot_be_opened_stays(
    database: Database, database_url: str, postgresql: EmbeddedPostgreSQL
) -> None:
    first = await pid_of(database)
    name = urlsplit(database_url).path[1:]
    postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        await asyncio.sleep(AGE_SECONDS * 3)
        assert await pid_of(database) == first
        assert not database.pool.reachability.is_lost
    finally:
        postgresql.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
