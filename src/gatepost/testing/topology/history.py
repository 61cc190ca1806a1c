"""What clients sent and saw, and what that means for the rows that are there in the end."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterable

import msgspec

from gatepost.error_codes import CODES

OUTCOME_UNKNOWN = "outcome_unknown"
CUT_OFF = "cut off"
NO_RESPONSE = "no response"
NOT_SENT = "not sent"
NO_INSTANCE = "balancer_no_instance"
"""What the balancer responds with where it has passed a request on to no instance."""
WAIT_SECONDS_MAX = 60.0
SHOWN_MAX = 5
"""So many keys are named where a verdict is shown."""


class Attempt(msgspec.Struct, frozen=True):
    """One request of a client. `key` is that of the row that it writes, None for a read. `began` and `ended` are of
    `time.monotonic`. Without a response `status` is 0, and `code` says what happened: it was `cut off`, there was `no
    response` in time, or it was `not sent`, because no connection could be opened."""

    client: int
    key: str | None
    began: float
    ended: float
    status: int
    code: str | None = None

    @property
    def outcome(self) -> str:
        """Status and code, such as `201`, `503 database_unavailable` or `cut off`."""
        return " ".join(filter(None, (str(self.status or ""), self.code)))

    @property
    def is_acknowledged(self) -> bool:
        """Whether the client was told that it is done."""
        return 200 <= self.status < 300

    @property
    def is_unknown(self) -> bool:
        """Whether the client cannot know whether it is done. A 5xx that is not Gatepost's own says nothing of that,
        such as the 502 of a balancer."""
        if self.status == 0:
            return self.code != NOT_SENT
        if self.code == OUTCOME_UNKNOWN:
            return True
        return self.status >= 500 and self.code not in CODES and self.code != NO_INSTANCE


class WriteVerdict(msgspec.Struct, frozen=True):
    """What is wrong with the rows that are there. `lost` are keys of acknowledged writes without a row; `doubled` those
    with more rows than writes that were acknowledged, or of which clients could not know."""

    lost: list[str]
    doubled: list[str]
    acknowledged: int
    unknown: int

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong, and something was written at all."""
        return not self.lost and not self.doubled and self.acknowledged > 0

    def __str__(self) -> str:
        words = [f"{self.acknowledged} writes acknowledged, {self.unknown} unknown"]
        for name, keys in (("lost", self.lost), ("doubled", self.doubled)):
            shown = ", ".join(keys[:SHOWN_MAX]) + (", ..." if len(keys) > SHOWN_MAX else "")
            words.append(f"{len(keys)} {name}" + (f" ({shown})" if keys else ""))
        return "; ".join(words)


class History:
    """The attempts of all clients, in the order in which they ended."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self._grown = asyncio.Event()

    def add(self, attempt: Attempt) -> None:
        """Note an attempt that has ended."""
        self.attempts.append(attempt)
        self._grown.set()

    @property
    def writes(self) -> list[Attempt]:
        """The attempts to write."""
        return [each for each in self.attempts if each.key is not None]

    @property
    def reads(self) -> list[Attempt]:
        """The others."""
        return [each for each in self.attempts if each.key is None]

    def since(self, moment: float) -> "History":
        """The attempts that began after a moment of `time.monotonic`."""
        found = History()
        found.attempts = [each for each in self.attempts if each.began >= moment]
        return found

    def outcomes(self) -> dict[str, Counter[str]]:
        """How often writes and reads had each outcome."""
        return {
            "write": Counter(each.outcome for each in self.writes),
            "read": Counter(each.outcome for each in self.reads),
        }

    @property
    def gap_seconds(self) -> float:
        """The longest time without an acknowledged write, from the first one on."""
        ended = [each.ended for each in self.writes if each.is_acknowledged]
        return max((later - earlier for earlier, later in itertools.pairwise(ended)), default=0.0)

    async def acknowledges(self, count: int, *, seconds: float = WAIT_SECONDS_MAX) -> None:
        """Wait until so many more writes that began after this call are acknowledged. Raises AssertionError, with what
        clients saw meanwhile, where that takes longer than `seconds`."""
        called = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                while sum(each.is_acknowledged for each in self.since(called).writes) < count:
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            seen = self.since(called).outcomes()
            raise AssertionError(f"{count} writes were not acknowledged in {seconds:g} s; seen: {seen}") from None

    async def sees(self, code: str, *, seconds: float = WAIT_SECONDS_MAX) -> None:
        """Wait until an attempt that began after this call has this code. Raises AssertionError as `acknowledges`."""
        called = time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                while all(each.code != code for each in self.since(called).attempts):
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            seen = self.since(called).outcomes()
            raise AssertionError(f"nobody saw {code} in {seconds:g} s; seen: {seen}") from None

    def verdict(self, keys: Iterable[str]) -> WriteVerdict:
        """Judge the rows that are there: `keys` has the key of each, as often as it is there."""
        there = Counter(keys)
        acknowledged = Counter(each.key for each in self.writes if each.is_acknowledged)
        unknown = Counter(each.key for each in self.writes if each.is_unknown)
        tried = dict.fromkeys(each.key for each in self.writes if each.key is not None)
        return WriteVerdict(
            lost=[key for key in tried if there[key] < acknowledged[key]],
            doubled=[key for key in tried if there[key] > acknowledged[key] + unknown[key]],
            acknowledged=acknowledged.total(),
            unknown=unknown.total(),
        )
