"""Busy, slow, colliding, changed or gone: what a request is answered, and what is left of it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from desk import Deed, Desk, Plain, Retried, Stubborn, app, failures, retries
from sqlalchemy import func, select, text

from gatepost import Service
from gatepost.database.database import Database
from gatepost.database.embedded import EmbeddedPostgreSQL
from gatepost.database.pool import PooledConnection
from gatepost.database.transactions import Transaction
from gatepost.errors import Problem, ServiceUnavailable
from gatepost.observations import DatabaseLost, DatabaseRestored, Observations
from gatepost.settings import DatabaseSettings
from gatepost.testing import TestApp

SETTINGS = {
    "GATEPOST_DATABASE_POOL_SIZE": "3",
    "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "30",
    "GATEPOST_DATABASE_STATEMENT_SECONDS": "30",
    "GATEPOST_REQUEST_SECONDS": "60",
}


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    """A desk whose times are too long to matter, on a busy machine too."""
    async with TestApp(app, database_url, **SETTINGS) as running:
        yield Desk(running)


@pytest.fixture
async def hasty_desk(database_url: str) -> AsyncIterator[Desk]:
    """A desk that waits for nothing long."""
    times = {"GATEPOST_DATABASE_POOL_WAIT_SECONDS": "0.3", "GATEPOST_REQUEST_SECONDS": "1"}
    async with TestApp(app, database_url, **SETTINGS | times) as running:
        yield Desk(running)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another process on the same database."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def until(condition: Any) -> None:
    """Wait until it comes true."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - PostgreSQL sets no event
            await asyncio.sleep(0.01)


