"""One group of rules whose buckets are in a Valkey: what it takes from there, holds in advance, and gives back.

Processes hold leases, so that most requests need no round trip; attempts to sign in are always asked for.
"""

import asyncio
import struct
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import msgspec

from gatepost.bounded_cache import BoundedCache
from gatepost.gateway.buckets.bucket_spec import MICROSECONDS, NANOSECONDS, BucketSpec, sliding_deficit
from gatepost.gateway.buckets.bucket_store import TakeOutcome, TakeRefused
from gatepost.gateway.buckets.leases import LEASE_NS, Leases
from gatepost.gateway.buckets.local import LocalGroup
from gatepost.gateway.buckets.valkey_client import Script, ValkeyClient, ValkeyUnavailable

TICK_NS = NANOSECONDS // MICROSECONDS

DRIFT = 1000
"""Two clocks may differ in speed by one part in this many; a lease expires that much earlier."""

REFUSALS_MAX = 10_000

_FOLDER = files("gatepost.gateway.buckets")
TAKE = Script(_FOLDER.joinpath("take.lua").read_text())
GIVE_BACK = Script(_FOLDER.joinpath("give_back.lua").read_text())


class SharedDeficits(tuple[int, ...]):
    """What each bucket lacks after the server has been asked; with what giving the token back needs."""

    full_at: tuple[int, ...]
    """When each bucket is full by the server's clock; the moment itself for a sliding limit."""


class LocalDeficits(tuple[int, ...]):
    """What each bucket lacks, as far as the buckets of this machine know."""

    deficits: tuple[int, ...]
    """The same in the units of those."""


