"""PostgreSQL stands still in the midst of everything: when it goes on, the pool is as large as before."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session
from tests.integration.database.embedded_processes import SMALL, processes_of
from transaction_app import Note, Notes, app, nothing

from gatepost import Service
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.events import TaskFailed
from gatepost.testing import ClientResponse, TestApp

SIZE = 4
SETTINGS = {
    "GATEPOST_DATABASE_POOL_SIZE": str(SIZE),
    "GATEPOST_DATABASE_POOL_WAIT_SECONDS": "1",
    "GATEPOST_DATABASE_CONNECT_SECONDS": "1",
    "GATEPOST_REQUEST_SECONDS": "1",
}

died: list[TaskFailed] = []
app.events.subscribe(TaskFailed, died.append)


class Stall:
    """All of a server's processes, stopped for a while."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def begin(self) -> None:
        for process in processes_of(self._data):
            os.kill(process.pid, signal.SIGSTOP)

    def end(self) -> None:
        for process in processes_of(self._data):
            os.kill(process.pid, signal.SIGCONT)


@pytest.fixture
def server(data: Path) -> Iterator[EmbeddedPostgreSQL]:
    """A server of the test's own."""
    with EmbeddedPostgreSQL(data, settings=SMALL) as running:
        yield running


@pytest.fixture
def stall(data: Path, server: EmbeddedPostgreSQL) -> Iterator[Stall]:
    made = Stall(data)
    yield made
    made.end()


async def flushes(service: Service[Note]) -> None:
    """A service whose transaction has begun."""
    service.session.add(Note(text="before"))
    await service.session.flush()


async def raises(service: Service[Note]) -> None:
    """A service that has to be rolled back."""
    await flushes(service)
    await asyncio.sleep(0.2)
    raise RuntimeError("the service's own")


async def closes_badly(service: Service[Note]) -> None:
    """A service whose session raises at its end."""
    await flushes(service)

    def end(_session: Session) -> None:
        raise AttributeError("an event of the service's own")

    event.listen(service.session.sync_session, "after_soft_rollback", lambda session, _previous: end(session))
    raise RuntimeError("rolled back")


async def whole(running: TestApp) -> None:
    """As many requests at once as two pools, under traffic, within `connect_seconds` + 2 s."""

    async def ask() -> Counter[int]:
        responses = await asyncio.gather(*(running.anonymous.get("/api/plain") for _ in range(2 * SIZE)))
        return Counter(response.status for response in responses)

    async with asyncio.timeout(3):
        while await ask() != {200: 2 * SIZE}:
            pass
    pool = app.running.database.pool
    async with asyncio.timeout(5):
        held = await asyncio.gather(*(pool.acquire() for _ in range(SIZE)))
    for connection in held:
        assert not connection.raw.is_in_transaction()
        pool.release(connection)
    assert pool.size == len(pool.idle) == SIZE
    assert await ask() == {200: 2 * SIZE}
    assert died == []


@pytest.mark.parametrize("through", ["derived", "service"])
async def test_commits_that_hang_and_a_server_that_stands_still_cost_no_slot(
    server: EmbeddedPostgreSQL, stall: Stall, through: str
) -> None:
    died.clear()
    Notes.step = staticmethod(nothing if through == "derived" else flushes)
    async with TestApp(app, server.dsn("gatepost"), **SETTINGS) as running:
        for setting in ("synchronous_commit = 'on'", "synchronous_standby_names = 'nobody'"):
            server.execute(f"ALTER SYSTEM SET {setting}")
        server.execute("SELECT pg_reload_conf()")
        path = "/api/plain" if through == "derived" else "/api/notes"
        try:
            asked = [asyncio.ensure_future(running.anonymous.post(path, json={"text": str(n)})) for n in range(40)]
            await asyncio.sleep(0.3)
            stall.begin()
            responses: list[ClientResponse] = await asyncio.gather(*asked)
            assert {response.status for response in responses} <= {503, 504}
            stall.end()
        finally:
            server.execute("ALTER SYSTEM RESET synchronous_standby_names")
            server.execute("ALTER SYSTEM RESET synchronous_commit")
            server.execute("SELECT pg_reload_conf()")
        await whole(running)


@pytest.mark.parametrize("step", [nothing, flushes, raises, closes_badly])
async def test_a_stall_at_any_moment_costs_no_slot(
    server: EmbeddedPostgreSQL, stall: Stall, step: Callable[[Service[Note]], Awaitable[None]]
) -> None:
    died.clear()
    Notes.step = staticmethod(step)
    async with TestApp(app, server.dsn("gatepost"), **SETTINGS) as running:

        async def traffic() -> None:
            for n in range(30):
                await asyncio.gather(
                    running.anonymous.post("/api/notes", json={"number": n}),
                    running.anonymous.get("/api/plain"),
                )

        asked = [asyncio.ensure_future(traffic()) for _ in range(5)]
        await asyncio.sleep(0.1)
        stall.begin()
        await asyncio.sleep(2.5)
        stall.end()
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await whole(running)
