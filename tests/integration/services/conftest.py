"""One database and one running app for each module: the `app` that it imports. Every test makes the rows it needs."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import MetaData

from gatepost import App
from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata(request: pytest.FixtureRequest) -> MetaData:
    """Databases here have the tables of the app."""
    app: App = request.module.app
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(request: pytest.FixtureRequest, module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, started on an empty database."""
    async with TestApp(request.module.app, module_database_url) as started:
        yield started