async def running_sleeps(other: "asyncpg.Connection[Any]") -> int:
    """How many of our statements sleep in PostgreSQL."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(%' AND state = 'active' AND pid <> $1"
    return int(await other.fetchval(sql, other.get_server_pid()))


async def sleep_long(service: Service[Any]) -> None:
    await service.session.execute(text("SELECT pg_sleep(60)"))


async def nothing(service: Service[Any]) -> None:
    pass


# Times


async def test_a_statement_over_its_time_is_a_504_and_the_connection_serves_on(database_url: str) -> None:
    settings = SETTINGS | {"GATEPOST_DATABASE_STATEMENT_SECONDS": "0.5"}
    async with TestApp(app, database_url, **settings) as running:
        desk = Desk(running)
        answer = await desk.do(sleep_long)
        assert (answer.status, answer.json()["code"]) == (504, "database_timeout")
        assert (await desk.do(nothing)).status == 201
        assert desk.database.pool.size == 1


async def test_a_request_over_its_time_is_a_504_and_its_query_is_gone_from_postgresql(
    hasty_desk: Desk, other: "asyncpg.Connection[Any]"
) -> None:
    answer = await hasty_desk.do(sleep_long)
    assert (answer.status, answer.json()["code"]) == (504, "request_timeout")
    await until(lambda: _is(running_sleeps(other), 0))
    assert (await hasty_desk.do(nothing)).status == 201


async def _is(awaited: Any, wanted: Any) -> bool:
    return bool(await awaited == wanted)


async def test_a_client_finds_every_connection_taken_and_is_told_to_come_back(hasty_desk: Desk) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(hasty_desk.database.transaction())
        answer = await hasty_desk.client.get("/api/plain")
    assert (answer.status, answer.json()["code"]) == (503, "database_busy")
    assert int(answer.headers["retry-after"]) >= 1
    assert (await hasty_desk.client.get("/api/plain")).status == 200


# The pool


async def test_the_connection_given_back_last_is_taken_first(desk: Desk) -> None:
    pool = desk.database.pool
    first, second = await pool.acquire(), await pool.acquire()
    pool.release(first)
    pool.release(second)
    assert pool.take() is second
    assert pool.take() is first
    for connection in (first, second):
        pool.release(connection)


async def test_waiters_that_are_cancelled_lose_no_connection(hasty_desk: Desk) -> None:
    pool = hasty_desk.database.pool
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


async def test_requests_that_are_cancelled_at_any_moment_lose_no_connection(desk: Desk) -> None:
    for turns in range(40):
        tasks = [asyncio.ensure_future(desk.client.post("/api/plain", json={"text": f"{turns}-{n}"})) for n in range(5)]
        for _ in range(turns):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(30):
        taken = [await desk.database.pool.acquire() for _ in range(3)]
    assert desk.database.pool.size == 3
    for connection in taken:
        assert not connection.raw.is_in_transaction()
        desk.database.pool.release(connection)


async def test_a_transaction_that_nobody_ended_is_rolled_back_before_the_next_use(desk: Desk) -> None:
    pool = desk.database.pool
    connection = await pool.acquire()
    await connection.raw.execute("BEGIN; INSERT INTO plain (text, number, kind) VALUES ('left open', 1, 'a')")
    pool.release(connection)
    assert await desk.count("plain") == 0
    assert (await desk.client.post("/api/plain", json={"text": "left open"})).status == 201


async def test_connections_closed_under_us_are_replaced_unseen(desk: Desk, other: "asyncpg.Connection[Any]") -> None:
    await desk.client.get("/api/plain")
    pid = desk.database.pool.idle[-1].raw.get_server_pid()
    await other.execute("SELECT pg_terminate_backend($1, 1000)", pid)
    await until(lambda: _is(_closed(desk), True))
    assert (await desk.client.get("/api/plain")).status == 200
    assert desk.database.pool.size == 1


async def _closed(desk: Desk) -> bool:
    return desk.database.pool.idle[-1].raw.is_closed()


async def test_a_pool_that_closes_refuses_whoever_waits(database_url: str) -> None:
    database = Database(database_url, DatabaseSettings(pool_size=1, pool_wait_seconds=5), Observations())
    connection = await database.pool.acquire()
    waiter = asyncio.ensure_future(database.pool.acquire())
    await asyncio.sleep(0)
    await database.close()
    with pytest.raises(ServiceUnavailable) as refused:
        await waiter
    assert refused.value.code == "shutting_down"
    database.pool.release(connection)
    assert database.pool.size == 0


async def test_statements_are_prepared_once_on_a_connection(desk: Desk, other: "asyncpg.Connection[Any]") -> None:
    for _ in range(3):
        await desk.client.get("/api/plain")
    raw = desk.database.pool.idle[-1].raw
    counts = await raw.fetch(
        "SELECT generic_plans + custom_plans AS runs FROM pg_prepared_statements WHERE statement LIKE '%FROM plain%'"
        " AND statement NOT LIKE '%pg_prepared_statements%'"
    )
    assert [record["runs"] for record in counts] == [3]


# One transaction, committed first


async def test_a_writing_request_is_committed_before_the_first_byte_of_its_answer(
    desk: Desk, other: "asyncpg.Connection[Any]"
) -> None:
    seen: list[int] = []
    send_through = desk.client._app

    async def watching(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                seen.append(await other.fetchval("SELECT (SELECT count(*) FROM notes) + (SELECT count(*) FROM plain)"))
            await send(message)

        await send_through(scope, receive, sending)

    desk.client._app = watching
    await desk.do(nothing)
    await desk.client.post("/api/plain", json={"text": "derived"})
    desk.client._app = send_through
    assert seen == [1, 2]


async def test_a_commit_that_was_sent_is_not_cancelled_and_what_follows_it_follows(
    desk: Desk, other: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    commit = Transaction.commit
    requests: list[asyncio.Task[Any]] = []

    async def cancelled_twice(self: Transaction) -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(requests[0].cancel))
        loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(requests[0].cancel)))
        await commit(self)

    monkeypatch.setattr(Transaction, "commit", cancelled_twice)

    async def deed(service: Service[Any]) -> None:
        service.after_commit(lambda: ran.append("after"))

    requests.append(asyncio.ensure_future(desk.do(deed)))
    with contextlib.suppress(asyncio.CancelledError):
        await requests[0]
    assert await other.fetchval("SELECT count(*) FROM notes") == 1
    assert ran == ["after"]
    monkeypatch.undo()
    assert (await desk.do(nothing)).status == 201


# Collisions


def colliding() -> Deed:
    """Read what the other writes, and wait until it has read, too: the two cannot both be serializable."""
    both = asyncio.Barrier(2)
    waits = [both, both]

    async def collide(service: Service[Any]) -> None:
        await service.session.scalar(select(func.sum(Stubborn.number)))
        if waits:
            await waits.pop().wait()

    return collide


async def test_collisions_run_again_where_a_service_declares_it(desk: Desk) -> None:
    Retried.deed = staticmethod(colliding())
    retries.clear()
    answers = await asyncio.gather(*(desk.client.post("/api/stubborn", json={"number": n}) for n in range(2)))
    assert [answer.status for answer in answers] == [201, 201]
    assert retries == ["SerializationError"]
    assert await desk.count("stubborn") == 2


async def test_collisions_are_a_503_where_it_does_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Retried, "attempts", 1)
    Retried.deed = staticmethod(colliding())
    answers = await asyncio.gather(*(desk.client.post("/api/stubborn", json={"number": n}) for n in range(2)))
    assert sorted(answer.status for answer in answers) == [201, 503]
    refused = next(answer for answer in answers if answer.status == 503)
    assert refused.json()["code"] == "transaction_conflict"
    assert "retry-after" in refused.headers
    assert await desk.count("stubborn") == 1


async def test_a_deadlock_is_a_collision(desk: Desk, other: "asyncpg.Connection[Any]") -> None:
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

        await desk.database.transact(work, attempts=5)

    retries.clear()
    try:
        await asyncio.gather(lock("a", "b"), lock("b", "a"))
    finally:
        await other.execute("ALTER SYSTEM RESET deadlock_timeout")
        await other.execute("SELECT pg_reload_conf()")
    assert set(retries) == {"DeadlockDetectedError"}


# Migrations by another process


@pytest.mark.parametrize(
    "change", ["ALTER TABLE plain ALTER number TYPE bigint", "ALTER TABLE notes ALTER number TYPE bigint"]
)
async def test_requests_survive_a_column_that_changes_its_type(
    desk: Desk, other: "asyncpg.Connection[Any]", change: str
) -> None:
    async def deed(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))
        await service.session.execute(text("SELECT * FROM notes"))

    async def everything() -> list[int]:
        made = await desk.client.post("/api/plain", json={"number": 1, "text": str(id(object()))})
        path = f"/api/plain/{made.data['id']}"
        answers = [
            made,
            await desk.client.get("/api/plain?number=1&sort=-number"),
            await desk.client.get(path),
            await desk.client.patch(path, json={"number": 2, "version": made.data["version"]}),
            await desk.do(deed),
            await desk.client.delete(path),
        ]
        return [answer.status for answer in answers]

    async def at_once() -> list[list[int]]:
        await asyncio.gather(*(desk.client.get("/api/plain") for _ in range(3)))
        return [await everything()]

    expected = [[201, 200, 200, 200, 201, 204]]
    assert await at_once() == expected
    await other.execute(change)
    assert await at_once() == expected, failures


RECREATE = """
    ALTER TABLE plain ALTER kind TYPE text;
    DROP TYPE kind;
    CREATE TYPE kind AS ENUM ('b', 'c', 'a');
    ALTER TABLE plain ALTER kind TYPE kind USING kind::kind;
