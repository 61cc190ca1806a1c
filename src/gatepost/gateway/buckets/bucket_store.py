"""The interface of a store of buckets: what the limiter asks of it, and the decisions that it gives.

`local.py` and `valkey.py` implement it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from gatepost.declaring.rate_limits import RateLimit
from gatepost.events import Events
from gatepost.gateway.buckets.bucket_spec import BucketSpec


class TakeRefused(msgspec.Struct, frozen=True, gc=False):
    """Nothing was taken: `spec` refused, what each bucket of the group lacks, and when to come again."""

    spec: BucketSpec
    deficits: tuple[int, ...]
    seconds: int


TakeOutcome = tuple[int, ...] | TakeRefused
"""What each bucket lacks after a token of all was taken, or the refusal."""


class BucketGroup(Protocol):
    """Rules that one request takes from together: a token of each, or of none."""

    specs: tuple[BucketSpec, ...]

    def take(self, key: str, now: int, /) -> TakeOutcome | None:
        """Take at `now` (by `clock`). None if this process cannot decide: then `take_remote`."""
        ...

    async def take_remote(self, key: str) -> TakeOutcome:
        """Take, after `take` has returned None."""
        ...

    def give_back(self, key: str, deficits: tuple[int, ...], at: int) -> None:
        """Undo a `take` that was made at `at` and came to `deficits`, as far as the tokens have not come back by
        themselves."""
        ...

    async def peek(self, key: str) -> tuple[int, ...]:
        """What each bucket lacks, 0 where it is full. For operators."""
        ...

    async def refill(self, key: str) -> None:
        """Make the buckets of a key full. For operators."""
        ...


class Buckets(Protocol):
    """All buckets of an application. `clock` is in nanoseconds."""

    clock: Callable[[], int]

    def group(self, specs: Sequence[tuple[str, RateLimit]], *, strict: bool = False) -> BucketGroup:
        """These rules, by name. Made at start. `strict` ones are those of signing in: no process holds tokens of them
        in advance, and a stricter limit holds while a shared store is unavailable.
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
