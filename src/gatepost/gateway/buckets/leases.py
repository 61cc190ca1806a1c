"""Tokens that a process holds in advance, so that most requests ask nobody.

Between a group of rules and whoever keeps its buckets for several processes. A lease is tokens of one key, taken at
once and spent one by one. What holds of a bucket holds of bucket and leases together: while a leased token is good its
bucket lacks it, and it is good only until the stretch begins in which the bucket gets it back (`rules.py`). So the
tokens in the bucket and the good ones outside are never more than its capacity, and no stretch of time admits more than
capacity and refill, however many processes hold leases.

Nor are they stingy: a process that is asked for a key now and then gets one token at a time, one that is asked all the
time twice as many each time, but no more than one part in sixteen of what the bucket holds; and what is not spent
within a second goes back.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from gatepost.gateway.buckets.rules import NANOSECONDS, Rule

LEASE_SECONDS = 1.0
LEASE_NS = int(LEASE_SECONDS * NANOSECONDS)

KEYS_MAX = 10_000
"""Leases of one group at most; beyond, the oldest goes back."""

T = TypeVar("T")

GiveBack = Callable[[str, tuple[int, ...], int], None]
"""Gives back so many tokens of a key: the last ones before the moments at which its buckets were to be full, by the
clock of whoever keeps them."""


class Lease:
    """`left` tokens out of `size`, the last ones before `full_at` of each rule; good until `until` at the latest.

    `kept_until` is the same as `full_at` by the clock of whoever keeps the buckets.
    """

    __slots__ = ("full_at", "kept_until", "left", "size", "until")

    def __init__(self, full_at: tuple[int, ...], kept_until: tuple[int, ...], size: int, until: int) -> None:
        self.full_at = full_at
        self.kept_until = kept_until
        self.size = size
        self.left = size
        self.until = until


class Leases:
    """The leases of one group of rules in this process. `clock` is in nanoseconds, of which a tick of the rules has
    `ticks`."""

    def __init__(self, rules: Sequence[Rule], give_back: GiveBack, clock: Callable[[], int], ticks: int = 1) -> None:
        self._scales = tuple((rule.units, rule.step) for rule in rules)
        self._give_back = give_back
        self._clock = clock
        self._ticks = ticks
        self._kept: dict[str, Lease] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __len__(self) -> int:
        return len(self._kept)

    def taker(self, otherwise: Callable[[str, int], T]) -> Callable[[str, int], tuple[int, ...] | T]:
        """What takes a token of a key at a moment and returns what each bucket lacks then, the unspent ones not
        counted; where there is no good one, what `otherwise` returns.

        It is called twice for every request. So its parts are at hand, in a closure, and groups of one rule, as nearly
        all are, have their own.
        """
        if len(self._scales) != 1:
            return partial(self._take_of_several, otherwise)
        kept, ticks, ((units, step),) = self._kept, self._ticks, self._scales

        def take(key: str, now: int) -> tuple[int, ...] | T:
            lease = kept.get(key)
            if lease is not None and (left := lease.left) and now < lease.until:
                lack = lease.full_at[0] - now // ticks * units
                if left * step <= lack or (left := lack // step) > 0:
                    lease.left = left = left - 1
                    return (lack - left * step,)
                lease.left = 0
            return otherwise(key, now)

        return take

    def _take_of_several(self, otherwise: Callable[[str, int], T], key: str, now: int) -> tuple[int, ...] | T:
        lease = self._kept.get(key)
        if lease is None or not lease.left or now >= lease.until:
            return otherwise(key, now)
        ticks = now // self._ticks
        lacks = [full_at - ticks * units for (units, _), full_at in zip(self._scales, lease.full_at, strict=True)]
        good = min(lack // step for (_, step), lack in zip(self._scales, lacks, strict=True))
        lease.left = left = max(0, min(lease.left, good) - 1)
        if good < 1:
            return otherwise(key, now)
        return tuple([lack - left * step for (_, step), lack in zip(self._scales, lacks, strict=True)])

    def end(self, key: str, now: int) -> int:
        """Give back what is left of a lease. Returns how many tokens to ask for now."""
        lease = self._kept.pop(key, None)
        if lease is None:
            return 1
        self._return(key, lease)
        return lease.size * 2 if now < lease.until + LEASE_NS else 1

    def begin(
        self, key: str, full_at: tuple[int, ...], size: int, now: int, kept_until: tuple[int, ...] | None = None
    ) -> tuple[int, ...]:
        """Keep `size` tokens, of which one is spent at once. Returns what each bucket lacks without the others."""
        if key not in self._kept and len(self._kept) >= KEYS_MAX:
            oldest = next(iter(self._kept))
            self._return(oldest, self._kept.pop(oldest))
        lease = self._kept[key] = Lease(full_at, kept_until or full_at, size, now + LEASE_NS)
        lease.left -= 1
        self._arm()
        ticks = now // self._ticks
        return tuple(
            end - lease.left * step - ticks * units
            for (units, step), end in zip(self._scales, lease.full_at, strict=True)
        )

    def spent_until(self, key: str) -> tuple[int, ...]:
        """Until when the token that was spent last was good, by the clock of whoever keeps the buckets."""
        lease = self._kept[key]
        return tuple(end - lease.left * step for (_, step), end in zip(self._scales, lease.kept_until, strict=True))

    def put_back(self, key: str, lacks: tuple[int, ...], at: int, now: int) -> bool:
        """Unspend the token that was spent at `at` and left the buckets lacking so much; False where it is none of the
        present lease's, or no longer good."""
        lease = self._kept.get(key)
        if lease is None:
            return False
        for (units, step), end, lack in zip(self._scales, lease.full_at, lacks, strict=True):
            token_end = at // self._ticks * units + lack
            after = end - token_end
            if after % step or not lease.left <= after // step < lease.size:
                return False
            if token_end - step < now // self._ticks * units:
                return False
        lease.left += 1
        return True

    def clear(self) -> None:
        """Give everything back."""
        for key, lease in self._kept.items():
            self._return(key, lease)
        self._kept.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _return(self, key: str, lease: Lease) -> None:
        if lease.left:
            self._give_back(key, lease.kept_until, lease.left)
            lease.left = 0

    def _arm(self) -> None:
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
        for key, lease in self._kept.items():  # in the order in which they end
            if lease.until > now:
                break
            self._return(key, lease)
            if lease.until + LEASE_NS <= now:
                over.append(key)
        for key in over:
            del self._kept[key]
        loop = self._loop
        self._timer = loop.call_later(LEASE_SECONDS, self._sweep) if self._kept and loop is not None else None