"""


async def test_requests_survive_an_enum_that_is_dropped_and_made_anew(
    desk: Desk, other: "asyncpg.Connection[Any]"
) -> None:
    async def deed(service: Service[Any]) -> None:
        found = (await service.session.scalars(select(Plain).where(Plain.kind == "a").with_for_update())).first()
        assert found is not None
        found.kind = "b"
        await service.session.flush()
        found.kind = "a"

    async def everything(name: str) -> list[int]:
        made = await desk.client.post("/api/plain", json={"text": name, "kind": "a"})
        path = f"/api/plain/{made.data['id']}"
        answers = [
            made,
            await desk.client.get("/api/plain?kind=a"),
            await desk.do(deed),
            await desk.client.patch(path, json={"kind": "b"}),
            await desk.client.patch(path, json={"kind": "a"}),
            await desk.do(deed),
        ]
        return [answer.status for answer in answers]

    expected = [201, 200, 201, 200, 200, 201]
    assert await everything("first") == expected, failures
    await other.execute(RECREATE)
    assert await everything("second") == expected, failures
    await other.execute(RECREATE)
    assert (await desk.do(deed)).status == 201, failures
    assert await everything("third") == expected, failures


async def test_many_transactions_at_once_survive_a_migration(desk: Desk, other: "asyncpg.Connection[Any]") -> None:
    async def deed(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT * FROM plain"))

    async def several() -> set[int]:
        return {answer.status for answer in await asyncio.gather(*(desk.do(deed) for _ in range(9)))}

    assert await several() == {201}
    await other.execute("ALTER TABLE plain ALTER number TYPE bigint")
    assert await several() == {201}, failures
    assert await several() == {201}


# Away


class Facts:
    """What the pool said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.observations = Observations()
        self.observations.subscribe(DatabaseLost, lambda fact: self.said.append("lost"))
        self.observations.subscribe(DatabaseRestored, lambda fact: self.said.append("restored"))


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server of the test's own."""
    with EmbeddedPostgreSQL(data, settings={"fsync": "off", "shared_buffers": "16MB"}) as running:
        yield running


