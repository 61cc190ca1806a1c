"""One database and running apps in several dialects for each module; every test makes the rows it needs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from dialects_app import camel, counting, grouping, shouting, with_cursors
from dialects_clients import Spoken
from sqlalchemy import MetaData

from gatepost import App
from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the poems."""
    return camel.metadata


async def spoken(app: App, database_url: str) -> AsyncIterator[Spoken]:
    """An app, started on an empty database."""
    async with TestApp(app, database_url) as running:
        yield Spoken(running, await running.user("editor"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def in_camel_case(module_database_url: str) -> AsyncIterator[Spoken]:
    """The app with camelCase names."""
    async for found in spoken(camel, module_database_url):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def with_own_errors(module_database_url: str) -> AsyncIterator[Spoken]:
    """The app with errors of its own."""
    async for found in spoken(grouping, module_database_url):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counted(module_database_url: str) -> AsyncIterator[Spoken]:
    """The app whose lists say the total beside the rows."""
    async for found in spoken(counting, module_database_url):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def counted_with_cursors(module_database_url: str) -> AsyncIterator[Spoken]:
    """The same with cursors."""
    async for found in spoken(with_cursors, module_database_url):
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def in_capitals(module_database_url: str) -> AsyncIterator[Spoken]:
    """The app with names in capitals."""
    async for found in spoken(shouting, module_database_url):
        yield found
