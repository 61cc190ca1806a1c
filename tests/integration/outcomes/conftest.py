"""Fixtures: the app behind a proxy that can fail, and a connection that sees what was really written."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from fault_injection import FaultInjector
from outcomes_app import SETTINGS, app
from protocol_proxy import Proxy
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the outcomes."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def injector(module_database_url: str) -> AsyncIterator[FaultInjector]:
    """One app for the tests of a module."""
    async with opened(module_database_url) as injector:
        yield injector


@asynccontextmanager
async def opened(dsn: str) -> AsyncGenerator[FaultInjector]:
    """The app on a database, with the proxy and the connection beside it."""
    async with Proxy(dsn) as proxy:
        witness: asyncpg.Connection[Any] = await asyncpg.connect(dsn)
        async with TestApp(app, proxy.dsn, **SETTINGS) as running:
            yield FaultInjector(running.anonymous, app.running.database, proxy, witness)
            proxy.rest()
        await witness.close()
