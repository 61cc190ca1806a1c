"""What a request takes from together, what was taken, and the headers that say so.

Behind `limiter.py`, which decides for whom and when. The headers are those of
draft-ietf-httpapi-ratelimit-headers-10.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from gatepost.declaring.rate_limits import RateLimit
from gatepost.errors import Header
from gatepost.gateway.buckets import Buckets, BucketSpec

WriteHeaders = Callable[[tuple[int, ...]], tuple[Header, Header]]
"""Makes `RateLimit-Policy` and `RateLimit` of what each bucket lacks."""


class LimitSet:
    """Rules that one request takes from together, and what writes their headers."""

    def __init__(self, buckets: Buckets, specs: Sequence[tuple[str, RateLimit]], *, strict: bool) -> None:
        self.group = group = buckets.group(specs, strict=strict)
        self.take = group.take
        self.take_remote = group.take_remote
        self.give_back = group.give_back
        self.specs = group.specs
        self.write = _writer(self.specs)
        self.unions: dict[LimitSet, WriteHeaders] = {}

    def with_others(self, other: "LimitSet") -> WriteHeaders:
        """What writes the headers of the rules of both, to be made once."""
        union = self.unions[other] = _writer(self.specs + other.specs)
        return union


class TakenTokens(msgspec.Struct, gc=False):
    """What was taken for one request in one stage: from which rules, by whose key, when, and how much each bucket
    lacks since then. `also` is what the other stage took."""

    limit_set: LimitSet
    key: str
    deficits: tuple[int, ...]
    at: int
    also: "TakenTokens | None" = None

    def headers(self) -> tuple[Header, Header]:
        """`RateLimit-Policy` and `RateLimit`: `r` are whole tokens left, `t` the seconds until the bucket is full."""
        limit_set, also = self.limit_set, self.also
        if also is None:
            return limit_set.write(self.deficits)
        write = limit_set.unions.get(also.limit_set) or limit_set.with_others(also.limit_set)
        return write(self.deficits + also.deficits)

    def give_back(self) -> None:
        """Give back what was taken, here and in the other stage, and say so in the headers."""
        self.limit_set.give_back(self.key, self.deficits, self.at)
        specs = self.limit_set.specs
        self.deficits = tuple(
            deficit if spec.sliding_slots else max(0, deficit - spec.units_per_token)
            for spec, deficit in zip(specs, self.deficits, strict=True)
        )
        if self.also is not None:
            self.also.give_back()


def _writer(specs: Sequence[BucketSpec]) -> WriteHeaders:
    policy = ", ".join(f"{_quoted(spec.name)};q={spec.limit.count};w={spec.limit.per:.0f}" for spec in specs)
    policy_header = (b"ratelimit-policy", policy.encode())
    template = ", ".join(f"{_quoted(spec.name)};r=%d;t=%d" for spec in specs).encode()
    # Called for every response. Nearly all have one bucket per stage, so for one and for two buckets the arithmetic of
    # `BucketSpec.remaining` is written out over numbers in the closure: no loop, no attribute, no call. `-(-a // b)`
    # rounds up: a client that waits for `t` seconds finds a full bucket. Sliding limits take the general form below.
    numbers = [
        (spec.capacity_units, spec.units_per_token, spec.units_per_second) for spec in specs if not spec.sliding_slots
    ]
    if len(specs) == len(numbers) == 1:
        ((capacity_units, units_per_token, units_per_second),) = numbers

        def write_one(deficits: tuple[int, ...]) -> tuple[Header, Header]:
            (deficit,) = deficits
            return policy_header, (
                b"ratelimit",
                template % ((capacity_units - deficit) // units_per_token, -(-deficit // units_per_second)),
            )

        return write_one
    if len(specs) == len(numbers) == 2:
        (capacity_units, units_per_token, units_per_second), second = numbers
        second_capacity_units, second_units_per_token, second_units_per_second = second

        def write_two(deficits: tuple[int, ...]) -> tuple[Header, Header]:
            deficit, second_deficit = deficits
            remaining = (
                (capacity_units - deficit) // units_per_token,
                -(-deficit // units_per_second),
                (second_capacity_units - second_deficit) // second_units_per_token,
                -(-second_deficit // second_units_per_second),
            )
            return policy_header, (b"ratelimit", template % remaining)

        return write_two

    def write(deficits: tuple[int, ...]) -> tuple[Header, Header]:
        remaining = [
            figure for spec, deficit in zip(specs, deficits, strict=True) for figure in spec.remaining(deficit)
        ]
        return policy_header, (b"ratelimit", template % (*remaining,))

    return write


def _quoted(name: str) -> str:
    """A structured field string (RFC 9651): printable ASCII, quotes and backslashes escaped."""
    printable = re.sub(r"[^\x20-\x7e]", "_", name)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"').replace("%", "_") + '"'
