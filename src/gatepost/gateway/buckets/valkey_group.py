"""One group of rules whose buckets are in a Valkey: what it takes from there, holds in advance, and gives back.

Processes hold leases, so that most requests need no round trip; attempts to sign in are always asked for.
"""

import asyncio
import struct
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from gatepost.gateway.buckets.courier import Away, Script
from gatepost.gateway.buckets.leases import LEASE_NS, Leases
from gatepost.gateway.buckets.local import LocalGroup
from gatepost.gateway.buckets.rules import MICROSECONDS, NANOSECONDS, Outcome, Refusal, Rule, sliding_lack

if TYPE_CHECKING:
    from gatepost.gateway.buckets.valkey import ValkeyBuckets

TICK_NS = NANOSECONDS // MICROSECONDS

DRIFT = 1000
"""Two clocks may differ by one part in so many in how fast they go: that much earlier a lease is no longer good."""

REFUSALS_MAX = 10_000

_FOLDER = files("gatepost.gateway.buckets")
TAKE = Script(_FOLDER.joinpath("take.lua").read_text())
GIVE_BACK = Script(_FOLDER.joinpath("give_back.lua").read_text())


class Asked(tuple[int, ...]):
    """What each bucket lacks after the server has been asked; with what giving the token back needs."""

    full_at: tuple[int, ...]
    """When each bucket is full by the server's clock; the moment itself for a sliding limit."""


class Locally(tuple[int, ...]):
    """What each bucket lacks, as far as the buckets of this machine know."""

    lacks: tuple[int, ...]
    """The same in the units of those."""


