"""The running club."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from members_app import app
from sqlalchemy import MetaData

from gatepost.accounts import passwords
from gatepost.testing import TestApp


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the club."""
    return app.metadata


@pytest.fixture(autouse=True, scope="module")
def quick_hashes() -> object:
    """What a hash costs is not looked at: argon2 with the least that it accepts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "MEMORY_KIB", 8)
        patch.setattr(passwords, "PASSES", 1)
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def club(module_database_url: str) -> AsyncIterator[TestApp]:
    """The app, started with generous limits."""
    async with TestApp(app, module_database_url) as started:
        yield started
