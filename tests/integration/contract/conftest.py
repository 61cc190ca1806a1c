"""One database and one running app for each module, which its tests share; no test needs another's rows."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from all_types_app import app
from contract_clients import Clients, clients_of, failures
from sqlalchemy import MetaData

from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of all types."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, started on an empty database; long queries are for its own layers to refuse, not for the gate."""
    async with TestApp(app, module_database_url, GATEPOST_URI_BYTES_MAX="65000") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def clients(running: TestApp) -> Clients:
    """Clients of every identity that the rules of the app tell apart."""
    return await clients_of(running)


@pytest.fixture(autouse=True)
def no_internal_error() -> Iterator[None]:
    """Whatever a test sends: a 500 of the app fails it, with the error that was behind it."""
    failures.clear()
    yield
    if failures:
        raise failures[0].error
