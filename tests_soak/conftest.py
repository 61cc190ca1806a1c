"""Fixtures of the long runs."""

from collections.abc import Iterator

import pytest
from tests.valkey_server import ValkeyServer


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A server that no test stops."""
    with ValkeyServer() as server:
        yield server
