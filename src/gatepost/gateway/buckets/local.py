"""Buckets in a table of this process, or of all processes of this machine that have the same one.

The limiter's default store: it decides at once. Taking from a lease costs a quarter of taking from the table, even from
an unshared one, so both have leases.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from types import MappingProxyType

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events
from gatepost.gateway.buckets.bucket_spec import BucketSpec, sliding_deficit, sliding_moment
from gatepost.gateway.buckets.bucket_store import TakeOutcome, TakeRefused
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.gateway.buckets.leases import Leases


class LocalBuckets:
    """`table` is the processes' common one, or None for one of this process alone; `clock` one that all of them read
    the same, in nanoseconds."""

    details: Mapping[str, object] = MappingProxyType({"limits": "ok"})

    def __init__(self, table: BucketTable | None = None, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self.table = table or BucketTable.private()
        self.clock = clock
        self._leases: list[Leases] = []

    def group(self, specs: Sequence[tuple[str, RateLimit]], *, strict: bool = False) -> "LocalGroup":
        """These rules, by name."""
        made = tuple(BucketSpec(name, limit) for name, limit in specs)
        is_leased = not strict and not any(spec.sliding_slots for spec in made)
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

    def __init__(
        self, specs: tuple[BucketSpec, ...], table: BucketTable, clock: Callable[[], int], *, is_leased: bool
    ) -> None:
        self.specs = specs
        self._table = table
        self._clock = clock
        self._hashers = tuple(table.hasher(spec.name) for spec in specs)
        self._single = (specs[0], self._hashers[0]) if len(specs) == 1 and not specs[0].sliding_slots else None
        self.leases = Leases(specs, self._return, clock) if is_leased else None
        self.take: Callable[[str, int], TakeOutcome]
        self.take = self._take_token
        if self.leases is not None:
            self.take = self.leases.make_take(partial(self._take_lease, self.leases))

    async def take_remote(self, key: str) -> TakeOutcome:
        """Never needed: `take` knows."""
        return self._take_token(key, self._clock())

    def give_back(self, key: str, deficits: tuple[int, ...], at: int) -> None:
        """Undo a `take`."""
        if self.leases is not None and self.leases.put_back(key, deficits, at, self._clock()):
            return
        full_at = tuple(
            sliding_moment(deficit) if spec.sliding_slots else at * spec.units_per_tick + deficit
            for spec, deficit in zip(self.specs, deficits, strict=True)
        )
        self._return(key, full_at, 1)

    async def peek(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks, 0 where it is full."""
        return self._deficits(key, self._clock())

    async def refill(self, key: str) -> None:
        """Make the buckets of a key full."""
        for spec, hasher in zip(self.specs, self._hashers, strict=True):
            for digest in _digests(hasher, key, spec.sliding_slots):
                self._table.refill(digest, self._clock())

    def _deficits(self, key: str, now: int) -> tuple[int, ...]:
        return tuple(
            self._deficit(spec, hasher, key, now) for spec, hasher in zip(self.specs, self._hashers, strict=True)
        )

    def _take_token(self, key: str, now: int) -> TakeOutcome:
        outcome = self._take(key, now, 1)
        return outcome if isinstance(outcome, TakeRefused) else outcome[1]

    def _take_lease(self, leases: Leases, key: str, now: int) -> TakeOutcome:
        outcome = self._take(key, now, leases.end(key, now))
        if isinstance(outcome, TakeRefused):
            return outcome
        count, deficits = outcome
        full_at = tuple(now * spec.units_per_tick + deficit for spec, deficit in zip(self.specs, deficits, strict=True))
        return leases.begin(key, full_at, count, now)

    def _take(self, key: str, now: int, want: int) -> tuple[int, tuple[int, ...]] | TakeRefused:
        """Take up to `want` tokens of every limit, or none. Returns how many, with the deficits, or the refusal."""
        if self._single is not None:  # nearly every group has one bucket: the same as below, without the loop
            spec, hasher = self._single
            count, deficit = self._table.take(spec, _digest(hasher, key), now, want)
            return (count, (deficit,)) if count else self._refusal(0, key, now)
        count = want
        deficits: list[int] = []
        for index, (spec, hasher) in enumerate(zip(self.specs, self._hashers, strict=True)):
            if spec.sliding_slots:
                granted, deficit = self._take_slot(spec, hasher, key, now)
            else:
                granted, deficit = self._table.take(spec, _digest(hasher, key), now, count)
            # All limits have to grant the same number. If this one grants fewer, the earlier ones get the difference
            # back, and everything if it grants none. Until then they are short of it: that admits less, never more.
            if granted < count:
                self._undo(key, now, deficits, count - granted if granted else count)
            if not granted:
                return self._refusal(index, key, now)
            count = granted
            deficits.append(deficit)
        return count, tuple(deficits)

    def _undo(self, key: str, now: int, deficits: list[int], count: int) -> None:
        """Give `count` tokens of the limits before this one back, and correct their deficits."""
        for index, deficit in enumerate(deficits):
            spec, hasher = self.specs[index], self._hashers[index]
            full_at = now if spec.sliding_slots else now * spec.units_per_tick + deficit
            self._return_one(spec, hasher, key, full_at, count)
            deficits[index] = deficit - count * spec.units_per_token

    def _take_slot(self, spec: BucketSpec, hasher: "blake2b", key: str, now: int) -> tuple[int, int]:
        for digest in _digests(hasher, key, spec.sliding_slots):
            if self._table.take(spec, digest, now)[0]:
                return 1, self._deficit(spec, hasher, key, now)
        return 0, 0

    def _refusal(self, index: int, key: str, now: int) -> TakeRefused:
        spec, hasher = self.specs[index], self._hashers[index]
        if spec.sliding_slots:
            soonest = min(
                self._table.deficit(spec, digest, now) for digest in _digests(hasher, key, spec.sliding_slots)
            )
            seconds = -(-soonest // spec.units_per_second)
        else:
            seconds = spec.seconds_to_token(self._deficit(spec, hasher, key, now))
        return TakeRefused(spec, self._deficits(key, now), max(1, seconds))

    def _deficit(self, spec: BucketSpec, hasher: "blake2b", key: str, now: int) -> int:
        if not spec.sliding_slots:
            return self._table.deficit(spec, _digest(hasher, key), now)
        deficits = [self._table.deficit(spec, digest, now) for digest in _digests(hasher, key, spec.sliding_slots)]
        return sliding_deficit(now, sum(deficit > 0 for deficit in deficits), max(deficits))

    def _return(self, key: str, full_at: tuple[int, ...], count: int) -> None:
        for spec, hasher, until in zip(self.specs, self._hashers, full_at, strict=True):
            self._return_one(spec, hasher, key, until, count)

    def _return_one(self, spec: BucketSpec, hasher: "blake2b", key: str, full_at: int, count: int) -> None:
        """Of a sliding limit `full_at` is when the request was let in: it frees a cell that was taken just then."""
        now = self._clock()
        if not spec.sliding_slots:
            if full_at > now * spec.units_per_tick:  # else all of it has flown in meanwhile
                self._table.give_back(spec, _digest(hasher, key), now, full_at, count * spec.units_per_token)
            return
        for digest in _digests(hasher, key, spec.sliding_slots):
            if self._table.deficit(spec, digest, full_at) == spec.units_per_token:
                self._table.refill(digest, now)
                return


def _digest(hasher: "blake2b", key: str) -> bytes:
    hasher = hasher.copy()
    hasher.update(key.encode())
    return hasher.digest()


def _digests(hasher: "blake2b", key: str, sliding_slots: int) -> list[bytes]:
    """Where the cells of a sliding limit are; of a bucket, its one place."""
    if not sliding_slots:
        return [_digest(hasher, key)]
    return [_digest(hasher, f"{key}\0{cell}") for cell in range(sliding_slots)]
