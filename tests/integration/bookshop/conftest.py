"""Fixtures of the tests of the bookshop."""

import pytest
from examples.bookshop.app import app
from sqlalchemy import MetaData


@pytest.fixture(scope="module")
def database_metadata() -> MetaData:
    """Databases here have the tables of the bookshop."""
    return app.metadata
