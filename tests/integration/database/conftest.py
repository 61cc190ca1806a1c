"""Fixtures of the tests of the database layer."""

import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import MetaData
from tests.integration.database.embedded_processes import SMALL, processes_of, wait_until
from transaction_app import SETTINGS, TransactionApp, app

from gatepost.embedded.postgresql import EmbeddedPostgreSQL
from gatepost.testing import TestApp


@pytest.fixture(scope="session")
def stopped_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stopped server with one table; initdb and copies are slow, so the tests share it by moving it."""
    folder = tmp_path_factory.mktemp("embedded") / "data"
    with EmbeddedPostgreSQL(folder, settings=SMALL) as server:
        server.execute("CREATE TABLE kept AS SELECT 42 AS value", database="gatepost")
    return folder


@pytest.fixture
def data(stopped_folder: Path, tmp_path: Path) -> Iterator[Path]:
    """The folder of a stopped server, in which a test may crash servers, but spoil nothing for good."""
    moved = stopped_folder.rename(tmp_path / "data")
    yield moved
    wait_until(lambda: not processes_of(moved))
    shutil.rmtree(moved / "socket", ignore_errors=True)
    (moved / "postgresql.log").unlink(missing_ok=True)
    moved.rename(stopped_folder)


@pytest.fixture
def spoilable(data: Path, tmp_path: Path) -> Path:
    """A copy of `data`, with its owners, for a test that spoils it."""
    copy = tmp_path / "copy"
    sparse = ["--sparse=always"] if sys.platform == "linux" else []  # most of a new WAL file is empty
    subprocess.run(["cp", "-a", *sparse, data, copy], check=True)
    return copy


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the app."""
    return app.metadata


@pytest.fixture
async def transaction_app(database_url: str) -> AsyncIterator[TransactionApp]:
    """An app whose times are too long to matter, on a busy machine too."""
    async with TestApp(app, database_url, **SETTINGS) as running:
        yield TransactionApp(running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def one_connection_app(module_database_url: str) -> AsyncIterator[TransactionApp]:
    """An app with one connection: what one test leaves there, the next one finds."""
    async with TestApp(app, module_database_url, GATEPOST_DATABASE_POOL_SIZE="1") as running:
        yield TransactionApp(running)


@pytest.fixture
async def short_deadlines_app(database_url: str) -> AsyncIterator[TransactionApp]:
    """An app that waits for nothing long."""
    times = {"GATEPOST_DATABASE_POOL_WAIT_SECONDS": "0.3", "GATEPOST_REQUEST_SECONDS": "1"}
    async with TestApp(app, database_url, **SETTINGS | times) as running:
        yield TransactionApp(running)


@pytest.fixture
async def other(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another process on the same database."""
    connection: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    yield connection
    await connection.close()
