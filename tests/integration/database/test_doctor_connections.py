"""What `gatepost doctor` reckons of connections, held to what PostgreSQL really has room for."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg
import pytest

from gatepost.cli.doctor_connections import examine_connections
from gatepost.cli.doctor_database import examine_database
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.database.database import Database
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import Events
from gatepost.settings import DatabaseSettings, ServerSettings, Settings

Connection: TypeAlias = "asyncpg.Connection[Any]"


@pytest.fixture
def role(postgresql: EmbeddedPostgreSQL, database_url: str) -> Iterator[str]:
    """A role that is no superuser, so that limits hold for it."""
    name = f"clerk_{urlsplit(database_url).path.removeprefix('/test_')}"
    postgresql.execute(f"CREATE ROLE {name} LOGIN")
    yield name
    postgresql.execute(f"DROP ROLE {name}")


@pytest.fixture
async def clerk(database_url: str, role: str) -> AsyncIterator[Database]:
    """A database as that role reaches it."""
    made = Database(database_url.replace("gatepost@", f"{role}@"), DatabaseSettings(), Events())
    yield made
    await made.close()


async def found(database: Database, *, workers: int, pool: int) -> DoctorFinding:
    """What doctor finds for so many workers with so large a pool."""
    settings = Settings(server=ServerSettings(workers=workers), database=DatabaseSettings(pool_size=pool))
    connection = await database.connect()
    try:
        return await examine_connections(connection, settings)
    finally:
        await connection.close()


def room(finding: DoctorFinding) -> int:
    """For how many connections there is room, as it says."""
    said = re.search(r"room for (-?\d+)", finding.detail)
    assert said is not None, finding.detail
    return int(said[1])


async def test_what_fits_exactly_is_well_and_one_more_is_not(
    postgresql: EmbeddedPostgreSQL, clerk: Database, role: str
) -> None:
    postgresql.execute(f"ALTER ROLE {role} CONNECTION LIMIT 46")
    fits = await found(clerk, workers=2, pool=10)
    assert (fits.ok, room(fits)) == (True, 46), "2 x 2 x (10 + 1) + 2"
    postgresql.execute(f"ALTER ROLE {role} CONNECTION LIMIT 45")
    refused = await found(clerk, workers=2, pool=10)
    assert (refused.ok, refused.is_warning, room(refused)) == (False, False, 45)
    assert f"connection limit 45 of role {role}" in refused.detail
    assert "Set GATEPOST_DATABASE_POOL_SIZE to 9 at most" in str(refused.hint)
    assert f"ALTER ROLE {role} CONNECTION LIMIT" in str(refused.hint)
    assert (await found(clerk, workers=2, pool=9)).ok, "the hint is right"


async def test_where_no_pool_would_fit_fewer_workers_are_the_hint(
    postgresql: EmbeddedPostgreSQL, clerk: Database, role: str
) -> None:
    postgresql.execute(f"ALTER ROLE {role} CONNECTION LIMIT 5")
    refused = await found(clerk, workers=4, pool=1)
    assert not refused.ok
    assert str(refused.hint).startswith("Run fewer workers, or ")
    alone = await found(clerk, workers=1, pool=10)
    assert str(alone.hint).startswith(f"One worker needs 6 at least: `ALTER ROLE {role} CONNECTION LIMIT")


@pytest.mark.parametrize("limit", [0, 1, 3, 4])
async def test_a_limit_that_leaves_the_doctor_too_few_is_named(
    postgresql: EmbeddedPostgreSQL, clerk: Database, role: str, limit: int
) -> None:
    postgresql.execute(f"ALTER ROLE {role} CONNECTION LIMIT {limit}")
    findings = await examine_database(Settings(database=DatabaseSettings(url=clerk.dsn)), None)
    last = findings[-1]
    assert (last.check, last.ok) == ("database", False)
    assert "no connection left for this command: too many connections for role" in last.detail
    assert "ALTER ROLE" in str(last.hint)
    assert "Start PostgreSQL" not in str(last.hint)
    assert any("connection limit" in item.detail for item in findings) == (limit > 0)


async def test_what_others_hold_of_a_limit_is_not_ours_and_our_own_pool_is_no_other(
    postgresql: EmbeddedPostgreSQL, clerk: Database, role: str
) -> None:
    postgresql.execute(f"ALTER ROLE {role} CONNECTION LIMIT 30")
    async with AsyncExitStack() as stack:
        for _ in range(3):
            other: Connection = await asyncpg.connect(clerk.dsn)
            stack.push_async_callback(other.close)
            served = await clerk.connect()
            stack.push_async_callback(served.close)
        seen = await found(clerk, workers=1, pool=10)
        assert room(seen) == 27
        assert "connection limit 30 of role" in seen.detail
        assert "- 3 of others" in seen.detail


async def test_the_limit_of_the_database_holds_as_well(
    postgresql: EmbeddedPostgreSQL, clerk: Database, database_url: str
) -> None:
    name = urlsplit(database_url).path.removeprefix("/")
    postgresql.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 12")
    refused = await found(clerk, workers=1, pool=10)
    assert (refused.ok, room(refused)) == (False, 12)
    assert f"connection limit 12 of database {name}" in refused.detail


async def test_max_connections_holds_less_what_is_reserved(clerk: Database, database_url: str) -> None:
    other: Connection = await asyncpg.connect(database_url)
    try:
        total = int(await other.fetchval("SHOW max_connections"))
        reserved = int(await other.fetchval("SHOW superuser_reserved_connections"))
        finding = await found(clerk, workers=1, pool=total)
    finally:
        await other.close()
    assert not finding.ok
    assert re.search(rf"max_connections {total} - {reserved} reserved - \d+ of others", finding.detail)
    assert room(finding) < total - reserved, "the other connection of this test is one of them"


async def test_a_superuser_is_under_no_limit_but_the_servers(postgresql: EmbeddedPostgreSQL, database_url: str) -> None:
    superuser = Database(database_url, DatabaseSettings(), Events())
    name = urlsplit(database_url).path.removeprefix("/")
    postgresql.execute(f"ALTER DATABASE {name} CONNECTION LIMIT 1")
    assert "max_connections" in (await found(superuser, workers=1, pool=2)).detail
