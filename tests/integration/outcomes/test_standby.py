"""A real standby: its reads go on and it is ready, nothing can be listened to there, and its promotion is noticed."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from outcomes_app import app
from protocol_proxy import until
from sqlalchemy import MetaData
from sqlalchemy.orm import Mapped, mapped_column
from tests.conftest import FAST_AND_FORGETFUL

from gatepost import Actor, App, Model, Resource, Service, anyone
from gatepost.database.heartbeat_monitor import HEARTBEAT_TIMEOUT_SECONDS
from gatepost.database.listener import STANDBY
from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.environment import load_settings
from gatepost.models.base import NAMING
from gatepost.testing import Client, TestApp


class Base(Model):
    """Tables of this app alone: a database for it has no others."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING)


class Statement(Base):
    """Served at an isolation that a standby does not have."""

    __tablename__ = "bank_statements"

    number: Mapped[int] = mapped_column(default=0)


class Statements(Service[Statement]):
    """Asks for the strictest isolation."""

    isolation = "serializable"

    async def list(self, query: Any, actor: Actor) -> Sequence[Statement]:
        return await super().list(query, actor)

    async def before_create(self, draft: Statement, actor: Actor) -> None:
        await self.session.flush()


strict_app = App(Resource(Statement, read=anyone, create=anyone, service=Statements))


@pytest.fixture
async def standby(tmp_path: Path) -> AsyncIterator[EmbeddedPostgreSQL]:
    """A server with the tables of both apps, started again as a standby."""
    server = EmbeddedPostgreSQL(tmp_path / "standby", settings=FAST_AND_FORGETFUL)
    dsn = await asyncio.to_thread(server.start)
    for each in (app, strict_app):
        async with TestApp(each, dsn):
            pass
    await asyncio.to_thread(server.stop)
    cluster = tmp_path / "standby" / "cluster"
    signal_file = cluster / "standby.signal"
    signal_file.touch()
    os.chown(signal_file, cluster.stat().st_uid, cluster.stat().st_gid)
    await asyncio.to_thread(server.start)
    yield server
    await asyncio.to_thread(server.stop)


PATHS = [
    (app, "/api/bookings", {"text": "one"}),
    (app, "/api/postings", {"text": "one"}),
    (strict_app, "/api/bank_statements", {"number": 3}),
]


async def test_a_standby_is_ready_and_serves_reads_until_it_is_promoted(standby: EmbeddedPostgreSQL) -> None:
    async with AsyncExitStack() as stack:
        for served in (app, strict_app):
            await served.start(load_settings({"DATABASE_URL": standby.dsn("gatepost")}))
            stack.push_async_callback(served.stop)
        await until_silence_would_have_been_noticed()
        for served, path, body in PATHS:
            client = Client(served)
            ready = await client.get("/readyz")
            assert (ready.status, ready.json()["database"]) == (200, "read_only")
            assert (await client.get(path)).status == 200
            response = await client.post(path, json=body)
            assert (response.status, response.json()["code"]) == (503, "database_read_only")
            assert "retry-after" in response.headers
            assert served.running.accounts.identities.listener._doubt == STANDBY

        await asyncio.to_thread(standby.execute, "SELECT pg_promote()")
        for served, path, body in PATHS:
            client = Client(served)

            async def is_promoted(client: Client = client, path: str = path, body: object = body) -> bool:
                return (await client.post(path, json=body)).status == 201

            async def is_trusted(served: App = served) -> bool:
                return served.running.accounts.identities.listener.is_trusted

            await until(is_promoted)
            await until(is_trusted)
            assert (await client.get("/readyz")).json()["database"] == "ok"


async def until_silence_would_have_been_noticed() -> None:
    watched_until = time.monotonic() + HEARTBEAT_TIMEOUT_SECONDS + 0.5

    async def is_over() -> bool:
        return time.monotonic() > watched_until

    await until(is_over)
