"""Acceptance tests of several servers each: the fixtures of `tests/acceptance`, on the embedded PostgreSQL, also where
the other tests run on Debian's."""

from collections.abc import Iterator

import pytest
from tests.acceptance.conftest import command, environ, production, project, start
from tests.conftest import FAST_AND_FORGETFUL, database_metadata, database_url, databases
from tests.memory_folder import memory_folder

from gatepost.embedded.postgresql import EmbeddedPostgreSQL

__all__ = ["command", "database_metadata", "database_url", "databases", "environ", "production", "project", "start"]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgreSQL]:
    """A running server shared by these tests."""
    with (
        memory_folder(tmp_path_factory.mktemp("postgresql")) as folder,
        EmbeddedPostgreSQL(folder, settings=FAST_AND_FORGETFUL) as server,
    ):
        yield server