class ValkeyGroup:
    """Rules that one request takes from together."""

    def __init__(self, rules: tuple[Rule, ...], buckets: "ValkeyBuckets", local: LocalGroup, *, strict: bool) -> None:
        self.rules = rules
        self._buckets = buckets
        self._courier = buckets.courier
        self._clock = buckets.clock
        self._local = local
        self._leases: Leases | None = None
        self._take_here: Callable[[str, int], Outcome | None] = self._recent_refusal
        if not strict and not any(rule.cells for rule in rules):
            self._leases = Leases(rules, self._return, buckets.clock, TICK_NS)
            self._take_here = self._leases.taker(self._recent_refusal)
        self._rounds: dict[str, _Round] = {}
        self._refusals: dict[str, tuple[Refusal, int]] = {}
        numbers = [number for rule in rules for number in (rule.units, rule.step, rule.full, rule.cells)]
        self._numbers = _packed(*numbers)

    def names(self, key: str) -> list[str]:
        """The keys of the buckets. In a cluster all of one client are in the same place."""
        return [f"{self._buckets.prefix}:{{{key}}}:{rule.name}" for rule in self.rules]

    def argument(self, need: int, want: int) -> bytes:
        """What `take.lua` is told beside the keys: tokens needed, tokens wanted, and the numbers of the rules."""
        return _packed(need, want) + self._numbers

    def take(self, key: str, now: int) -> Outcome | None:
        """Take without asking anybody: from a lease, or, where the server is away, on this machine."""
        if self._courier.is_away:
            return self._take_locally(key, now)
        return self._take_here(key, now)

    def _recent_refusal(self, key: str, now: int) -> Refusal | None:
        """What the server said last, where it would say it again."""
        kept = self._refusals.get(key)
        if kept is not None:
            if now < kept[1]:
                return kept[0]
            del self._refusals[key]
        return None

    async def ask(self, key: str) -> Outcome:
        """Take from the server; those who ask for the same key at the same time ask once."""
        leases = self._leases
        if leases is None:
            return await self._fetch(key, 1, 1)
        need = 1
        while (pending := self._rounds.get(key)) is not None:
            pending.waiting += 1
            found = await asyncio.shield(pending.outcome)
            if isinstance(found, Refusal):
                return found
            outcome = self.take(key, self._clock())
            if isinstance(outcome, Refusal | Locally):
                return outcome
            if outcome is not None:
                return _asked(outcome, leases.spent_until(key))
            need = max(need, pending.waiting)
        present = self._rounds[key] = _Round(asyncio.get_running_loop().create_future())
        outcome = None
        try:
            outcome = await self._fetch(key, need, leases.end(key, self._clock()))
            return outcome
        finally:
            del self._rounds[key]
            present.outcome.set_result(outcome)

    def give_back(self, key: str, lacks: tuple[int, ...], at: int) -> None:
        """Undo a take, where it was made. Nobody waits for it."""
        if isinstance(lacks, Locally):
            self._local.give_back(key, lacks.lacks, at)
        elif isinstance(lacks, Asked):
            self._return(key, lacks.full_at, 1)
        elif self._leases is not None:
            self._leases.put_back(key, lacks, at, self._clock())

    async def look(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks; raises `Away`."""
        moment, _, *figures = await self._run_take(key, 0, 0)
        return self._lacks(moment, figures)[0]

    async def fill(self, key: str) -> None:
        """Make the buckets of a key full; raises `Away`."""
        await self._courier.delete(self.names(key))

    def clear(self) -> None:
        """Give back what this process holds."""
        if self._leases is not None:
            self._leases.clear()

    def _take_locally(self, key: str, now: int) -> Outcome:
        self._buckets.decided_locally += 1
        outcome = self._local.take(key, now)
        lacks = outcome.lacks if isinstance(outcome, Refusal) else outcome
        pairs = zip(self.rules, self._local.rules, lacks, strict=True)
        translated = Locally(_translated(rule, local, lack) for rule, local, lack in pairs)
        translated.lacks = lacks
        if isinstance(outcome, Refusal):
            return Refusal(outcome.rule, translated, outcome.seconds)
        return translated

    async def _fetch(self, key: str, need: int, want: int) -> Outcome:
        sent = self._clock()
        if self._courier.is_away:
            return self._take_locally(key, sent)
        try:
            moment, granted, *figures = await self._run_take(key, need, want)
        except Away:
            return self._take_locally(key, self._clock())
        lacks, soonest = self._lacks(moment, figures)
        if not granted:
            return self._refused(key, lacks, soonest)
        full_at = tuple(
            moment if rule.cells else moment * rule.units + lack for rule, lack in zip(self.rules, lacks, strict=True)
        )
        if self._leases is None:
            return _asked(lacks, full_at)
        here = tuple(
            sent // TICK_NS * rule.units + lack - lack // DRIFT for rule, lack in zip(self.rules, lacks, strict=True)
        )
        lacks = self._leases.begin(key, here, granted, sent, full_at)
        return _asked(lacks, self._leases.spent_until(key))

    async def _run_take(self, key: str, need: int, want: int) -> list[int]:
        answer: bytes = await self._courier.call(TAKE, self.names(key), (self.argument(need, want),))
        return list(map(int, struct.unpack(f"<{len(answer) // 8}d", answer)))

    def _lacks(self, moment: int, figures: list[int]) -> tuple[tuple[int, ...], int]:
        """What each bucket lacks, and the time until the fullest of the sliding limits admits again, in ticks."""
        lacks: list[int] = []
        soonest = 0
        for rule in self.rules:
            if rule.cells:
                used, left, next_free = figures.pop(0), figures.pop(0), figures.pop(0)
                lacks.append(sliding_lack(moment, used, left))
                if used >= rule.cells:
                    soonest = max(soonest, next_free)
            else:
                lacks.append(figures.pop(0))
        return tuple(lacks), soonest

    def _refused(self, key: str, lacks: tuple[int, ...], soonest: int) -> Refusal:
        """The refusal. Until a token is there again, a second at most, nobody has to ask."""
        waits = [
            -(-soonest // MICROSECONDS) if rule.cells else rule.seconds_to_token(lack)
            for rule, lack in zip(self.rules, lacks, strict=True)
        ]
        wait = max(waits)
        refusal = Refusal(self.rules[waits.index(wait)], lacks, max(1, wait))
        if self._leases is not None:
            ticks = min(
                (lack - rule.full + rule.step) // rule.units for rule, lack in zip(self.rules, lacks, strict=True)
                if lack + rule.step > rule.full
            )  # fmt: skip
            if len(self._refusals) >= REFUSALS_MAX:
                self._refusals.pop(next(iter(self._refusals)))
            self._refusals[key] = refusal, self._clock() + min(LEASE_NS, ticks * TICK_NS)
        return refusal

    def _return(self, key: str, kept_until: tuple[int, ...], count: int) -> None:
        if self._courier.is_away:
            return  # they come back by themselves
        arguments: list[Any] = [count]
        for rule, until in zip(self.rules, kept_until, strict=True):
            ticks, rest = (until, 0) if rule.cells else divmod(until, rule.units)
            arguments += (rule.units, rule.step, rule.cells, ticks, rest)
        self._courier.call(GIVE_BACK, self.names(key), arguments).add_done_callback(_ignore)


class _Round:
    """One question about a key, and how many wait for its answer."""

    __slots__ = ("outcome", "waiting")

    def __init__(self, outcome: "asyncio.Future[Outcome | None]") -> None:
        self.outcome = outcome
        self.waiting = 0


def _asked(lacks: tuple[int, ...], full_at: tuple[int, ...]) -> Asked:
    asked = Asked(lacks)
    asked.full_at = full_at
    return asked


def _translated(rule: Rule, local: Rule, lack: int) -> int:
    """A lack of a rule of this machine in the units of the shared one: as many whole tokens are left."""
    left, seconds = local.figures(lack)
    if rule.cells:
        return sliding_lack(0, rule.cells - left, seconds * rule.second)
    return max(0, rule.full - left * rule.step)


def _packed(*numbers: int) -> bytes:
    """Whole numbers as doubles, for `take.lua`."""
    return struct.pack(f"<{len(numbers)}d", *numbers)


def _ignore(answer: "asyncio.Future[Any]") -> None:
    answer.exception()
