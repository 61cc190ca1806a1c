"""Fixtures: the ledger behind a proxy that can fail, and a connection that sees what was really written."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio
from ledger import SETTINGS, app
from scenes import Scene
from wire import Proxy

from gatepost.testing import TestApp


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(module_database_url: str) -> AsyncIterator[Scene]:
    """One app for the tests of a module."""
    async with Proxy(module_database_url) as proxy:
        witness: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
        async with TestApp(app, proxy.dsn, **SETTINGS) as running:
            yield Scene(running.anonymous, app.running.database, proxy, witness)
            proxy.rest()
        await witness.close()
