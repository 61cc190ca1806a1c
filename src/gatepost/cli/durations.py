"""Durations as people write them in options: 90s, 30m, 2h, 7d."""

import re

from gatepost.errors import ConfigurationError

_SPAN = re.compile(r"(\d{1,9})([smhd])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_in(text: str, option: str) -> float:
    """The seconds of a duration. Raises ConfigurationError that names the option."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"{text!r} is no duration.", location=option, hint="Write 90s, 30m, 2h or 7d.")
    return int(match[1]) * _SECONDS[match[2]]
