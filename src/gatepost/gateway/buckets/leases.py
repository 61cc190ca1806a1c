"""Tokens that a process holds in advance, so that most requests need no shared store.

Between a group of limits and the store that processes share. A lease is tokens of one key, taken
at once and spent one by one. The bound of a bucket holds for the bucket and its leases together: while a leased token
is valid its bucket counts it as missing, and it is valid only until the bucket begins to get it back
(`bucket_spec.py`). So the tokens in the bucket and the valid ones outside are never more than its capacity, and no
stretch of time admits more than capacity and refill, however many processes hold leases.

Nor are they stingy: a process that is asked for a key now and then gets one token at a time, one that is asked all the
time twice as many each time, but no more than one part in sixteen of what the bucket holds; and what is not spent
within a second goes back.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import msgspec

from gatepost.bounded_cache import BoundedCache
from gatepost.gateway.buckets.bucket_spec import NANOSECONDS, BucketSpec

LEASE_SECONDS = 1.0
LEASE_NS = int(LEASE_SECONDS * NANOSECONDS)

KEYS_MAX = 10_000
"""Leases of one group at most; beyond, the oldest goes back."""

T = TypeVar("T")

GiveBack = Callable[[str, tuple[int, ...], int], None]
"""Gives back so many tokens of a key: the last ones before the moments at which its buckets were to be full, by the
clock of the store."""


class Lease(msgspec.Struct, eq=False):
    """`left` tokens out of `size`, the last ones before `full_at` of each rule; good until `until` at the latest.

    `shared_full_at` is the same as `full_at` by the clock of the store.
    """

    full_at: tuple[int, ...]
    shared_full_at: tuple[int, ...]
    size: int
    left: int
    until: int


class Leases:
    """The leases of one group of rules in this process. `clock` is in nanoseconds, of which a tick of the rules has
    `ticks`."""

    def __init__(
        self, specs: Sequence[BucketSpec], give_back: GiveBack, clock: Callable[[], int], ticks: int = 1
    ) -> None:
        self._scales = tuple((spec.units_per_tick, spec.units_per_token) for spec in specs)
        self._give_back = give_back
        self._clock = clock
        self._ticks = ticks
        self._leases = BoundedCache[str, Lease](KEYS_MAX, self._return)
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def make_take(self, otherwise: Callable[[str, int], T]) -> Callable[[str, int], tuple[int, ...] | T]:
        """What takes a token of a key at a moment and returns what each bucket lacks then, the unspent ones not
        counted; where there is no good one, what `otherwise` returns.

        It is called twice for every request. So its parts are at hand, in a closure, and groups of one rule, as nearly
        all are, have their own.
        """
        if len(self._scales) != 1:
            return partial(self._take_of_several, otherwise)
        kept, ticks, ((units_per_tick, units_per_token),) = self._leases, self._ticks, self._scales

        def take(key: str, now: int) -> tuple[int, ...] | T:
            lease = kept.get(key)
            if lease is not None and (left := lease.left) and now < lease.until:
                deficit = lease.full_at[0] - now // ticks * units_per_tick
                if left * units_per_token <= deficit or (left := deficit // units_per_token) > 0:
                    lease.left = left = left - 1
                    return (deficit - left * units_per_token,)
                lease.left = 0
            return otherwise(key, now)

        return take

    def _take_of_several(self, otherwise: Callable[[str, int], T], key: str, now: int) -> tuple[int, ...] | T:
        lease = self._leases.get(key)
        if lease is None or not lease.left or now >= lease.until:
            return otherwise(key, now)
        ticks = now // self._ticks
        deficits = [
            full_at - ticks * units_per_tick
            for (units_per_tick, _), full_at in zip(self._scales, lease.full_at, strict=True)
        ]
        good = min(
            deficit // units_per_token for (_, units_per_token), deficit in zip(self._scales, deficits, strict=True)
        )
        lease.left = left = max(0, min(lease.left, good) - 1)
        if good < 1:
            return otherwise(key, now)
        return tuple(
            [
                deficit - left * units_per_token
                for (_, units_per_token), deficit in zip(self._scales, deficits, strict=True)
            ]
        )

    def end(self, key: str, now: int) -> int:
        """Give back what is left of a lease. Returns how many tokens to ask for now."""
        lease = self._leases.pop(key, None)
        if lease is None:
            return 1
        self._return(key, lease)
        return lease.size * 2 if now < lease.until + LEASE_NS else 1

    def begin(
        self, key: str, full_at: tuple[int, ...], size: int, now: int, shared_full_at: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """Keep `size` tokens, of which one is spent at once. Returns what each bucket lacks without the others."""
        lease = self._leases[key] = Lease(full_at, shared_full_at or full_at, size, size - 1, now + LEASE_NS)
        self._start_timer()
        ticks = now // self._ticks
        return tuple(
            end - lease.left * units_per_token - ticks * units_per_tick
            for (units_per_tick, units_per_token), end in zip(self._scales, lease.full_at, strict=True)
        )

    def spent_until(self, key: str) -> tuple[int, ...]:
        """Until when the token that was spent last was good, by the clock of the store."""
        lease = self._leases[key]
        return tuple(
            end - lease.left * units_per_token
            for (_, units_per_token), end in zip(self._scales, lease.shared_full_at, strict=True)
        )

    def put_back(self, key: str, deficits: tuple[int, ...], at: int, now: int) -> bool:
        """Unspend the token that was spent at `at` and left the buckets lacking so much; False where it is none of the
        present lease's, or no longer good."""
        lease = self._leases.get(key)
        if lease is None:
            return False
        for (units_per_tick, units_per_token), end, deficit in zip(self._scales, lease.full_at, deficits, strict=True):
            token_end = at // self._ticks * units_per_tick + deficit
            after = end - token_end
            if after % units_per_token or not lease.left <= after // units_per_token < lease.size:
                return False
            if token_end - units_per_token < now // self._ticks * units_per_tick:
                return False
        lease.left += 1
        return True

    def clear(self) -> None:
        """Give everything back."""
        for key, lease in self._leases.items():
            self._return(key, lease)
        self._leases.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _return(self, key: str, lease: Lease) -> None:
        if lease.left:
            self._give_back(key, lease.shared_full_at, lease.left)
            lease.left = 0

    def _start_timer(self) -> None:
        """Look after the leases as long as there are some, where there is a loop to do it in."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        if self._timer is None or self._loop is not loop:
            self._loop = loop
            self._timer = loop.call_later(LEASE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        now = self._clock()
        over: list[str] = []
        for key, lease in self._leases.items():  # in the order in which they end
            if lease.until > now:
                break
            self._return(key, lease)
            if lease.until + LEASE_NS <= now:
                over.append(key)
        for key in over:
            del self._leases[key]
        loop = self._loop
        self._timer = loop.call_later(LEASE_SECONDS, self._sweep) if self._leases and loop is not None else None
