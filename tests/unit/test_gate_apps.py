"""The applications that `benchmarks.gate` measures respond, with and without the gate around them."""

from collections.abc import Callable
from typing import Any

import pytest
from benchmarks import gate_apps

from gatepost.asgi import ASGIApp
from gatepost.gateway.buckets import BucketTable
from gatepost.testing import Client


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    """No shared memory by a name that a run of the benchmark may use at the same time."""
    monkeypatch.setattr(BucketTable, "shared", lambda *_: BucketTable.private())


@pytest.mark.parametrize("make", [gate_apps.alone, gate_apps.private, gate_apps.shared])
async def test_they_respond(make: Callable[[], ASGIApp]) -> None:
    asked: dict[str, Any] = {"headers": {"origin": gate_apps.ORIGIN}}
    response = await Client(make()).get("/", **asked)
    assert (response.status, response.body) == (200, gate_apps.BODY)
    assert ("ratelimit" in response.headers) is (make is not gate_apps.alone)
    assert ("access-control-allow-origin" in response.headers) is (make is not gate_apps.alone)
