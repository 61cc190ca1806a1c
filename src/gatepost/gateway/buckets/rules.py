"""A rate limit in whole numbers, and what the limiter may ask of whoever keeps the buckets.

A bucket is one number: the moment at which it will be full again (GCRA, ITU-T I.371, read as a token bucket). Moments
are counted in ticks of a clock times the rule's `units`, chosen so that a token is a whole number of them: nothing is
ever rounded, and parts of a token are kept. A bucket that is full equals one that does not exist.

A token that was taken fills the last `step` before that moment. Until this stretch of time has begun, the token may be
given back, or still be spent by whoever holds it, and no bound is broken: the bucket lacks it all the while.
"""

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events

NANOSECONDS = 1_000_000_000
MICROSECONDS = 1_000_000

_LEFT, _USED = 64, 32
"""Bits of a sliding limit's lack for the time until all are free again, and for how many requests are used."""

clock: Callable[[], int] = (
    # Unlike CLOCK_MONOTONIC it goes on while a virtual machine is suspended, and so does the clock of a Valkey.
    functools.partial(time.clock_gettime_ns, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic_ns
)
"""Nanoseconds, for tokens that are kept elsewhere. It never goes back."""


class Rule:
    """One named limit. `lack` is what a bucket lacks, in this rule's units; `full` is what an empty one does.

    A token is one `step`, and a `second` is what flows in within one. A sliding limit has `cells`: each is a bucket of
    one token that takes `per` to come again, so that any of them admits a request, and all of them no more than the
    limit says. Of others `cells` is 0.
    """

    __slots__ = ("cells", "full", "limit", "name", "second", "step", "units")

    def __init__(self, name: str, limit: RateLimit, ticks_per_second: int = NANOSECONDS) -> None:
        per = max(1, round(limit.per * ticks_per_second))
        divisor = per if limit.sliding else math.gcd(limit.count, per)
        self.name = name
        self.limit = limit
        self.cells = limit.count if limit.sliding else 0
        self.units = 1 if limit.sliding else limit.count // divisor
        self.step = per if limit.sliding else per // divisor
        self.full = self.step if limit.sliding else self.step * limit.capacity
        self.second = self.units * ticks_per_second

    def figures(self, lack: int) -> tuple[int, int]:
        """Whole tokens left, and whole seconds until the bucket is full."""
        if self.cells:
            used, left = (lack >> _LEFT) % (1 << _USED), lack % (1 << _LEFT)
            return self.cells - used, -(-left // self.second)
        return (self.full - lack) // self.step, -(-lack // self.second)

    def seconds_to_token(self, lack: int) -> int:
        """Whole seconds, rounded up, until a bucket that lacks so much gives a token again. Not for sliding limits."""
        return max(0, -((self.full - self.step - lack) // self.second))


def sliding_lack(moment: int, used: int, left: int) -> int:
    """What a sliding limit lacks, as one number: when it admitted last, how many are used, and for how long."""
    return (moment << _USED | used) << _LEFT | left


def sliding_moment(lack: int) -> int:
    """When a sliding limit admitted the request that came to this lack."""
    return lack >> (_LEFT + _USED)


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Nothing was taken: `rule` refused, what each bucket of the group lacks, and when to come again."""

    rule: Rule
    lacks: tuple[int, ...]
    seconds: int


Outcome = tuple[int, ...] | Refusal
"""What each bucket lacks after a token of all was taken, or the refusal."""


class Group(Protocol):
    """Rules that one request takes from together: a token of each, or of none."""

    rules: tuple[Rule, ...]

    def take(self, key: str, now: int, /) -> Outcome | None:
        """Take at `now` (by `clock`). None where somebody else has to be asked: then `ask`."""
        ...

    async def ask(self, key: str) -> Outcome:
        """Take, after `take` has returned None."""
        ...

    def give_back(self, key: str, lacks: tuple[int, ...], at: int) -> None:
        """Undo a `take` that was made at `at` and came to `lacks`, as far as the tokens have not come back by
        themselves."""
        ...

    async def look(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks, 0 where it is full. For operators."""
        ...

    async def fill(self, key: str) -> None:
        """Make the buckets of a key full. For operators."""
        ...


class Buckets(Protocol):
    """All buckets of an application. `clock` is in nanoseconds."""

    clock: Callable[[], int]

    def group(self, rules: Sequence[tuple[str, RateLimit]], *, strict: bool = False) -> Group:
        """These rules, by name. Made at start. `strict` ones are those of signing in: no process holds tokens of them
        in advance, and where a shared keeper of buckets is away a stricter limit stands in.
        """
        ...

    async def start(self, events: Events) -> None:
        """Before the first request, after the last group was made."""
        ...

    async def stop(self) -> None:
        """After the last request."""
        ...

    @property
    def details(self) -> Mapping[str, object]:
        """What `/readyz` says: `limits` is `ok`, or how they are kept instead of as they should be."""
        ...
