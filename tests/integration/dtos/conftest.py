"""What the tests of data transfer objects share."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from gazette_app import Printed, app
from gazette_rows import Gazette, filled
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the gazette."""
    assert app
    return Printed.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sql(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another program on the database of the module."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gazette(module_database_url: str, sql: "asyncpg.Connection[Any]") -> AsyncIterator[Gazette]:
    """The gazette with its rows."""
    async with TestApp(app, module_database_url) as running:
        yield await filled(running, sql)
