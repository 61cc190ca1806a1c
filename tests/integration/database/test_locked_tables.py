"""One table is locked: the others are served, and so is sign-in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeAlias

import asyncpg
import pytest
from sqlalchemy import text
from transaction_app import TransactionApp, app, until

from gatepost import Service
from gatepost.database import fair_sharing
from gatepost.testing import Client, ClientResponse, TestApp

Connection: TypeAlias = "asyncpg.Connection[Any]"

POOL_SIZE = 6
LOCK_SECONDS = 0.6
SETTINGS = {
    "GATEPOST_DATABASE_POOL_SIZE": str(POOL_SIZE),
    "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "0.6",
    "GATEPOST_DATABASE_LOCK_SECONDS": str(LOCK_SECONDS),
}


@pytest.fixture
async def shared(database_url: str) -> AsyncIterator[TransactionApp]:
    """An app whose pool is large enough to be shared out, and as impatient as it may be: a request waits for a
    connection no longer than a statement waits for a lock."""
    async with TestApp(app, database_url, **SETTINGS) as running:
        yield TransactionApp(running)


@asynccontextmanager
async def again(ask: Callable[[], Awaitable[ClientResponse]], count: int) -> AsyncIterator[list[ClientResponse]]:
    """So many clients that send requests again and again, and the responses that they got."""
    responses: list[ClientResponse] = []

    async def go_on() -> None:
        while True:
            responses.append(await ask())

    tasks = [asyncio.ensure_future(go_on()) for _ in range(count)]
    try:
        yield responses
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def readers(client: Client, path: str, count: int) -> AbstractAsyncContextManager[list[ClientResponse]]:
    return again(lambda: client.get(path), count)


@asynccontextmanager
async def locked(other: Connection, table: str) -> AsyncIterator[None]:
    async with other.transaction():
        await other.execute(f"LOCK TABLE {table}")
        yield


async def all_taken(transaction_app: TransactionApp) -> None:
    """Wait until every connection waits for the lock, and others stand in line."""
    pool = transaction_app.database.pool
    await until(lambda: _holds(lambda: pool.size == POOL_SIZE and not pool.idle and len(pool.waiting) > 10))


async def _holds(condition: Callable[[], bool]) -> bool:
    return condition()


async def test_while_one_table_is_locked_every_request_for_others_is_served(
    shared: TransactionApp, other: Connection
) -> None:
    async with locked(other, "plain"), readers(shared.client, "/api/plain", 60) as refused:
        await all_taken(shared)
        for _ in range(30):
            response = await shared.client.get("/api/stubborn")
            assert response.status == 200, response.body
            assert (await shared.client.get("/readyz")).status == 200
            await asyncio.sleep(0.05)
    assert {response.status for response in refused} <= {503, 504}
    assert {response.json()["code"] for response in refused} <= {"database_busy", "database_timeout"}
    assert (await shared.client.get("/api/plain")).status == 200


async def test_while_one_table_is_locked_users_sign_in_and_are_loaded(
    shared: TransactionApp, other: Connection
) -> None:
    email, password = "ada@example.com", "correct horse battery"
    ada = await shared.running.user(email=email, password=password)
    async with locked(other, "plain"), readers(shared.client, "/api/plain", 60):
        await all_taken(shared)
        for _ in range(3):
            signed_in = await shared.client.post("/api/auth/login", json={"email": email, "password": password})
            assert signed_in.status == 200, signed_in.body
            app.running.accounts.identities.drop(None)
            assert (await ada.get("/api/auth/me")).status == 200


async def test_while_the_table_of_users_is_locked_strangers_are_served(
    shared: TransactionApp, other: Connection
) -> None:
    ada = await shared.running.user()
    app.running.accounts.identities.drop(None)
    async with locked(other, "users"), readers(ada, "/api/auth/me", 60):
        await all_taken(shared)
        for _ in range(10):
            assert (await shared.client.get("/api/plain")).status == 200
            await asyncio.sleep(0.05)


async def wait_for_another_table(service: Service[Any]) -> None:
    await service.session.execute(text("SELECT 1 FROM stubborn LIMIT 1"))


async def test_a_service_counts_for_the_resource_in_the_path(shared: TransactionApp, other: Connection) -> None:
    async with locked(other, "stubborn"), again(lambda: shared.create_after(wait_for_another_table), 60):
        await all_taken(shared)
        for _ in range(20):
            assert (await shared.client.get("/api/plain")).status == 200
            await asyncio.sleep(0.05)


async def test_one_resource_has_all_connections_while_no_other_waits(shared: TransactionApp, other: Connection) -> None:
    async with locked(other, "plain"):
        waiting = [asyncio.ensure_future(shared.client.get("/api/plain")) for _ in range(POOL_SIZE)]

        async def all_wait_for_the_lock() -> bool:
            sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'plain'::regclass"
            return int(await other.fetchval(sql)) == POOL_SIZE

        await until(all_wait_for_the_lock)
    assert {response.status for response in await asyncio.gather(*waiting)} == {200}


async def test_afterwards_the_pool_is_as_it_was(
    shared: TransactionApp, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fair_sharing, "TIMEOUT_ACTIVE_SECONDS", 0.2)
    pool = shared.database.pool
    async with locked(other, "plain"), readers(shared.client, "/api/plain", 60):
        await all_taken(shared)
        assert (await shared.client.get("/api/stubborn")).status == 200
        assert pool.is_strict
    await asyncio.sleep(0.2)
    assert (await shared.client.get("/api/stubborn")).status == 200

    async def is_as_before() -> bool:
        return not pool.is_strict and pool.size == len(pool.idle) <= POOL_SIZE

    await until(is_as_before)


async def test_a_small_pool_is_not_shared_out(database_url: str, other: Connection) -> None:
    settings = SETTINGS | {"GATEPOST_DATABASE_POOL_SIZE": "3"}
    async with TestApp(app, database_url, **settings) as running, contextlib.AsyncExitStack() as stack:
        transaction_app = TransactionApp(running)
        await stack.enter_async_context(locked(other, "plain"))
        await stack.enter_async_context(readers(transaction_app.client, "/api/plain", 20))
        pool = transaction_app.database.pool
        await until(lambda: _holds(lambda: pool.size == 3 and not pool.idle and len(pool.waiting) > 10))
        await asyncio.sleep(fair_sharing.SLOW_SECONDS + 0.1)
        await transaction_app.client.get("/api/stubborn")
        assert not pool.is_strict
