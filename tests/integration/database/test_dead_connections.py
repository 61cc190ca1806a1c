"""Connections whose peer is gone without a word: a NAT that has forgotten them, a host that was switched off."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import pytest
from sqlalchemy import text
from tests.relay import Relay
from transaction_app import TransactionApp, app, nothing, until

from gatepost import Service
from gatepost.events import DatabaseLost, DatabaseRestored
from gatepost.testing import ClientResponse, TestApp

Scene: TypeAlias = tuple[TransactionApp, Relay]

POOL_SIZE = 4
STATEMENT_SECONDS = 0.5
DEADLINE_SECONDS = STATEMENT_SECONDS + 1
NOTICED_SECONDS = 2.0
SLACK_SECONDS = 2.0  # half a second of sweeping, and a busy machine
emitted: list[DatabaseLost | DatabaseRestored] = []
app.events.subscribe(DatabaseLost, emitted.append)
app.events.subscribe(DatabaseRestored, emitted.append)
SETTINGS = {
    "GATEPOST_DATABASE_POOL_SIZE": str(POOL_SIZE),
    "GATEPOST_DATABASE_STATEMENT_SECONDS": str(STATEMENT_SECONDS),
}


@pytest.fixture
async def scene(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    """The app, and the network between it and PostgreSQL, with a pool that is full of idle connections."""
    settings = SETTINGS | getattr(request, "param", {})
    async with Relay(database_url).running() as relay, TestApp(app, relay.url, **settings) as running:
        transaction_app = TransactionApp(running)
        pool = transaction_app.database.pool
        listener = app.running.accounts.identities.listener

        async def is_full() -> bool:
            await asyncio.gather(*(transaction_app.client.get("/api/plain") for _ in range(3 * POOL_SIZE)))
            return pool.size == POOL_SIZE == len(pool.idle) and listener.is_trusted

        await until(is_full)
        yield transaction_app, relay
        relay.flow()


async def ask(transaction_app: TransactionApp, count: int) -> list[ClientResponse]:
    return await asyncio.gather(*(transaction_app.client.get("/api/plain") for _ in range(count)))


async def silence() -> None:
    """Wait until it has been noticed that the database is silent, and what idled is gone."""
    pool = app.running.database.pool
    idle = set(pool.idle)

    async def is_noticed() -> bool:
        return not idle & set(pool.idle)

    await until(is_noticed)


async def heard() -> None:
    """Wait until the listener hears of the database again."""

    async def is_trusted() -> bool:
        return app.running.accounts.identities.listener.is_trusted

    await until(is_trusted)


async def test_once_the_silence_is_noticed_nothing_is_sent_on_what_idled_before(scene: Scene) -> None:
    transaction_app, relay = scene
    relay.stall()
    await silence()
    began = asyncio.get_running_loop().time()
    responses = await ask(transaction_app, 40)
    assert {response.status for response in responses} == {200}
    assert asyncio.get_running_loop().time() - began < DEADLINE_SECONDS, "nobody met a dead connection"
    assert transaction_app.database.pool.size <= POOL_SIZE


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [
        pytest.param({}, DEADLINE_SECONDS, id="overdue before the silence is noticed"),
        pytest.param({"GATEPOST_DATABASE_STATEMENT_SECONDS": "2"}, 3.0, id="and after it"),
    ],
    indirect=["scene"],
)
async def test_only_what_was_under_way_fails_and_that_soon(scene: Scene, seconds: float) -> None:
    transaction_app, relay = scene
    loop = asyncio.get_running_loop()
    relay.stall()
    began = loop.time()
    responses = await ask(transaction_app, 40)
    took = loop.time() - began
    failed = [response for response in responses if response.status != 200]
    assert len(failed) <= POOL_SIZE, "one for each connection that was dead"
    assert {(response.status, response.json()["code"]) for response in failed} <= {(503, "database_unavailable")}
    assert took < seconds + SLACK_SECONDS
    assert {response.status for response in await ask(transaction_app, 40)} == {200}


@pytest.mark.parametrize(("verb", "code"), [("derived", "outcome_unknown"), ("service", "database_unavailable")])
async def test_a_write_under_way_ends_and_a_later_one_is_written(scene: Scene, verb: str, code: str) -> None:
    transaction_app, relay = scene
    loop = asyncio.get_running_loop()

    async def write() -> ClientResponse:
        if verb == "service":
            return await transaction_app.create_after(nothing)
        return await transaction_app.client.post("/api/plain", json={"text": str(loop.time())})

    assert (await write()).status == 201  # from now on the statement is prepared, and can be sent
    relay.stall()
    began = loop.time()
    failed = await write()
    assert (failed.status, failed.json()["code"]) == (503, code)
    assert loop.time() - began < NOTICED_SECONDS + DEADLINE_SECONDS + SLACK_SECONDS
    await heard()
    assert (await write()).status == 201


async def test_a_commit_that_was_sent_into_the_silence_ends_as_soon(scene: Scene) -> None:
    transaction_app, relay = scene
    loop = asyncio.get_running_loop()
    commits: list[float] = []

    def stall_at_commit(data: bytes) -> None:
        if b"COMMIT" in data:
            commits.append(loop.time())
            relay.stall()

    relay.watch = stall_at_commit
    began = loop.time()
    failed = await transaction_app.create_after(nothing)
    assert (failed.status, failed.json()["code"], len(commits)) == (503, "outcome_unknown", 1)
    assert loop.time() - began > NOTICED_SECONDS, "a commit has no limit of its own while the database is heard of"
    assert loop.time() - began < NOTICED_SECONDS + DEADLINE_SECONDS + SLACK_SECONDS


async def test_one_dead_connection_costs_one_request_while_the_listener_hears_everything(scene: Scene) -> None:
    transaction_app, relay = scene
    loop = asyncio.get_running_loop()
    relay.stall(oldest=1)
    began = loop.time()
    responses = [response.status for response in await ask(transaction_app, 40)]
    assert sorted(set(responses)) in ([200], [200, 503])
    assert responses.count(503) <= 1
    assert loop.time() - began < DEADLINE_SECONDS + SLACK_SECONDS
    assert (await transaction_app.client.get("/readyz")).status == 200


async def test_an_outage_is_refused_soon_and_heals(scene: Scene) -> None:
    transaction_app, relay = scene
    relay.stall()
    relay.stall_new()
    await silence()
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert {response.status for response in await ask(transaction_app, 40)} == {503}
    assert loop.time() - began < 3 + 1 + SLACK_SECONDS, "the time to connect, once for all"
    relay.flow()

    async def heals() -> bool:
        return {response.status for response in await ask(transaction_app, POOL_SIZE)} == {200}

    await until(heals)
    await heard()
    assert transaction_app.database.pool.size <= POOL_SIZE


async def test_in_a_silence_requests_that_come_one_after_another_are_refused_soon_and_its_length_is_told(
    scene: Scene,
) -> None:
    transaction_app, relay = scene
    loop = asyncio.get_running_loop()
    emitted.clear()
    began = loop.time()
    relay.stall()
    relay.stall_new()
    await silence()
    asked: list[asyncio.Task[tuple[ClientResponse, float]]] = []

    async def timed() -> tuple[ClientResponse, float]:
        sent = loop.time()
        return await transaction_app.client.get("/api/plain"), loop.time() - sent

    async def is_said_to_be_lost() -> bool:
        asked.append(asyncio.ensure_future(timed()))
        return bool(emitted)

    await until(is_said_to_be_lost)
    responses = await asyncio.gather(*asked)
    assert {(response.status, response.json()["code"]) for response, _ in responses} == {(503, "database_unavailable")}
    assert max(seconds for _, seconds in responses) < 3 + 0.5, "the time of one opening"
    for _ in range(5):
        response, seconds = await timed()
        assert (response.json()["code"], seconds < 0.5) == ("database_unavailable", True), "it is known by now"
    relay.flow()

    async def is_restored() -> bool:
        return len(emitted) == 2

    await until(is_restored)  # though nobody asks
    took = loop.time() - began
    lost, restored = emitted
    assert isinstance(lost, DatabaseLost)
    assert lost.reason == "TimeoutError: PostgreSQL did not reply within 3 s"
    assert isinstance(restored, DatabaseRestored)
    assert took - 0.5 <= restored.seconds <= took + 0.2
    assert restored.seconds == round(restored.seconds, 3)


async def test_a_silence_that_ends_loses_nothing(scene: Scene) -> None:
    transaction_app, relay = scene
    relay.stall()
    waiting = [asyncio.ensure_future(transaction_app.client.get("/api/plain")) for _ in range(POOL_SIZE)]

    async def are_under_way() -> bool:
        return not transaction_app.database.pool.idle

    await until(are_under_way)
    relay.flow()
    assert {response.status for response in await asyncio.gather(*waiting)} == {200}
    assert {response.status for response in await ask(transaction_app, 40)} == {200}


async def test_a_service_that_works_for_long_between_statements_is_not_overdue(scene: Scene) -> None:
    transaction_app, _ = scene

    async def work(service: Service[Any]) -> None:
        await service.session.execute(text("SELECT 1"))
        await asyncio.sleep(DEADLINE_SECONDS + 1)
        await service.session.execute(text("SELECT 1"))

    assert (await transaction_app.create_after(work)).status == 201


async def test_a_service_with_a_longer_limit_of_its_own_is_not_overdue(scene: Scene) -> None:
    transaction_app, _ = scene

    async def report(service: Service[Any]) -> None:
        await service.session.execute(text("SET LOCAL statement_timeout = '10s'"))
        await service.session.execute(text(f"SELECT pg_sleep({DEADLINE_SECONDS + 1})"))

    assert (await transaction_app.create_after(report)).status == 201
