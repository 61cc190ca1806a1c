"""A connection that cannot be had: the sentence names the address, PostgreSQL's reason and what to do, wherever it is
met, and never the password."""

from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import pytest
from tests.relay import Relay

from gatepost.cli.doctor_database import examine_database
from gatepost.database.connection_errors import connection_error
from gatepost.database.database import Database
from gatepost.database.startup_check import connect_once
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.events import DatabaseLost, Events, PoolLimited
from gatepost.migrations.connections import opened
from gatepost.settings import DatabaseSettings

RULES = """
local secret all scram-sha-256
local closed all reject
local postgres,gatepost,barred,narrow,paused all peer map=gatepost
"""
CASES = {
    "password": ("ada:hunter2", "secret", "password authentication failed", "Correct the user or the password in it."),
    "unlisted": ("gatepost", "nothing", "no pg_hba.conf entry", "or let pg_hba.conf of the server admit this client"),
    "rejected": ("gatepost", "closed", "pg_hba.conf rejects", "or let pg_hba.conf of the server admit this client"),
    "no role": ("eve", "gatepost", 'role "eve" does not exist', "CREATE ROLE \"eve\" LOGIN PASSWORD '...';"),
    "no login": ("readers", "gatepost", "is not permitted to log in", 'ALTER ROLE "readers" LOGIN;'),
    "barred": ("ada", "barred", "does not have CONNECT privilege", 'GRANT CONNECT ON DATABASE "barred" TO the user'),
    "no connections": ("ada", "narrow", "too many connections", "or of the database (ALTER DATABASE)"),
    "paused": ("gatepost", "paused", "not currently accepting connections", "ALLOW_CONNECTIONS true."),
    "no tls": ("gatepost", "gatepost?sslmode=require", "has no TLS", "sslmode=prefer does without"),
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgreSQL]:
    """A server that refuses in every way there is."""
    folder = tmp_path_factory.mktemp("strict")
    with EmbeddedPostgreSQL(folder, settings={"fsync": "off"}) as server:
        for name in ("secret", "closed", "barred", "narrow", "paused"):
            server.execute(f"CREATE DATABASE {name}")
        server.execute("CREATE ROLE ada LOGIN PASSWORD 'another'; CREATE ROLE readers NOLOGIN")
        server.execute("REVOKE CONNECT ON DATABASE barred FROM PUBLIC; ALTER DATABASE narrow CONNECTION LIMIT 0")
        server.execute("ALTER DATABASE paused ALLOW_CONNECTIONS false")
        (folder / "pg_hba.conf").write_text(RULES)
        server.execute("SELECT pg_reload_conf()")
        yield server


@pytest.fixture
async def port(strict: EmbeddedPostgreSQL) -> AsyncIterator[int]:
    """Where it is reached by TCP."""
    async with Relay(strict.dsn("gatepost")).running() as relay:
        yield urlsplit(relay.url).port or 0


async def connect_or_raise(database: Database) -> None:
    """As commands do that need the database at once."""
    if not await connect_once(database):
        raise connection_error(database.pool.reachability.reason, database.address)


@pytest.mark.parametrize("case", CASES)
async def test_servers_migrations_and_the_doctor_say_where_why_and_what_to_do(port: int, case: str) -> None:
    user, database, reason, hint = CASES[case]
    dsn = f"postgresql://{user}@127.0.0.1:{port}/{database}"
    settings = load_settings({"DATABASE_URL": dsn})
    made = Database(dsn, settings.database, Events())

    with pytest.raises(ConfigurationError) as refused:
        await connect_or_raise(made)
    with pytest.raises(ConfigurationError) as migrating:
        async with opened(dsn):
            pass
    *_, finding = await examine_database(settings, None)
    await made.close()

    sentence = str(refused.value)
    assert "\n" not in sentence
    assert sentence.startswith(f"DATABASE_URL: PostgreSQL at 127.0.0.1:{port} ")
    assert reason in sentence
    assert hint in sentence
    assert "hunter2" not in sentence
    assert str(migrating.value) == sentence
    assert f"{finding.detail} {finding.hint}" == sentence


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:1", "cannot be reached: Connection refused."),
        ("no-such-host.invalid:5433", "cannot be reached: its name leads nowhere ("),
        ("127.0.0.1:1, no-such-host.invalid:5433", "cannot be reached: its name leads nowhere ("),
    ],
)
async def test_a_database_that_is_away_is_named_by_its_address(address: str, reason: str) -> None:
    lost: list[DatabaseLost] = []
    events = Events()
    events.subscribe(DatabaseLost, lost.append)
    dsn = f"postgresql://ada:hunter2@{address.replace(' ', '')}/shop"
    made = Database(dsn, DatabaseSettings(), events)

    assert not await connect_once(made)
    with pytest.raises(ConfigurationError) as refused:
        async with opened(dsn):
            pass
    await made.close()

    assert [event.address for event in lost] == [address]
    assert f"PostgreSQL at {address} {reason}" in str(refused.value)
    assert "Start PostgreSQL, or correct DATABASE_URL" in str(refused.value)
    assert "hunter2" not in str(refused.value)


async def test_a_limit_on_connections_is_logged_with_the_address(port: int) -> None:
    limited: list[PoolLimited] = []
    events = Events()
    events.subscribe(PoolLimited, limited.append)
    made = Database(f"postgresql://ada@127.0.0.1:{port}/narrow", DatabaseSettings(), events)

    assert not await connect_once(made)
    await made.close()

    assert [(event.size, event.address) for event in limited] == [(0, f"127.0.0.1:{port}")]


async def test_a_silent_address_is_named(strict: EmbeddedPostgreSQL) -> None:
    async with Relay(strict.dsn("gatepost")).running() as relay:
        relay.stall_new()
        made = Database(relay.url, DatabaseSettings(connect_seconds=0.2), Events())
        assert not await connect_once(made)
        error = connection_error(made.pool.reachability.reason, made.address)
        await made.close()

    port = urlsplit(relay.url).port
    assert f"PostgreSQL at 127.0.0.1:{port} cannot be reached: PostgreSQL did not reply within 0.2 s." in str(error)
