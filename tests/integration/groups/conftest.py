"""One database and one running record shop for each module."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from groups_app import Base, app
from record_shop import Shop, filled
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the record shop."""
    assert app
    return Base.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The record shop."""
    async with TestApp(app, module_database_url) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sql(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another program on the database of the module."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(loop_scope="module")
async def shop(running: TestApp, sql: "asyncpg.Connection[Any]") -> Shop:
    """The record shop with a release of each state."""
    return await filled(running, sql)
