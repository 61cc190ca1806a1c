"""Buckets in a table of this process, or of all processes of this machine that have the same one.

The limiter's everyday store: it answers at once. A lease costs a quarter of what a table does that nobody shares, so
processes hold leases of those, too.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from types import MappingProxyType

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events
from gatepost.gateway.buckets.leases import Leases
from gatepost.gateway.buckets.rules import Outcome, Refusal, Rule, sliding_lack, sliding_moment
from gatepost.gateway.buckets.table import Table


class LocalBuckets:
    """`table` is the processes' common one, or None for one of this process alone; `clock` one that all of them read
    the same, in nanoseconds."""

    details: Mapping[str, object] = MappingProxyType({"limits": "ok"})

    def __init__(self, table: Table | None = None, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.table = table or Table.private()
        self.clock = clock
        self._leases: list[Leases] = []

    def group(self, rules: Sequence[tuple[str, RateLimit]], *, strict: bool = False) -> "LocalGroup":
        """These rules, by name."""
        made = tuple(Rule(name, limit) for name, limit in rules)
        is_leased = not strict and not any(rule.cells for rule in made)
        group = LocalGroup(made, self.table, self.clock, is_leased=is_leased)
        if group.leases is not None:
            self._leases.append(group.leases)
        return group

    async def start(self, events: Events) -> None:
        """Nothing has to be opened."""

    async def stop(self) -> None:
        """Give back what this process holds."""
        for leases in self._leases:
            leases.clear()


class LocalGroup:
    """Rules that one request takes from together. `take` takes a token of every rule or of none."""

    def __init__(self, rules: tuple[Rule, ...], table: Table, clock: Callable[[], int], *, is_leased: bool) -> None:
        self.rules = rules
        self._table = table
        self._clock = clock
        self._hashers = tuple(table.hasher(rule.name) for rule in rules)
        self._only = (rules[0], self._hashers[0]) if len(rules) == 1 and not rules[0].cells else None
        self.leases = Leases(rules, self._return, clock) if is_leased else None
        self.take: Callable[[str, int], Outcome]
        self.take = self._take_one
        if self.leases is not None:
            self.take = self.leases.taker(partial(self._take_lease, self.leases))

    async def ask(self, key: str) -> Outcome:
        """Never needed: `take` knows."""
        return self._take_one(key, self._clock())

    def give_back(self, key: str, lacks: tuple[int, ...], at: int) -> None:
        """Undo a `take`."""
        if self.leases is not None and self.leases.put_back(key, lacks, at, self._clock()):
            return
        full_at = tuple(
            sliding_moment(lack) if rule.cells else at * rule.units + lack
            for rule, lack in zip(self.rules, lacks, strict=True)
        )
        self._return(key, full_at, 1)

    async def look(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks, 0 where it is full."""
        return self._lacks(key, self._clock())

    async def fill(self, key: str) -> None:
        """Make the buckets of a key full."""
        for rule, hasher in zip(self.rules, self._hashers, strict=True):
            for digest in _digests(hasher, key, rule.cells):
                self._table.fill(digest, self._clock())

    def _lacks(self, key: str, now: int) -> tuple[int, ...]:
        return tuple(self._lack(rule, hasher, key, now) for rule, hasher in zip(self.rules, self._hashers, strict=True))

    def _take_one(self, key: str, now: int) -> Outcome:
        outcome = self._take(key, now, 1)
        return outcome if isinstance(outcome, Refusal) else outcome[1]

    def _take_lease(self, leases: Leases, key: str, now: int) -> Outcome:
        outcome = self._take(key, now, leases.end(key, now))
        if isinstance(outcome, Refusal):
            return outcome
        count, lacks = outcome
        full_at = tuple(now * rule.units + lack for rule, lack in zip(self.rules, lacks, strict=True))
        return leases.begin(key, full_at, count, now)

    def _take(self, key: str, now: int, want: int) -> tuple[int, tuple[int, ...]] | Refusal:
        if self._only is not None:  # nearly every group: the same as below, without the loop
            rule, hasher = self._only
            count, lack = self._table.take(rule, _digest(hasher, key), now, want)
            return (count, (lack,)) if count else self._refusal(0, key, now)
        count = want
        lacks: list[int] = []
        for index, (rule, hasher) in enumerate(zip(self.rules, self._hashers, strict=True)):
            if rule.cells:
                granted, lack = self._take_cell(rule, hasher, key, now)
            else:
                granted, lack = self._table.take(rule, _digest(hasher, key), now, count)
            if granted < count:
                self._undo(key, now, lacks, count - granted if granted else count)
            if not granted:
                return self._refusal(index, key, now)
            count = granted
            lacks.append(lack)
        return count, tuple(lacks)

    def _undo(self, key: str, now: int, lacks: list[int], count: int) -> None:
        """Give `count` tokens of the first rules back, which are left lacking less."""
        for index, lack in enumerate(lacks):
            rule, hasher = self.rules[index], self._hashers[index]
            full_at = now if rule.cells else now * rule.units + lack
            self._return_one(rule, hasher, key, full_at, count)
            lacks[index] = lack - count * rule.step

    def _take_cell(self, rule: Rule, hasher: "blake2b", key: str, now: int) -> tuple[int, int]:
        for digest in _digests(hasher, key, rule.cells):
            if self._table.take(rule, digest, now)[0]:
                return 1, self._lack(rule, hasher, key, now)
        return 0, 0

    def _refusal(self, index: int, key: str, now: int) -> Refusal:
        rule, hasher = self.rules[index], self._hashers[index]
        if rule.cells:
            soonest = min(self._table.lack(rule, digest, now) for digest in _digests(hasher, key, rule.cells))
            seconds = -(-soonest // rule.second)
        else:
            seconds = rule.seconds_to_token(self._lack(rule, hasher, key, now))
        return Refusal(rule, self._lacks(key, now), max(1, seconds))

    def _lack(self, rule: Rule, hasher: "blake2b", key: str, now: int) -> int:
        if not rule.cells:
            return self._table.lack(rule, _digest(hasher, key), now)
        lacks = [self._table.lack(rule, digest, now) for digest in _digests(hasher, key, rule.cells)]
        return sliding_lack(now, sum(lack > 0 for lack in lacks), max(lacks))

    def _return(self, key: str, full_at: tuple[int, ...], count: int) -> None:
        for rule, hasher, until in zip(self.rules, self._hashers, full_at, strict=True):
            self._return_one(rule, hasher, key, until, count)

    def _return_one(self, rule: Rule, hasher: "blake2b", key: str, full_at: int, count: int) -> None:
        """Of a sliding limit `full_at` is when the request was let in: it frees a cell that was taken just then."""
        now = self._clock()
        if not rule.cells:
            if full_at > now * rule.units:  # else all of it has flown in meanwhile
                self._table.give_back(rule, _digest(hasher, key), now, full_at, count * rule.step)
            return
        for digest in _digests(hasher, key, rule.cells):
            if self._table.lack(rule, digest, full_at) == rule.step:
                self._table.fill(digest, now)
                return


def _digest(hasher: "blake2b", key: str) -> bytes:
    hasher = hasher.copy()
    hasher.update(key.encode())
    return hasher.digest()


def _digests(hasher: "blake2b", key: str, cells: int) -> list[bytes]:
    """Where the cells of a sliding limit are; of a bucket, its one place."""
    if not cells:
        return [_digest(hasher, key)]
    return [_digest(hasher, f"{key}\0{cell}") for cell in range(cells)]