async def test_while_the_database_is_away_few_try_and_all_are_refused_at_once(server: EmbeddedPostgreSQL) -> None:
    facts, tries = Facts(), 0
    database = Database(server.dsn("gatepost"), DatabaseSettings(), facts.observations)
    connect = database.connect

    async def counting() -> Any:
        nonlocal tries
        tries += 1
        return await connect()

    database.pool._connect = counting
    assert (await database.fetch("SELECT 42"))[0][0] == 42
    server.stop()
    started = asyncio.get_running_loop().time()
    for _ in range(200):
        with pytest.raises(Problem) as refused:
            await database.fetch("SELECT 42")
        assert (refused.value.status, refused.value.code) == (503, "database_unavailable")
    assert asyncio.get_running_loop().time() - started < 10
    assert tries < 20
    assert facts.said == ["lost"]
    server.start()

    async def heals() -> bool:
        with contextlib.suppress(Problem):
            return bool((await database.fetch("SELECT answer FROM kept"))[0][0] == 42)
        return False

    await until(heals)
    assert facts.said == ["lost", "restored"]
    assert database.pool.is_available
    await database.close()


async def test_whoever_waits_for_a_connection_when_the_database_goes_is_refused_soon(
    server: EmbeddedPostgreSQL,
) -> None:
    settings = DatabaseSettings(pool_size=2, pool_wait_seconds=30)
    database = Database(server.dsn("gatepost"), settings, Observations())
    held = [await database.pool.acquire() for _ in range(2)]
    waiters = [asyncio.ensure_future(database.fetch("SELECT 1")) for _ in range(10)]
    await asyncio.sleep(0)
    server.kill()
    for connection in held:
        database.pool.recover(connection)
    async with asyncio.timeout(30):
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert {getattr(outcome, "code", outcome) for outcome in outcomes} == {"database_unavailable"}
    await database.close()


async def test_an_app_starts_without_its_database_and_serves_once_it_is_there(server: EmbeddedPostgreSQL) -> None:
    dsn = server.dsn("gatepost")
    async with TestApp(app, dsn):
        pass
    server.stop()
    running = TestApp(app, dsn)
    from gatepost.settings import load

    await app.start(load({"DATABASE_URL": dsn}))
    assert (await running.anonymous.get("/api/plain")).status == 503
    server.start()

    async def serves() -> bool:
        return (await running.anonymous.get("/api/plain")).status == 200

    await until(serves)
    await app.stop()
