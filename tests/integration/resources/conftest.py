"""What the tests of the arguments of resources share."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sql(module_database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another program on the database of the module."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(module_database_url)
    yield connection
    await connection.close()
