"""How rate limits are declared: a token bucket's capacity and refill, in one line."""

import math

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


class RateLimit(msgspec.Struct, frozen=True):
    """A token bucket: `count` tokens refill evenly `per` seconds; it holds `burst` (default `count`) at most.

    Within any window of `per` seconds up to `burst + count` requests can be admitted: a full bucket and its refill.
    """

    count: int
    per: float = 60.0
    burst: int | None = None

    def __post_init__(self) -> None:
        if self.count < 1 or not math.isfinite(self.per) or self.per <= 0 or (self.burst or 1) < 1:
            raise ConfigurationError(
                f"RateLimit({self.count}, per={self.per}, burst={self.burst}) admits nothing.",
                cure="Use positive numbers: RateLimit(100, per=minutes(15)).",
            )

    @property
    def capacity(self) -> int:
        """Tokens of a full bucket."""
        return self.count if self.burst is None else self.burst

    def times(self, factor: int) -> "RateLimit":
        """The same limit, `factor` times as generous."""
        burst = None if self.burst is None else self.burst * factor
        return RateLimit(self.count * factor, self.per, burst)

    def __str__(self) -> str:
        for unit, length in (("h", 3600.0), ("min", 60.0)):
            if self.per >= length and self.per % length == 0:
                return f"{self.count} / {self.per / length:g} {unit}"
        return f"{self.count} / {self.per:g} s"
