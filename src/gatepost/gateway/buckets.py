"""Token buckets in the memory of this process: exact, all or none, bounded.

The limiter asks them. A bucket is one integer: the moment at which it will be full again (GCRA, ITU-T I.371, read as a
token bucket). Time is counted in nanoseconds times the limit's `count`, so that a token is a whole number of units and
nothing is ever rounded. A bucket that is full again equals one that does not exist, and is forgotten.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence

from gatepost.limits import RateLimit

KEYS_MAX = 50_000
"""Buckets of its own that a rule keeps at most, some 10 MB; what comes beyond shares `SHARED_COUNT` buckets."""

SHARED_COUNT = 1024
SWEPT_PER_NEW_KEY = 2
NANOSECONDS = 1_000_000_000


class Rule:
    """One named limit and its buckets, one per key.

    A flood of new keys can neither grow the memory nor empty or refill anybody's bucket: beyond `keys_max` new keys
    share a fixed number of buckets, which admit less, never more. In this rule's units, a bucket that lacks `full` is
    empty, a token is one `step`, and a `second` is what flows in within one.
    """

    __slots__ = ("_full_at", "_keys_max", "_queue", "_units", "full", "limit", "name", "second", "step")

    def __init__(self, name: str, limit: RateLimit, keys_max: int = KEYS_MAX) -> None:
        self.name = name
        self.limit = limit
        self._keys_max = keys_max
        self._units = limit.count
        self.second = limit.count * NANOSECONDS
        self.step = round(limit.per * NANOSECONDS)
        self.full = limit.capacity * self.step
        self._full_at: dict[Hashable, int] = {}
        self._queue: deque[Hashable] = deque()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: Hashable, now: int) -> int:
        """Take a token at `now` (monotonic ns). Returns how much the bucket then lacks, or -1: empty, nothing taken."""
        moment = now * self._units
        place = key
        full_at = self._full_at.get(key)
        if full_at is None:
            place, full_at = self._place(key, moment)
        lack = (full_at - moment if full_at > moment else 0) + self.step
        if lack > self.full:
            return -1
        self._full_at[place] = moment + lack
        return lack

    def give_back(self, key: Hashable) -> None:
        """Undo a `take`. Where the key shares a bucket the token stays taken: erring that way admits less."""
        full_at = self._full_at.get(key)
        if full_at is not None:
            self._full_at[key] = full_at - self.step

    def lack(self, key: Hashable, now: int) -> int:
        """How much the key's bucket lacks at `now`, 0 when full; in this rule's units."""
        full_at = self._full_at.get(key, self._full_at.get(self._shared(key), 0))
        return max(0, full_at - now * self._units)

    def seconds_to_token(self, lack: int) -> int:
        """Whole seconds, rounded up, until a bucket that lacks so much gives a token again."""
        return max(0, -((self.full - self.step - lack) // self.second))

    def _place(self, key: Hashable, moment: int) -> tuple[Hashable, int]:
        """Where a key without a bucket is counted: in a new one, or in a shared one while that is in use for it."""
        self._sweep(moment)
        shared = self._shared(key)
        full_at = self._full_at.get(shared)
        if full_at is not None and full_at > moment:
            return shared, full_at
        place = key if len(self._full_at) < self._keys_max else shared
        if place not in self._full_at:
            self._queue.append(place)
        return place, 0

    def _sweep(self, moment: int) -> None:
        """A clock hand: each new key pays for a look at the two that were looked at longest ago."""
        for _ in range(min(SWEPT_PER_NEW_KEY, len(self._queue))):
            key = self._queue.popleft()
            if self._full_at[key] > moment:
                self._queue.append(key)
            else:
                del self._full_at[key]

    @staticmethod
    def _shared(key: Hashable) -> Hashable:
        # A tuple, so that no key of a client is ever equal. Python's hash of a text is keyed per process: nobody can
        # aim at a bucket.
        return (hash(key) % SHARED_COUNT,)


class Buckets:
    """What the limiter takes tokens from. `clock` is monotonic, in nanoseconds."""

    __slots__ = ("_keys_max", "clock")

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns, *, keys_max: int = KEYS_MAX) -> None:
        self.clock = clock
        self._keys_max = keys_max

    def rule(self, name: str, limit: RateLimit) -> Rule:
        """A limit with its own buckets. Made at start, not per request."""
        return Rule(name, limit, self._keys_max)

    def take(self, rules: Sequence[Rule], key: Hashable) -> tuple[int, ...] | Rule:
        """Take a token of every rule or of none. Returns what each bucket then lacks, or the rule that refused."""
        now = self.clock()
        lacks: list[int] = []
        for rule in rules:
            lack = rule.take(key, now)
            if lack < 0:
                self.give_back(rules[: len(lacks)], key)
                return rule
            lacks.append(lack)
        return tuple(lacks)

    def give_back(self, rules: Sequence[Rule], key: Hashable) -> None:
        """Undo a `take` of the same rules and key."""
        for rule in rules:
            rule.give_back(key)
