"""The running app whose endpoints stream."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from streams_app import app, log

from gatepost.testing import Client, TestApp

HEARTBEAT_SECONDS = 0.1


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app with a single connection, so that a stream that kept one would wait for itself."""
    settings = {
        "GATEPOST_DATABASE_POOL_SIZE": "1",
        "GATEPOST_STREAM_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        "GATEPOST_STREAMS_MAX": "3",
    }
    async with TestApp(app, module_database_url, **settings) as started:
        yield started


@pytest.fixture(autouse=True)
def _empty_log() -> None:
    """The sources of other tests have done nothing."""
    log.lines.clear()
    log.asked = 0
    log.closed.clear()


@pytest.fixture
def client(running: TestApp) -> Client:
    """An anonymous client."""
    return running.anonymous
