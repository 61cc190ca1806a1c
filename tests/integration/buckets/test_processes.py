"""Several processes and one limit: never one too many, and nearly all that there is."""

import itertools
import random

import pytest
from taker_process import KEYS, LIMIT, SECOND
from taker_processes import admissions, check_bound, share, taker_processes
from tests.valkey_server import ValkeyServer

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketTable
from gatepost.gateway.buckets.bucket_spec import clock

SECONDS = 3.0

Times = list[tuple[int, int]]


@pytest.fixture(params=["shared", "valkey"])
def store(request: pytest.FixtureRequest, valkey: ValkeyServer) -> str | BucketTable:
    """Where the buckets are."""
    return valkey.url if request.param == "valkey" else BucketTable.shared("gatepost-test")


def test_eight_processes_together_are_admitted_what_one_would_be(store: str | BucketTable) -> None:
    found = admissions(store, SECONDS)
    assert set(found) == set(KEYS)
    for admitted in found.values():
        check_bound(admitted)
        assert share(admitted) >= 0.95


def test_a_lone_client_over_eight_processes_gets_nearly_all(store: str | BucketTable) -> None:
    with taker_processes(store) as processes:
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


def test_the_check_of_the_bound_is_that_of_every_stretch() -> None:
    numbers = random.Random(7)
    limit = RateLimit(3, per=1.0, burst=4)
    for _ in range(300):
        begun = sorted(numbers.randrange(3 * SECOND) for _ in range(numbers.randrange(1, 14)))
        admitted = [(before, before + numbers.randrange(SECOND // 4)) for before in begun]
        numbers.shuffle(admitted)
        if any(is_too_much(admitted, start, end, limit) for start, _ in admitted for _, end in admitted):
            with pytest.raises(AssertionError, match="too many"):
                check_bound(admitted, limit)
        else:
            check_bound(admitted, limit)


def is_too_much(admitted: Times, start: int, end: int, limit: RateLimit) -> bool:
    count = sum(start <= before and after <= end for before, after in admitted)
    return count * SECOND > limit.capacity * SECOND + limit.count * max(0, end - start)
