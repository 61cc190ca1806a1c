"""Fixtures of the tests that need programs: Debian's PostgreSQL for the session, a fresh database for a test, a browser
for a file."""

import uuid
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from debian_postgresql import DebianPostgreSQL

if TYPE_CHECKING:
    from playwright.async_api import Browser

LOCALE = "de-DE"
LONGEST = (
    *("test_ejected.py", "test_peers.py", "test_stopped_database.py", "test_tutorial.py", "test_new_project.py"),
    *("test_history_outages.py", "test_generated_clients.py", "test_monitoring.py"),
)
"""Files of a minute or more: of those that begin last, the others would be long over."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, for the others to fill the gaps at the end."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.fixture(scope="session")
def debian() -> Iterator[DebianPostgreSQL]:
    """A running server of Debian's packages, which sorts as German does."""
    with DebianPostgreSQL(icu_locale=LOCALE) as server:
        yield server


@pytest.fixture
def debian_url(debian: DebianPostgreSQL) -> Iterator[str]:
    """The DSN of an empty database, dropped afterwards whoever is still connected to it."""
    name = f"test_{uuid.uuid4().hex}"
    yield debian.create_database(name)
    debian.drop_database(name)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> "AsyncIterator[Browser]":
    """A running Chromium."""
    from chromium import chromium  # its library takes a while to load, which most files do without

    async with chromium() as started:
        yield started
