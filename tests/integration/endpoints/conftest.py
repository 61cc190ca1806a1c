"""The running library, and its clients."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from endpoints_app import app
from endpoints_clients import Library, library_of
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the library."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def library(module_database_url: str) -> AsyncIterator[Library]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as started:
        yield await library_of(started)
