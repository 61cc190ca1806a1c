"""One database and one running app for each module; every test makes the rows it needs."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from policy_matrix_app import app
from policy_matrix_clients import PolicyMatrix, policy_matrix_of
from sqlalchemy import MetaData

from gatepost.database.connection import PooledConnection, Record
from gatepost.database.statements import Statement
from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the policy matrix."""
    return app.metadata


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def matrix(module_database_url: str) -> AsyncIterator[PolicyMatrix]:
    """The app with a client of every identity."""
    async with TestApp(app, module_database_url) as started:
        yield await policy_matrix_of(started)


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
