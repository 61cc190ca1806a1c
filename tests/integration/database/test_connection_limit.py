"""PostgreSQL gives fewer connections than the pool is large: requests share those that there are.

PostgreSQL counts a process that connects before it looks at the limit (CheckMyDatabase in its postinit.c): of two that
come at once, both may be refused where there was room for one. A pool finds the rest later, one by one.
"""

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg
import pytest
from transaction_app import app, until

from gatepost.database.database import Database
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.errors import Problem
from gatepost.events import DatabaseLost, Events, PoolLimited
from gatepost.settings import DatabaseSettings
from gatepost.testing import TestApp

LIMIT = 5
said: list[PoolLimited | DatabaseLost] = []
app.events.subscribe(PoolLimited, said.append)
app.events.subscribe(DatabaseLost, said.append)


class Limited:
    """A role that may have few connections to a database."""

    def __init__(self, server: EmbeddedPostgreSQL, url: str) -> None:
        self.url = url
        self.role = f"limited_{uuid.uuid4().hex}"
        self.dsn = re.sub("(?<=://)[^@]*(?=@)", self.role, url)
        self.execute = server.execute

    @property
    def database(self) -> str:
        """Its name."""
        return self.url.partition("@/")[2].partition("?")[0]

    def allow(self, limit: int) -> None:
        """From now on so many."""
        self.execute(f"ALTER ROLE {self.role} CONNECTION LIMIT {limit}")


@pytest.fixture
def limited(postgresql: EmbeddedPostgreSQL, database_url: str) -> Iterator[Limited]:
    """A role with LIMIT connections, which may read and write everything."""
    made = Limited(postgresql, database_url)
    postgresql.execute(f"CREATE ROLE {made.role} LOGIN CONNECTION LIMIT {LIMIT} IN ROLE pg_read_all_data")
    yield made
    postgresql.execute(f"DROP ROLE {made.role}")


@asynccontextmanager
async def many(dsn: str, count: int, size: int = 20) -> AsyncIterator[tuple[list[Database], list[Any]]]:
    """So many processes' pools on one role, and what they said."""
    emitted: list[Any] = []
    events = Events()
    events.subscribe(PoolLimited, emitted.append)
    events.subscribe(DatabaseLost, emitted.append)
    settings = DatabaseSettings(pool_size=size, pool_wait_seconds=30, statement_seconds=30)
    async with AsyncExitStack() as opened:
        databases = [Database(dsn, settings, events) for _ in range(count)]
        for database in databases:
            opened.push_async_callback(database.close)
            await database.fetch("SELECT 1")
        yield databases, emitted


async def until_limit_is_reached(databases: list[Database]) -> None:
    """Ask for more at once than there are connections, until the pools have all that the role may have."""

    async def is_reached() -> bool:
        await asyncio.gather(*(each.fetch("SELECT pg_sleep(0.01)") for _ in range(40) for each in databases))
        return sum(len(each.pool.open) for each in databases) == LIMIT

    await until(is_reached)


def check_limit_was_said_once(emitted: list[Any]) -> None:
    """That there are fewer connections than were asked for, and how many there were when one was refused."""
    [event] = emitted
    assert isinstance(event, PoolLimited)
    assert 1 <= event.size <= LIMIT


@pytest.mark.parametrize("pause", [0, 0.005], ids=["at once", "one after another"])
async def test_requests_share_the_connections_that_a_role_may_have(limited: Limited, pause: float) -> None:
    said.clear()
    wide = {"GATEPOST_DATABASE_POOL_SIZE": "20", "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "30"}
    running = TestApp(app, limited.dsn, **wide)
    await app.start(load_settings({"DATABASE_URL": limited.dsn, **wide}))
    try:
        rounds = 0
        while rounds < 3 or (rounds < 30 and not pause and not said):
            rounds += 1
            asked = []
            for _ in range(60):
                asked.append(asyncio.ensure_future(running.anonymous.get("/api/plain")))
                await asyncio.sleep(pause)
            statuses = Counter(response.status for response in await asyncio.gather(*asked))
            assert statuses == {200: 60}
        pool = app.running.database.pool
        assert not pool.reachability.is_lost
        assert pool.reachability.size_max in {*range(1, LIMIT + 1), 20}
    finally:
        await app.stop()
    assert [type(event) for event in said] in ([PoolLimited], [])
    assert pause or said, "sixty at once find the limit"


async def test_what_the_pool_found_is_told_once_and_known(limited: Limited) -> None:
    async with many(limited.dsn, 1) as ([database], emitted):
        await until_limit_is_reached([database])
        for _ in range(3):
            await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(60)))
            assert len(database.pool.open) == database.pool.reachability.size_max == LIMIT
        check_limit_was_said_once(emitted)
        assert "too many connections" in emitted[0].reason


async def test_a_limit_that_is_raised_is_noticed(limited: Limited) -> None:
    async with many(limited.dsn, 1, size=8) as ([database], _):
        await until_limit_is_reached([database])
        limited.allow(20)

        async def is_whole() -> bool:
            await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.05)") for _ in range(20)))
            return database.pool.size == database.pool.reachability.size_max == 8

        await until(is_whole)