class ValkeyGroup:
    """Rules that one request takes from together. `decided_locally` counts what was decided without the server."""

    def __init__(
        self,
        specs: tuple[BucketSpec, ...],
        client: ValkeyClient,
        local: LocalGroup,
        *,
        prefix: str,
        clock: Callable[[], int],
    ) -> None:
        self.specs = specs
        self._client = client
        self._circuit = client.circuit
        self._prefix = prefix
        self._clock = clock
        self.decided_locally = 0
        self._local = local
        self._leases: Leases | None = None
        self._take_held: Callable[[str, int], TakeOutcome | None] = self._recent_refusal
        if local.leases is not None:
            self._leases = Leases(specs, self._return, clock, TICK_NS)
            self._take_held = self._leases.make_take(self._recent_refusal)
        self._pending: dict[str, _PendingTake] = {}
        self._refusals = BoundedCache[str, tuple[TakeRefused, int]](REFUSALS_MAX)
        numbers = [
            number
            for spec in specs
            for number in (spec.units_per_tick, spec.units_per_token, spec.capacity_units, spec.sliding_slots)
        ]
        self._numbers = _packed(*numbers)  # the rules, as `take.lua` reads them behind tokens needed and wanted

    def bucket_keys(self, key: str) -> list[str]:
        """The keys of the buckets. In a cluster all of one client are in the same place."""
        return [f"{self._prefix}:{{{key}}}:{spec.name}" for spec in self.specs]

    def take(self, key: str, now: int) -> TakeOutcome | None:
        """Take without asking the server: from a lease, or, where it is away, on this machine."""
        if self._circuit.is_open:
            return self._take_locally(key, now)
        return self._take_held(key, now)

    def _recent_refusal(self, key: str, now: int) -> TakeRefused | None:
        """What the server said last, where it would say it again."""
        kept = self._refusals.get(key)
        if kept is not None:
            if now < kept[1]:
                return kept[0]
            del self._refusals[key]
        return None

    async def take_remote(self, key: str) -> TakeOutcome:
        """Take from the server; those who ask for the same key at the same time ask once."""
        leases = self._leases
        if leases is None:
            return await self._fetch(key, 1, 1)
        need = 1
        while (pending := self._pending.get(key)) is not None:
            pending.waiting += 1
            found = await asyncio.shield(pending.outcome)
            if isinstance(found, TakeRefused):
                return found
            outcome = self.take(key, self._clock())
            if isinstance(outcome, TakeRefused | LocalDeficits):
                return outcome
            if outcome is not None:
                return _shared_deficits(outcome, leases.spent_until(key))
            need = max(need, pending.waiting)
        present = self._pending[key] = _PendingTake(asyncio.get_running_loop().create_future())
        outcome = None
        try:
            outcome = await self._fetch(key, need, leases.end(key, self._clock()))
            return outcome
        finally:
            del self._pending[key]
            present.outcome.set_result(outcome)

    def give_back(self, key: str, deficits: tuple[int, ...], at: int) -> None:
        """Undo a take in the store where it was made, in the background."""
        if isinstance(deficits, LocalDeficits):
            self._local.give_back(key, deficits.deficits, at)
        elif isinstance(deficits, SharedDeficits):
            self._return(key, deficits.full_at, 1)
        elif self._leases is not None:
            self._leases.put_back(key, deficits, at, self._clock())

    async def peek(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks; raises `ValkeyUnavailable`."""
        moment, _, *remaining = await self._run_take(key, 0, 0)
        return self._deficits(moment, remaining)[0]

    async def refill(self, key: str) -> None:
        """Make the buckets of a key full; raises `ValkeyUnavailable`."""
        await self._client.delete(self.bucket_keys(key))

    def clear(self) -> None:
        """Give back what this process holds."""
        if self._leases is not None:
            self._leases.clear()

    def _take_locally(self, key: str, now: int) -> TakeOutcome:
        self.decided_locally += 1
        outcome = self._local.take(key, now)
        deficits = outcome.deficits if isinstance(outcome, TakeRefused) else outcome
        pairs = zip(self.specs, self._local.specs, deficits, strict=True)
        translated = LocalDeficits(_translated(spec, local, deficit) for spec, local, deficit in pairs)
        translated.deficits = deficits
        if isinstance(outcome, TakeRefused):
            return TakeRefused(outcome.spec, translated, outcome.seconds)
        return translated

    async def _fetch(self, key: str, need: int, want: int) -> TakeOutcome:
        sent = self._clock()
        if self._circuit.is_open:
            return self._take_locally(key, sent)
        try:
            moment, granted, *remaining = await self._run_take(key, need, want)
        except ValkeyUnavailable:
            return self._take_locally(key, self._clock())
        deficits, soonest = self._deficits(moment, remaining)
        if not granted:
            return self._refuse(key, deficits, soonest)
        full_at = tuple(
            moment if spec.sliding_slots else moment * spec.units_per_tick + deficit
            for spec, deficit in zip(self.specs, deficits, strict=True)
        )
        if self._leases is None:
            return _shared_deficits(deficits, full_at)
        here = tuple(
            sent // TICK_NS * spec.units_per_tick + deficit - deficit // DRIFT
            for spec, deficit in zip(self.specs, deficits, strict=True)
        )
        deficits = self._leases.begin(key, here, granted, sent, full_at)
        return _shared_deficits(deficits, self._leases.spent_until(key))

    async def _run_take(self, key: str, need: int, want: int) -> list[int]:
        reply: bytes = await self._client.call(TAKE, self.bucket_keys(key), (_packed(need, want) + self._numbers,))
        return list(map(int, struct.unpack(f"<{len(reply) // 8}d", reply)))

    def _deficits(self, moment: int, remaining: list[int]) -> tuple[tuple[int, ...], int]:
        """What each bucket lacks, and the time until the fullest of the sliding limits admits again, in ticks."""
        deficits: list[int] = []
        soonest = 0
        for spec in self.specs:
            if spec.sliding_slots:
                used, left, next_free = remaining.pop(0), remaining.pop(0), remaining.pop(0)
                deficits.append(sliding_deficit(moment, used, left))
                if used >= spec.sliding_slots:
                    soonest = max(soonest, next_free)
            else:
                deficits.append(remaining.pop(0))
        return tuple(deficits), soonest

    def _refuse(self, key: str, deficits: tuple[int, ...], soonest: int) -> TakeRefused:
        """The refusal, remembered until a token is there again, for a second at most: until then no call is needed."""
        waits = [
            -(-soonest // MICROSECONDS) if spec.sliding_slots else spec.seconds_to_token(deficit)
            for spec, deficit in zip(self.specs, deficits, strict=True)
        ]
        wait = max(waits)
        refusal = TakeRefused(self.specs[waits.index(wait)], deficits, max(1, wait))
        if self._leases is not None:
            beyond_empty = [deficit - spec.capacity_units for spec, deficit in zip(self.specs, deficits, strict=True)]
            ticks = min(
                (missing + spec.units_per_token) // spec.units_per_tick
                for spec, missing in zip(self.specs, beyond_empty, strict=True)
                if missing + spec.units_per_token > 0
            )
            self._refusals[key] = refusal, self._clock() + min(LEASE_NS, ticks * TICK_NS)
        return refusal

    def _return(self, key: str, shared_full_at: tuple[int, ...], count: int) -> None:
        if self._circuit.is_open:
            return  # they come back by themselves
        arguments: list[Any] = [count]
        for spec, until in zip(self.specs, shared_full_at, strict=True):
            ticks, rest = (until, 0) if spec.sliding_slots else divmod(until, spec.units_per_tick)
            arguments += (spec.units_per_tick, spec.units_per_token, spec.sliding_slots, ticks, rest)
        self._client.call(GIVE_BACK, self.bucket_keys(key), arguments).add_done_callback(_ignore)


class _PendingTake(msgspec.Struct, eq=False):
    """One question about a key, and how many wait for its reply."""

    outcome: asyncio.Future[TakeOutcome | None]
    waiting: int = 0


def _shared_deficits(deficits: tuple[int, ...], full_at: tuple[int, ...]) -> SharedDeficits:
    asked = SharedDeficits(deficits)
    asked.full_at = full_at
    return asked


def _translated(spec: BucketSpec, local: BucketSpec, deficit: int) -> int:
    """A lack of a rule of this machine in the units of the shared one: as many whole tokens are left."""
    left, seconds = local.remaining(deficit)
    if spec.sliding_slots:
        return sliding_deficit(0, spec.sliding_slots - left, seconds * spec.units_per_second)
    return max(0, spec.capacity_units - left * spec.units_per_token)


def _packed(*numbers: int) -> bytes:
    """Whole numbers as doubles, for `take.lua`."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _ignore(reply: "asyncio.Future[Any]") -> None:
    reply.exception()
