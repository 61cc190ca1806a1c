"""Fixtures of accounts: a database with the users' tables, and running accounts on it."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from accounts_app import create_schema, running_accounts

from gatepost.accounts.user_accounts import UserAccounts


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """A plain connection of somebody else's, to a database with the users' tables."""
    opened: asyncpg.Connection[Any] = await asyncpg.connect(database_url)
    await create_schema(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def accounts(connection: "asyncpg.Connection[Any]", database_url: str) -> AsyncIterator[UserAccounts]:
    """Accounts of this process, with a listener that is trusted."""
    async with running_accounts(database_url) as running:
        yield running
