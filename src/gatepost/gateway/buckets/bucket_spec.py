"""A rate limit in whole numbers: what a bucket is, and its arithmetic.

A bucket is one number: the moment at which it will be full again (GCRA, ITU-T I.371, read as a token bucket). Moments
are counted in units, `units_per_tick` to a tick of the clock, chosen so that a token is a whole number of them: nothing
is ever rounded, and fractions of a token are kept. A full bucket is the same as a bucket that does not exist.

A token that was taken occupies the last `units_per_token` before that moment. Until that stretch of time begins, the
token may be given back, or spent later by the process that holds it, without breaking a bound: the bucket counts it as
missing all the while.
"""

import functools
import math
import time
from collections.abc import Callable

from gatepost.declaring.rate_limits import RateLimit

NANOSECONDS = 1_000_000_000
MICROSECONDS = 1_000_000

_LEFT, _USED = 64, 32
"""Bits of a sliding limit's deficit for the time until all are free again, and for how many requests are used."""

clock: Callable[[], int] = (
    # Unlike CLOCK_MONOTONIC it continues while a virtual machine is suspended, and so does the clock of a Valkey.
    functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)
"""Nanoseconds, for tokens that are kept elsewhere. It never goes back."""


class BucketSpec:
    """One named limit in whole numbers. A `deficit` is what a bucket lacks, in units; an empty one lacks
    `capacity_units`.

    A token is `units_per_token`, and `units_per_second` flow in each second. A sliding limit has `sliding_slots`: each
    is a bucket of one token that takes `per` to come back, so that each admits one request, and all of them together
    no more than the limit. `sliding_slots` is 0 for other limits.
    """

    def __init__(self, name: str, limit: RateLimit, ticks_per_second: int = NANOSECONDS) -> None:
        per = max(1, round(limit.per * ticks_per_second))
        divisor = per if limit.sliding else math.gcd(limit.count, per)
        self.name = name
        self.limit = limit
        self.sliding_slots = limit.count if limit.sliding else 0
        self.units_per_tick = 1 if limit.sliding else limit.count // divisor
        self.units_per_token = per if limit.sliding else per // divisor
        self.capacity_units = self.units_per_token if limit.sliding else self.units_per_token * limit.capacity
        self.units_per_second = self.units_per_tick * ticks_per_second

    def remaining(self, deficit: int) -> tuple[int, int]:
        """Whole tokens left, and whole seconds until the bucket is full."""
        if self.sliding_slots:
            used, left = (deficit >> _LEFT) % (1 << _USED), deficit % (1 << _LEFT)
            return self.sliding_slots - used, -(-left // self.units_per_second)
        return (self.capacity_units - deficit) // self.units_per_token, -(-deficit // self.units_per_second)

    def seconds_to_token(self, deficit: int) -> int:
        """Whole seconds, rounded up, until a bucket that lacks so much gives a token again. Not for sliding limits."""
        return max(0, -((self.capacity_units - self.units_per_token - deficit) // self.units_per_second))


def sliding_deficit(moment: int, used: int, left: int) -> int:
    """What a sliding limit lacks, as one number: when it admitted last, how many are used, and for how long."""
    return (moment << _USED | used) << _LEFT | left


def sliding_moment(deficit: int) -> int:
    """When a sliding limit admitted the request that left this deficit."""
    return deficit >> (_LEFT + _USED)
