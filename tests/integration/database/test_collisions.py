"""Transactions that PostgreSQL ends because of each other."""

import asyncio
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text
from transaction_app import Retried, ServiceStep, Stubborn, TransactionApp, retries

from gatepost import Service
from gatepost.database.transactions import Transaction


def colliding() -> ServiceStep:
    """Read what the other writes, and wait until it has read, too: the two cannot both be serializable."""
    both = asyncio.Barrier(2)
    waits = [both, both]

    async def collide(service: Service[Any]) -> None:
        await service.session.scalar(select(func.sum(Stubborn.number)))
        if waits:
            await waits.pop().wait()

    return collide


async def test_collisions_run_again_where_a_service_declares_it(transaction_app: TransactionApp) -> None:
    Retried.step = staticmethod(colliding())
    retries.clear()
    responses = await asyncio.gather(
        *(transaction_app.client.post("/api/stubborn", json={"number": n}) for n in range(2))
    )
    assert [response.status for response in responses] == [201, 201]
    assert retries == ["SerializationError"]
    assert await transaction_app.count("stubborn") == 2


async def test_collisions_are_a_503_where_it_does_not(
    transaction_app: TransactionApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retried, "attempts", 1)
    Retried.step = staticmethod(colliding())
    responses = await asyncio.gather(
        *(transaction_app.client.post("/api/stubborn", json={"number": n}) for n in range(2))
    )
    assert sorted(response.status for response in responses) == [201, 503]
    refused = next(response for response in responses if response.status == 503)
    assert refused.json()["code"] == "transaction_conflict"
    assert "retry-after" in refused.headers
    assert await transaction_app.count("stubborn") == 1


async def test_a_deadlock_is_a_collision(transaction_app: TransactionApp, other: "asyncpg.Connection[Any]") -> None:
    await other.execute("INSERT INTO plain (text, number, kind) VALUES ('a', 0, 'a'), ('b', 0, 'a')")
    await other.execute("ALTER SYSTEM SET deadlock_timeout = '50ms'")
    await other.execute("SELECT pg_reload_conf()")
    both = asyncio.Barrier(2)

    async def lock(first: str, second: str) -> None:
        waits = [both]

        async def work(transaction: Transaction) -> None:
            await transaction.session.execute(text(f"UPDATE plain SET number = 1 WHERE text = '{first}'"))
            if waits:
                await waits.pop().wait()
            await transaction.session.execute(text(f"UPDATE plain SET number = 1 WHERE text = '{second}'"))

        await transaction_app.database.transact(work, attempts=5)

    retries.clear()
    try:
        await asyncio.gather(lock("a", "b"), lock("b", "a"))
    finally:
        await other.execute("ALTER SYSTEM RESET deadlock_timeout")
        await other.execute("SELECT pg_reload_conf()")
    assert set(retries) == {"DeadlockDetectedError"}
