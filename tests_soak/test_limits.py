"""Eight processes that hit one limit together for half a minute: what `test_processes.py` shows, at length.

The recorded figures go to stdout. `GATEPOST_SOAK_SECONDS` makes it longer.
"""

import os

import pytest
from taker_process import LIMIT, SECOND
from taker_processes import PROCESSES, admissions, check_bound, share
from tests.valkey_server import ValkeyServer

from gatepost.declaring.rate_limits import RateLimit
from gatepost.gateway.buckets import BucketTable

SECONDS = float(os.environ.get("GATEPOST_SOAK_SECONDS", "30"))
SHARE_MIN = 0.95
CLAIMED = 0.95
"""A limit that claims to be so much smaller than it is."""

Times = list[tuple[int, int]]


@pytest.fixture(scope="module", params=["shared", "valkey"])
def found(request: pytest.FixtureRequest, valkey: ValkeyServer) -> dict[str, Times]:
    """When the processes were admitted, by key: the moments of asking and of the reply."""
    return admissions(valkey.url if request.param == "valkey" else BucketTable.shared("gatepost-soak"), SECONDS)


def test_no_stretch_of_time_admits_more_than_capacity_and_refill(
    found: dict[str, Times], request: pytest.FixtureRequest
) -> None:
    for key, admitted in found.items():
        check_bound(admitted)
        print(f"\n{request.node.callspec.id}, {key}: {record(admitted)}", end="")
        assert share(admitted) >= SHARE_MIN


def test_the_check_reports_a_limit_that_claims_to_be_smaller(found: dict[str, Times]) -> None:
    claimed = RateLimit(int(LIMIT.count * CLAIMED), per=LIMIT.per, burst=int(LIMIT.capacity * CLAIMED))
    for admitted in found.values():
        with pytest.raises(AssertionError, match="too many"):
            check_bound(admitted, claimed)


def test_the_check_reports_a_single_admission_too_many(found: dict[str, Times]) -> None:
    for admitted in found.values():
        first = min(admitted)
        # As many more as the whole run left unused, and one: what a lease that was counted nowhere would admit.
        unused = (
            LIMIT.capacity + LIMIT.count * (max(after for _, after in admitted) - first[0]) / SECOND - len(admitted)
        )
        with pytest.raises(AssertionError, match="too many"):
            check_bound([*admitted, *[first] * (int(unused) + 1)])


def record(admitted: Times) -> str:
    """What happened, in a sentence."""
    seconds = (max(after for _, after in admitted) - min(before for before, _ in admitted)) / SECOND
    bound = LIMIT.capacity + LIMIT.count * seconds / LIMIT.per
    return (
        f"{PROCESSES} processes and a limit of {LIMIT}, capacity {LIMIT.capacity}: {len(admitted):,} admitted in "
        f"{seconds:.3f} s, at most {bound:,.1f} ({share(admitted):.2%}); no stretch of time has more than its own bound"
    )
