"""The cabinet of specimens, running."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from described_app import app
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the cabinet."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cabinet(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, started on an empty database."""
    async with TestApp(app, module_database_url) as started:
        yield started
