"""Fixtures: the app of the errors, and a connection beside it."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from errors_app import Site, app
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the errors."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(module_database_url: str) -> AsyncIterator[Site]:
    """One app for the tests of a module."""
    witness = await asyncpg.connect(module_database_url)
    async with TestApp(app, module_database_url) as running:
        yield Site(running.anonymous, witness)
    await witness.close()
