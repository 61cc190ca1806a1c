"""One Valkey for the session, and the buckets of every kind: what holds of one has to hold of all."""

import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from tests.valkey_server import ValkeyServer

from gatepost.events import Events
from gatepost.gateway.buckets import Buckets, BucketTable, LocalBuckets
from gatepost.gateway.buckets.valkey import ValkeyBuckets


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    """A server that no test stops."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture
def own_valkey() -> Iterator[ValkeyServer]:
    """A server of a test that stops it."""
    with ValkeyServer() as server:
        yield server


@pytest.fixture(params=["private", "shared", "valkey"])
async def buckets(request: pytest.FixtureRequest, valkey: ValkeyServer) -> AsyncIterator[Buckets]:
    """Started buckets, empty of keys."""
    made: Buckets
    if request.param == "valkey":
        # With the patience for a machine that does something else at the same time.
        made = ValkeyBuckets(valkey.url, prefix=uuid.uuid4().hex, timeout_seconds=5)
    else:
        made = LocalBuckets(BucketTable.shared("gatepost-test") if request.param == "shared" else None)
    # The events of a limiter that nobody listens to.
    await made.start(Events())
    yield made
    await made.stop()
