"""Readiness: what `/readyz` says of the database, without waiting for it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import asyncpg
import pytest
from tests.relay import Relay
from transaction_app import app, until

from gatepost.asgi import Message
from gatepost.call import Call
from gatepost.database.listener import UNNOTIFIED
from gatepost.environment import load_settings
from gatepost.testing import ClientResponse, TestApp

Connection: TypeAlias = "asyncpg.Connection[Any]"
Scene: TypeAlias = tuple[TestApp, Relay]

HASTY = {
    "GATEPOST_DATABASE_POOL_SIZE": "2",
    "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "0.3",
    "GATEPOST_DATABASE_LOCK_SECONDS": "30",
    "GATEPOST_DATABASE_STATEMENT_SECONDS": "30",
}


@pytest.fixture
async def scene(database_url: str) -> AsyncIterator[Scene]:
    """The app, and the network between it and PostgreSQL."""
    async with Relay(database_url).running() as relay, TestApp(app, relay.url, **HASTY) as running:
        yield running, relay


async def ready(running: TestApp) -> ClientResponse:
    return await running.anonymous.get("/readyz")


async def test_an_instance_whose_connections_all_wait_for_a_lock_is_ready(scene: Scene, other: Connection) -> None:
    running, _ = scene
    async with other.transaction():
        await other.execute("LOCK TABLE plain")
        waiting = [asyncio.ensure_future(running.anonymous.get("/api/plain")) for _ in range(2)]

        async def all_wait_for_the_lock() -> bool:
            sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'plain'::regclass"
            return int(await other.fetchval(sql)) == 2

        await until(all_wait_for_the_lock)
        response = await running.anonymous.get("/api/notes")
        assert (response.status, response.json()["code"]) == (503, "database_busy"), "no connection is left"
        for _ in range(20):
            assert (await ready(running)).json() == {
                "status": "ok",
                "database": "ok",
                "process": "ok",
                **app.running.buckets.details,
            }
    assert [response.status for response in await asyncio.gather(*waiting)] == [200, 200]


async def unread() -> Message:
    """The body of a request that nobody reads."""
    raise AssertionError


async def test_the_probe_never_waits(scene: Scene) -> None:
    """A coroutine that is driven by hand to its end has waited for nothing."""
    running, relay = scene
    _, endpoint, _ = running.app.running.table.match("GET", "/readyz")
    assert endpoint is not None
    asking = Call({}, unread, "request-1", "192.0.2.1", {}, b"")
    for stalled in (False, True):
        if stalled:
            relay.stall()
            relay.stall_new()
        with pytest.raises(StopIteration) as done:
            endpoint.handler(asking).send(None)  # type: ignore[attr-defined]
        assert done.value.value.status == 200
    relay.flow()
    assert (await ready(running)).status == 200


async def test_a_database_that_falls_silent_is_said_to_be_away_until_it_is_heard_of_again(scene: Scene) -> None:
    running, relay = scene
    loop = asyncio.get_running_loop()
    began = loop.time()
    relay.stall()
    relay.stall_new()

    async def is_away() -> bool:
        response = await ready(running)
        return response.status == 503 and response.json()["database"] == "database_unavailable"

    async def is_there() -> bool:
        return (await ready(running)).status == 200

    await until(is_away)
    assert loop.time() - began >= 1.9, "silent for less than 2 s it is as it was"
    relay.flow()
    await until(is_there)


async def test_a_process_that_drains_is_not_ready_however_the_database_is(scene: Scene) -> None:
    running, _ = scene
    app.drain()
    response = await ready(running)
    assert (response.status, response.json()["database"], response.json()["process"]) == (503, "ok", "draining")


async def test_where_nobody_tells_of_changed_users_the_database_is_asked_all_the_same(
    database_url: str, other: Connection
) -> None:
    """Its listener is not trusted, and pings."""
    await other.execute("DROP FUNCTION gatepost_identity_changed() CASCADE")
    async with Relay(database_url).running() as relay:
        running = TestApp(app, relay.url)
        await app.start(load_settings({"DATABASE_URL": relay.url}))
        try:
            listener = app.running.accounts.identities.listener
            await until(lambda: _true(listener._doubt == UNNOTIFIED))
            assert not listener.is_trusted
            assert (await ready(running)).status == 200
            relay.stall()
            relay.stall_new()
            await until(lambda: _true(listener.heartbeat.is_silent))
            assert (await ready(running)).status == 503
            relay.flow()
            await until(lambda: _true(not listener.heartbeat.is_silent))
            assert (await ready(running)).status == 200
        finally:
            await app.stop()


async def _true(condition: bool) -> bool:
    return condition
