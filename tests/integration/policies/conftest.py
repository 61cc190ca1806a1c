"""One database and one running village for each module; every test makes the rows it needs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from cast import Cast, cast_of
from sqlalchemy import MetaData
from village import app

from gatepost.database.connection import PooledConnection, Record
from gatepost.database.statements import Statement
from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the village."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def village(module_database_url: str) -> AsyncIterator[Cast]:
    """The village with somebody of every identity."""
    async with TestApp(app, module_database_url) as started:
        yield await cast_of(started)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Record]]]:
    """Every statement that runs in the test, with the records it brought."""
    seen: list[tuple[str, list[Record]]] = []
    fetch = PooledConnection.fetch

    async def spying(self: PooledConnection, statement: Statement, arguments: Any) -> list[Record]:
        records = await fetch(self, statement, arguments)
        seen.append((statement.sql, records))
        return records

    monkeypatch.setattr(PooledConnection, "fetch", spying)
    return seen
