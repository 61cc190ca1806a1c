"""The pool of connections: who gets one, and that none is ever lost."""

import asyncio
from typing import Any

import asyncpg
import pytest
from transaction_app import TransactionApp, until

from gatepost.database.connection import PooledConnection
from gatepost.database.database import Database
from gatepost.errors import ServiceUnavailable
from gatepost.events import Events
from gatepost.settings import DatabaseSettings


async def test_the_connection_given_back_last_is_taken_first(transaction_app: TransactionApp) -> None:
    pool = transaction_app.database.pool
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first)
    pool.release(second)
    assert pool.take() is second
    assert pool.take() is first
    for connection in (first, second):
        pool.release(connection)


async def test_waiters_that_are_cancelled_lose_no_connection(short_deadlines_app: TransactionApp) -> None:
    pool = short_deadlines_app.database.pool
    held = [await pool.acquire() for _ in range(3)]
    for turn in range(8):
        waiters = [asyncio.ensure_future(pool.acquire()) for _ in range(4)]
        await asyncio.sleep(0)
        waiters[0].cancel()
        pool.release(held.pop())
        waiters[turn % 4].cancel()
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)
        held += [outcome for outcome in outcomes if isinstance(outcome, PooledConnection)]
        while (connection := pool.take()) is not None:
            held.append(connection)
        assert len(held) == pool.size == 3
    for connection in held:
        pool.release(connection)


async def test_requests_that_are_cancelled_at_any_moment_lose_no_connection(transaction_app: TransactionApp) -> None:
    for turns in range(40):
        tasks = [
            asyncio.ensure_future(transaction_app.client.post("/api/plain", json={"text": f"{turns}-{n}"}))
            for n in range(5)
        ]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(30):
        taken = [await transaction_app.database.pool.acquire() for _ in range(3)]
    assert transaction_app.database.pool.size == 3
    for connection in taken:
        assert not connection.raw.is_in_transaction()
        transaction_app.database.pool.release(connection)


async def test_a_transaction_that_nobody_ended_is_rolled_back_before_the_next_use(
    transaction_app: TransactionApp,
) -> None:
    pool = transaction_app.database.pool
    connection = await pool.acquire()
    await connection.raw.execute("BEGIN; INSERT INTO plain (text, number, kind) VALUES ('left open', 1, 'a')")
    pool.release(connection)
    assert await transaction_app.count("plain") == 0
    assert (await transaction_app.client.post("/api/plain", json={"text": "left open"})).status == 201


async def test_connections_closed_under_us_are_replaced_unseen(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    await transaction_app.client.get("/api/plain")
    raw = transaction_app.database.pool.idle[-1].raw
    await other.execute("SELECT pg_terminate_backend($1, 1000)", raw.get_server_pid())

    async def is_closed() -> bool:
        return raw.is_closed()

    await until(is_closed)
    assert (await transaction_app.client.get("/api/plain")).status == 200
    assert transaction_app.database.pool.size == 1


async def test_a_pool_that_closes_refuses_whoever_waits(database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(pool_size=1, pool_wait_seconds=5), Events())
    connection = await database.pool.acquire()
    waiter = asyncio.ensure_future(database.pool.acquire())
    await asyncio.sleep(0)
    await database.close()
    with pytest.raises(ServiceUnavailable) as refused:
        await waiter
    assert refused.value.code == "shutting_down"
    database.pool.release(connection)
    assert database.pool.size == 0


async def test_statements_are_prepared_once_on_a_connection(
    transaction_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    for _ in range(3):
        await transaction_app.client.get("/api/plain")
    raw = transaction_app.database.pool.idle[-1].raw
    counts = await raw.fetch(
        "SELECT generic_plans + custom_plans AS runs FROM pg_prepared_statements WHERE statement LIKE '%FROM plain%'"
        " AND statement NOT LIKE '%pg_prepared_statements%'"
    )
    assert [record["runs"] for record in counts] == [3]
