"""Commits that wait for a standby, and whose backends end meanwhile: the rows are there, and nobody says otherwise."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from outcomes_app import app
from protocol_proxy import until

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.testing import TestApp

WAITING = "wait_event = 'SyncRep' AND backend_type = 'client backend'"
"""Those of clients: autovacuum waits for a standby as well."""


@pytest.fixture
async def waiting(postgresql: EmbeddedPostgreSQL, database_url: str) -> AsyncIterator[TestApp]:
    """An app each of whose commits waits for a standby that does not exist."""
    async with TestApp(
        app, database_url, GATEPOST_DATABASE_POOL_SIZE="5", GATEPOST_DATABASE_STATEMENT_SECONDS="1"
    ) as running:
        name = database_url.partition("?")[0].rpartition("/")[2]
        postgresql.execute(f"ALTER DATABASE {name} SET synchronous_commit = on")
        app.running.database.pool.close_idle(lambda raw: True)
        postgresql.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        postgresql.execute("SELECT pg_reload_conf()")
        try:
            yield running
        finally:
            postgresql.execute("ALTER SYSTEM RESET synchronous_standby_names")
            postgresql.execute("SELECT pg_reload_conf()")


async def test_backends_that_end_while_their_commits_wait_leave_the_outcome_unknown(
    waiting: TestApp, postgresql: EmbeddedPostgreSQL
) -> None:
    requests = [
        asyncio.ensure_future(waiting.anonymous.post(f"/api/{resource}", json={"text": f"{resource} {number}"}))
        for resource in ("bookings", "postings")
        for number in range(2)
    ]

    async def all_wait() -> bool:
        count = f"SELECT count(*) FROM pg_stat_activity WHERE {WAITING}"
        return (await asyncio.to_thread(postgresql.execute, count)).strip() == "4"

    await until(all_wait)
    ended = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {WAITING}"
    await asyncio.to_thread(postgresql.execute, ended)
    responses = await asyncio.gather(*requests)
    for response in responses:
        assert (response.status, response.json()["code"]) == (503, "outcome_unknown")
        assert "retry-after" not in response.headers
        assert "look before" in response.json()["detail"]
    for resource in ("bookings", "postings"):
        assert len((await waiting.anonymous.get(f"/api/{resource}")).data) == 2


@pytest.mark.parametrize("resource", ["postings", "bookings"])  # by itself, and in a transaction
async def test_a_cancelled_wait_for_the_standby_leaves_the_outcome_unknown(
    resource: str, waiting: TestApp, postgresql: EmbeddedPostgreSQL
) -> None:
    """PostgreSQL warns that the standby may lack what was written, and replies as if all were well."""
    request = asyncio.ensure_future(waiting.anonymous.post(f"/api/{resource}", json={"text": "one"}))

    async def cancelled() -> bool:
        order = f"SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE {WAITING}"
        return (await asyncio.to_thread(postgresql.execute, order)).strip() != "0"

    await until(cancelled)
    response = await request
    assert (response.status, response.json()["code"]) == (503, "outcome_unknown")


async def test_while_a_commit_waits_that_was_given_up_no_write_is_sent(
    waiting: TestApp, postgresql: EmbeddedPostgreSQL
) -> None:
    def count(condition: str) -> int:
        return int(postgresql.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {condition}").strip())

    given_up = await waiting.anonymous.post("/api/postings", json={"text": "given up"})
    assert (given_up.status, given_up.json()["code"]) == (503, "outcome_unknown")

    async def is_known() -> bool:
        ready = await waiting.anonymous.get("/readyz")
        return (ready.status, ready.json()["database"]) == (200, "read_only")

    await until(is_known)
    for resource in ("postings", "bookings"):  # by itself, and in a transaction
        refused = await waiting.anonymous.post(f"/api/{resource}", json={"text": "refused"})
        assert (refused.status, refused.json()["code"]) == (503, "database_read_only")
        assert refused.headers["retry-after"] == "5"
        assert (await waiting.anonymous.get(f"/api/{resource}")).data == []
    assert await asyncio.to_thread(count, WAITING) == 1

    postgresql.execute("ALTER SYSTEM RESET synchronous_standby_names")
    postgresql.execute("SELECT pg_reload_conf()")

    async def is_written() -> bool:
        return (await waiting.anonymous.post("/api/bookings", json={"text": "written"})).status == 201

    await until(is_written)
    assert [each["text"] for each in (await waiting.anonymous.get("/api/postings")).data] == ["given up"]
    assert (await waiting.anonymous.get("/readyz")).json()["database"] == "ok"


async def test_writes_go_on_at_once_where_what_was_given_up_waits_for_no_standby(
    postgresql: EmbeddedPostgreSQL, database_url: str
) -> None:
    async with TestApp(app, database_url, GATEPOST_DATABASE_STATEMENT_SECONDS="1") as running:
        connection = await app.running.database.connect()
        app.running.database.pool.open.copy().pop().unconfirmed.note_given_up(connection)
        connection.terminate()

        async def is_written() -> bool:
            return (await running.anonymous.post("/api/postings", json={"text": "written"})).status == 201

        await until(is_written)
        assert (await running.anonymous.get("/readyz")).json()["database"] == "ok"
