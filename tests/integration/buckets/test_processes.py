"""Several processes and one limit: never one too many, and nearly all that there is.

How nearly, under load, is measured on a quiet machine: `make soak`.
"""

import itertools
import random

import pytest
from taker_process import KEYS, LIMIT, SECOND
from taker_processes import admissions, check_bound, share, taker_processes
from tests.valkey_server import ValkeyServer

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketTable
from gatepost.gateway.buckets.bucket_spec import clock

SECONDS = 1.0

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
        assert share(admitted) >= 0.5


def test_a_lone_client_over_eight_processes_gets_nearly_all(store: str | BucketTable) -> None:
    with taker_processes(store) as takers:
        asked, admitted = [clock()], 0
        for taker in itertools.cycle(takers):
            taker.write(f"{KEYS[0]}\n")
            taker.flush()
            asked.append(clock())
            admitted += int(taker.readline())
            if clock() - asked[0] > SECOND:
                break
        total = LIMIT.capacity + LIMIT.count * (clock() - asked[0]) / SECOND
    assert 0.95 * one_bucket(asked) <= admitted <= total


def one_bucket(asked: list[int]) -> int:
    """How many tokens a single bucket gives that is asked at these moments; on a busy machine they are rare."""
    tokens, admitted = float(LIMIT.capacity), 0
    for earlier, moment in itertools.pairwise(asked):
        tokens = min(LIMIT.capacity, tokens + LIMIT.count * (moment - earlier) / SECOND)
        if tokens >= 1:
            tokens -= 1
            admitted += 1
    return admitted


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
