"""Durations and moments as people write them in options: 90s, 30m, 2h, 7d; 2026-11-30T20:15Z."""

import time

from gatepost.errors import ConfigurationError
from gatepost.moments import duration_seconds, moment_of


def seconds_in(text: str, option: str) -> float:
    """The seconds of a duration. Raises ConfigurationError that names the option."""
    try:
        return duration_seconds(text)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a duration.", location=option, hint="Write 90s, 30m, 2h or 7d."
        ) from None


def moment_in(text: str, option: str) -> float:
    """Seconds since the epoch of a moment, or of so long ago. Raises ConfigurationError that names the option."""
    try:
        return moment_of(text, time.time())
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not a moment.", location=option, hint="Write 10m, 2h, 3d, or 2026-11-30T20:15Z."
        ) from None
