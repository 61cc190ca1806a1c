"""Requests and statements that take too long, and what is left of them."""

import asyncio
import contextlib
from typing import Any

import asyncpg
from sqlalchemy import text
from transaction_app import SETTINGS, TransactionApp, app, nothing, until

from gatepost import Service
from gatepost.testing import TestApp


async def running_sleeps(other: "asyncpg.Connection[Any]") -> int:
    """How many of our statements sleep in PostgreSQL."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(%' AND state = 'active' AND pid <> $1"
    return int(await other.fetchval(sql, other.get_server_pid()))


async def sleep_long(service: Service[Any]) -> None:
    await service.session.execute(text("SELECT pg_sleep(60)"))


async def test_a_statement_over_its_time_is_a_504_and_the_connection_serves_on(database_url: str) -> None:
    settings = SETTINGS | {"GATEPOST_DATABASE_STATEMENT_SECONDS": "0.5"}
    async with TestApp(app, database_url, **settings) as running:
        transaction_app = TransactionApp(running)
        response = await transaction_app.create_after(sleep_long)
        assert (response.status, response.json()["code"]) == (504, "database_timeout")
        assert (await transaction_app.create_after(nothing)).status == 201
        assert transaction_app.database.pool.size == 1


async def wait_as_long_as_it_takes(service: Service[Any]) -> None:
    await service.session.execute(text("SET LOCAL lock_timeout = 0"))
    await service.session.execute(text("LOCK TABLE plain"))


async def test_a_statement_that_waits_too_long_for_a_lock_is_a_504_and_a_service_may_wait_longer(
    database_url: str, other: "asyncpg.Connection[Any]"
) -> None:
    settings = SETTINGS | {"GATEPOST_DATABASE_LOCK_SECONDS": "0.3"}
    async with TestApp(app, database_url, **settings) as running:
        transaction_app = TransactionApp(running)
        kept = (await transaction_app.client.post("/api/plain", json={"number": 1})).data["id"]
        async with other.transaction():
            await other.execute("SELECT FROM plain FOR UPDATE")
            for refused in (
                await transaction_app.client.patch(f"/api/plain/{kept}", json={"number": 2}),
                await transaction_app.client.delete(f"/api/plain/{kept}"),
            ):
                assert (refused.status, refused.json()["code"]) == (504, "database_timeout")
                assert "lock" in refused.json()["detail"]
            assert (await transaction_app.client.get(f"/api/plain/{kept}")).data["number"] == 1
            waiting = asyncio.ensure_future(transaction_app.create_after(wait_as_long_as_it_takes))

            async def has_waited_longer() -> bool:
                waited = "clock_timestamp() - query_start > interval '0.6 s' AND wait_event_type = 'Lock'"
                return bool(await other.fetchval(f"SELECT count(*) FROM pg_stat_activity WHERE {waited}"))

            await until(has_waited_longer)
            assert not waiting.done()
        assert (await waiting).status == 201
        assert (await transaction_app.client.patch(f"/api/plain/{kept}", json={"number": 2})).status == 200


async def test_a_request_over_its_time_is_a_504_and_its_query_is_gone_from_postgresql(
    short_deadlines_app: TransactionApp, other: "asyncpg.Connection[Any]"
) -> None:
    response = await short_deadlines_app.create_after(sleep_long)
    assert (response.status, response.json()["code"]) == (504, "request_timeout")

    async def is_gone() -> bool:
        return await running_sleeps(other) == 0

    await until(is_gone)
    assert (await short_deadlines_app.create_after(nothing)).status == 201


async def test_a_client_finds_every_connection_taken_and_is_told_to_come_back(
    short_deadlines_app: TransactionApp,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(short_deadlines_app.database.transaction())
        response = await short_deadlines_app.client.get("/api/plain")
    assert (response.status, response.json()["code"]) == (503, "database_busy")
    assert int(response.headers["retry-after"]) >= 1
    assert (await short_deadlines_app.client.get("/api/plain")).status == 200