async def test_processes_that_compete_for_the_connections_serve_every_request(limited: Limited) -> None:
    async with many(limited.dsn, 3) as (databases, emitted):
        await until_limit_is_reached(databases)
        assert all(isinstance(event, PoolLimited) for event in emitted)


async def test_the_limit_of_a_database_is_as_good(limited: Limited) -> None:
    limited.allow(-1)
    limited.execute(f"ALTER DATABASE {limited.database} CONNECTION LIMIT {LIMIT}")
    async with many(limited.dsn, 1) as ([database], emitted):
        await until_limit_is_reached([database])
        check_limit_was_said_once(emitted)


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionRefusedError("refused"),
        OSError("no route to host"),
        asyncpg.InvalidPasswordError("the password was changed"),
        asyncpg.InsufficientPrivilegeError("permission denied for database"),
        asyncpg.InternalClientError("unexpected"),
        RuntimeError("anything"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_an_opening_fails_with_the_connections_that_there_are_serve(
    limited: Limited, error: Exception
) -> None:
    async with many(limited.url, 1) as ([database], emitted):

        async def fails() -> Any:
            await asyncio.sleep(0.01)
            raise error

        database.pool.openings.connect = fails
        await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.002)") for _ in range(60)))
        assert [(type(event), event.size) for event in emitted] == [(PoolLimited, 1)]


async def test_an_opening_that_hangs_keeps_nobody_from_a_connection_that_becomes_free(
    limited: Limited,
) -> None:
    async with many(limited.url, 1) as ([database], _):

        async def hangs() -> Any:
            await asyncio.Event().wait()

        database.pool.openings.connect = hangs
        async with asyncio.timeout(10):
            await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.002)") for _ in range(60)))


async def test_the_last_connection_lost_while_limited_is_replaced_at_once(limited: Limited) -> None:
    async with many(limited.url, 1) as ([database], _):
        connect = database.pool.openings.connect

        async def fails() -> Any:
            raise asyncpg.TooManyConnectionsError("too many connections for role")

        database.pool.openings.connect = fails
        await asyncio.gather(*(database.fetch("SELECT pg_sleep(0.01)") for _ in range(3)))
        database.pool.openings.connect = connect
        database.pool.idle[-1].raw.terminate()
        await database.fetch("SELECT 1")


async def test_a_limit_that_leaves_no_connection_at_all_is_told_as_a_limit_and_heals_by_itself(
    limited: Limited,
) -> None:
    limited.allow(0)
    emitted: list[Any] = []
    events = Events()
    events.subscribe(DatabaseLost, emitted.append)
    events.subscribe(PoolLimited, emitted.append)
    database = Database(limited.dsn, DatabaseSettings(), events)
    try:
        refused = await asyncio.gather(*(database.fetch("SELECT 1") for _ in range(20)), return_exceptions=True)
        problems = [error for error in refused if isinstance(error, Problem)]
        assert len(problems) == 20
        assert {error.code for error in problems} == {"database_unavailable"}
        assert all("gives this process no connection" in str(error.detail) for error in problems)
        assert [(type(event), event.size) for event in emitted] == [(PoolLimited, 0)]
        limited.allow(LIMIT)

        async def heals() -> bool:
            return not database.pool.reachability.is_lost

        await until(heals)
        assert database.pool.size == 1, "nobody has asked meanwhile"
    finally:
        await database.close()


async def test_a_process_that_gets_no_connection_is_not_ready_until_it_gets_one(limited: Limited) -> None:
    limited.allow(0)
    running = TestApp(app, limited.dsn)
    await app.start(load_settings({"DATABASE_URL": limited.dsn}))
    try:

        async def is_refused() -> bool:
            return app.running.accounts.identities.listener.heartbeat.is_silent is False

        await until(is_refused)
        for _ in range(5):
            ready = await running.anonymous.get("/readyz")
            assert (ready.status, ready.json()["database"]) == (503, "no_connection")
            response = await running.anonymous.get("/api/plain")
            assert (response.status, response.json()["code"]) == (503, "database_unavailable")
            assert "gives this process no connection" in response.json()["detail"]
            assert response.headers["connection"] == "close", "another worker may have some"
        limited.allow(1)

        async def heals() -> bool:
            return (await running.anonymous.get("/readyz")).status == 200

        await until(heals)
        assert (await running.anonymous.get("/api/plain")).status == 200
    finally:
        await app.stop()


async def test_a_listener_leaves_its_connection_to_a_pool_that_has_none(limited: Limited) -> None:
    limited.allow(2)
    running = TestApp(app, limited.dsn, GATEPOST_DATABASE_POOL_SIZE="1")
    await app.start(load_settings({"DATABASE_URL": limited.dsn, "GATEPOST_DATABASE_POOL_SIZE": "1"}))
    try:
        listener = app.running.accounts.identities.listener

        async def listens() -> bool:
            return listener._connection is not None

        await until(listens)
        limited.allow(1)
        app.running.database.pool.close_idle(lambda _raw: True)

        async def serves() -> bool:
            return (await running.anonymous.get("/api/plain")).status == 200

        await until(serves)
        assert (await running.anonymous.get("/readyz")).status == 200
        assert listener._connection is None
    finally:
        await app.stop()
