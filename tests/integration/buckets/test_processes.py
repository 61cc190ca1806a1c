"""Several processes and one limit: never one too many, and nearly all that there is."""

import itertools

import pytest
from crowds import admissions, check_bound, crowd
from taker import KEYS, LIMIT, SECOND
from tests.valkey_server import ValkeyServer

from gatepost.gateway.buckets import Table
from gatepost.gateway.buckets.rules import clock

SECONDS = 3.0


@pytest.fixture(params=["shared", "valkey"])
def store(request: pytest.FixtureRequest, valkey: ValkeyServer) -> str | Table:
    """Where the buckets are."""
    return valkey.url if request.param == "valkey" else Table.shared("gatepost-test")


def test_eight_processes_together_are_admitted_what_one_would_be(store: str | Table) -> None:
    found = admissions(store, SECONDS)
    assert set(found) == set(KEYS)
    for admitted in found.values():
        check_bound(admitted)
        asked_for = (max(after for _, after in admitted) - min(before for before, _ in admitted)) / SECOND
        assert len(admitted) >= 0.95 * (LIMIT.capacity + LIMIT.count * asked_for)


def test_a_lone_client_over_eight_processes_gets_nearly_all(store: str | Table) -> None:
    with crowd(store) as processes:
        begun, admitted = clock(), 0
        for process in itertools.cycle(processes):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{KEYS[0]}\n")
            process.stdin.flush()
            admitted += int(process.stdout.readline())
            if clock() - begun > 2 * SECOND:
                break
        total = LIMIT.capacity + LIMIT.count * (clock() - begun) / SECOND
    assert 0.95 * total <= admitted <= total
