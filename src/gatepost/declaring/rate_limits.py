"""How rate limits are declared: a token bucket's capacity and refill, in one line."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from gatepost.errors import ConfigurationError


def seconds(count: float) -> float:
    """A duration in seconds."""
    return float(count)


def minutes(count: float) -> float:
    """A duration of `count` minutes, in seconds."""
    return count * 60.0


def hours(count: float) -> float:
    """A duration of `count` hours, in seconds."""
    return count * 3600.0


SLIDING_COUNT_MAX = 100
"""The largest `count` of a sliding limit: every request is remembered, and checked before the next."""


class RateLimit(msgspec.Struct, frozen=True):
    """A token bucket: `count` tokens refill evenly `per` seconds; it holds `burst` (default `count`) at most.

    Within any window of `per` seconds up to `burst + count` requests can be admitted: a full bucket and its refill.
    With `sliding=True` it is no bucket but the literal bound: `count` in any `per` seconds, and no more; `count` is 100
    at most then. Raises `ConfigurationError` for a limit that admits nothing.
    """

    count: int
    per: float = 60.0
    burst: int | None = None
    sliding: bool = False

    def __post_init__(self) -> None:
        sliding = ", sliding=True" if self.sliding else ""
        shown = f"RateLimit({self.count}, per={self.per}, burst={self.burst}{sliding})"
        counts = (self.count, 1 if self.burst is None else self.burst)
        if min(counts) < 1 or not math.isfinite(self.per) or self.per < 1e-6:
            raise ConfigurationError(
                f"{shown} admits nothing.", hint="Use positive numbers: RateLimit(100, per=minutes(15))."
            )
        if self.sliding and (self.burst is not None or self.count > SLIDING_COUNT_MAX):
            raise ConfigurationError(
                f"{shown} cannot be sliding.",
                hint=f"A sliding limit has no burst, and {SLIDING_COUNT_MAX} requests at most; a bucket has no bound.",
            )

    @property
    def capacity(self) -> int:
        """Requests that are admitted at once after a long time without any."""
        return self.count if self.burst is None else self.burst

    def times(self, factor: int) -> "RateLimit":
        """The same limit, `factor` times as generous; a sliding one as far as that goes."""
        if self.sliding:
            return RateLimit(min(self.count * factor, SLIDING_COUNT_MAX), self.per, sliding=True)
        burst = None if self.burst is None else self.burst * factor
        return RateLimit(self.count * factor, self.per, burst)

    def __str__(self) -> str:
        window = f"{self.per:g} s"
        for unit, length in (("h", 3600.0), ("min", 60.0)):
            if self.per >= length and self.per % length == 0:
                window = f"{self.per / length:g} {unit}"
                break
        return f"{self.count} in any {window}" if self.sliding else f"{self.count} / {window}"


Limits = RateLimit | Sequence[RateLimit]
"""One limit, or several that hold together."""

NamedLimits = tuple[tuple[str, RateLimit], ...]
"""Limits that hold together, by the names of their buckets."""


def named(name: str, limits: Sequence[RateLimit]) -> NamedLimits:
    """Limits by the place that they are declared for, and by themselves where there are several."""
    if len(limits) == 1:
        return ((name, limits[0]),)
    return tuple((f"{name} {limit}", limit) for limit in limits)


def limits_by_action(
    declared: Limits | Mapping[str, Limits] | None, actions: Collection[str], *, location: str
) -> Mapping[str | None, tuple[RateLimit, ...]]:
    """The limits of single actions, and under None those of the others together.

    Raises `ConfigurationError` at `location` for what is not a limit and for an action that is not in `actions`.
    """
    if declared is None:
        return {}
    if not isinstance(declared, Mapping):
        return {None: _together(declared, location)}
    if unknown := [name for name in declared if name not in actions]:
        raise ConfigurationError(
            f"names an action {unknown[0]!r}.", location=location, hint=f"The actions are {', '.join(actions)}."
        )
    return {name: _together(limits, location) for name, limits in declared.items()}


def _together(limits: Limits, location: str) -> tuple[RateLimit, ...]:
    several: Any = limits if isinstance(limits, Sequence) else (limits,)
    together = tuple(several)
    are_limits = all(isinstance(limit, RateLimit) for limit in together)
    if not together or not are_limits or len(set(together)) < len(together):
        raise ConfigurationError(
            f"is {limits!r}.",
            location=location,
            hint="Write RateLimit(100, per=minutes(1)), a list of different ones, or a dict of them by action.",
        )
    return together
