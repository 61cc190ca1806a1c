"""Fixtures of the tests that need programs: Debian's PostgreSQL for the session, a fresh database for a test."""

import uuid
from collections.abc import Iterator

import pytest
from debian_postgresql import DebianPostgreSQL

LOCALE = "de-DE"


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
