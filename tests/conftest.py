"""Fixtures that every test may use: one embedded PostgreSQL for the session, a new database for a test."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData
from tests.databases import Databases

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

# A test's data need not survive the machine; kill -9 of the server it survives all the same.
FAST_AND_FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's job in the background inherits that, and so would every command that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--debian` runs what needs a database, but no control of its server, on Debian's PostgreSQL."""
    parser.addoption("--debian", action="store_true", help="use Debian's PostgreSQL instead of the embedded one")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The expensive kinds come first: where whole files run side by side, the cheap ones then fill the gaps."""
    kinds = ["acceptance", "integration", "unit"]
    folder = Path(__file__).parent

    def place(item: pytest.Item) -> int:
        return kinds.index(item.path.relative_to(folder).parts[0]) if folder in item.path.parents else 0

    items.sort(key=place)


@pytest.fixture(scope="session")
def postgresql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running PostgreSQL shared by the session: a test that stops or kills a server starts one of its own."""
    if request.config.getoption("--debian"):
        from debian_postgresql import DebianPostgreSQL

        with DebianPostgreSQL() as other:
            yield other
        return
    folder: Path = tmp_path_factory.mktemp("postgresql")
    with EmbeddedPostgreSQL(folder, settings=FAST_AND_FORGETFUL) as server:
        yield server


@pytest.fixture(scope="session")
def databases(postgresql: EmbeddedPostgreSQL) -> Databases:
    """The databases of the session's server."""
    return Databases(postgresql)


@pytest.fixture(scope="module")
def database_metadata() -> MetaData | None:
    """Override with the metadata of an app: the databases of the module or folder then have its tables."""
    return None


@pytest.fixture
def database_url(databases: Databases, database_metadata: MetaData | None) -> Iterator[str]:
    """The DSN of a new database for one test."""
    with databases.opened(database_metadata) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(databases: Databases, database_metadata: MetaData | None) -> Iterator[str]:
    """The DSN of a new database for the tests of one module."""
    with databases.opened(database_metadata) as url:
        yield url
