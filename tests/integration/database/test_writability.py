"""Whether the database takes writes is known to each process, though nobody writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from transaction_app import app, until

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import DatabaseReadOnly, DatabaseWritable
from gatepost.testing import TestApp

SETTING = "default_transaction_read_only"
NEEDS_WRITES = {"GATEPOST_READY_NEEDS_WRITES": "true"}
emitted: list[str] = []
app.events.subscribe(DatabaseReadOnly, lambda event: emitted.append(event.reason))
app.events.subscribe(DatabaseWritable, lambda event: emitted.append("writable"))


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server of the test's own."""
    with EmbeddedPostgreSQL(data, settings={"fsync": "off", "shared_buffers": "16MB"}) as running:
        yield running
        for order in (f"ALTER SYSTEM RESET {SETTING}", "DROP DATABASE writable WITH (FORCE)"):
            running.execute(f"SET {SETTING} = off")
            running.execute(order)


def reload(server: EmbeddedPostgreSQL, state: str) -> None:
    """As an operator does it on a running server."""
    server.execute(f"ALTER SYSTEM SET {SETTING} = {state}")
    server.execute("SELECT pg_reload_conf()")


async def says(running: TestApp, status: int, database: str) -> None:
    """Wait until `/readyz` says so."""

    async def is_said() -> bool:
        response = await running.anonymous.get("/readyz")
        return (response.status, response.json()["database"]) == (status, database)

    await until(is_said)


async def open_anew(running: TestApp) -> None:
    """Let a request find no connection, so that one is opened."""
    pool = running.app.running.database.pool
    pool.close_idle(lambda _raw: True)
    assert (await running.anonymous.get("/api/plain")).status == 200


async def test_a_setting_that_is_reloaded_is_known_before_anybody_writes(server: EmbeddedPostgreSQL) -> None:
    server.execute("CREATE DATABASE writable")
    async with TestApp(app, server.dsn("writable"), **NEEDS_WRITES) as running:
        emitted.clear()
        reload(server, "on")
        await says(running, 503, "read_only")
        for _ in range(5):
            await open_anew(running)
        assert emitted == ["default_transaction_read_only is on"]
        reload(server, "off")
        await says(running, 200, "ok")
        assert emitted == ["default_transaction_read_only is on", "writable"]


async def test_what_only_new_sessions_are_told_is_over_when_a_new_session_says_so_though_nobody_asks(
    postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    async with TestApp(app, database_url, **NEEDS_WRITES) as running:
        emitted.clear()
        postgresql.execute(f"ALTER DATABASE {name} SET {SETTING} = on")
        await open_anew(running)
        await says(running, 503, "read_only")
        assert emitted == ["default_transaction_read_only is on"]
        postgresql.execute(f"ALTER DATABASE {name} SET {SETTING} = off")
        await says(running, 200, "ok")
        assert emitted == ["default_transaction_read_only is on", "writable"]
