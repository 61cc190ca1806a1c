"""Moments and durations as operators read and write them: RFC 3339 in UTC with milliseconds, and 90s, 30m, 6h, 7d.

A foundation. Every line, page, message and command shows a moment as `shown_moment` writes it.
"""

import re
from datetime import UTC, datetime

_DURATION = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def shown_moment(moment: float | datetime) -> str:
    """`2026-12-01T02:41:07.250Z`, of seconds since the epoch or of a moment with its time zone."""
    found = moment if isinstance(moment, datetime) else datetime.fromtimestamp(moment, UTC)
    return found.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown_moment_or_none(moment: float | datetime | None) -> str | None:
    """The same of what may not have happened."""
    return None if moment is None else shown_moment(moment)


def shown_age(seconds: float) -> str:
    """An age in one unit: `3 d`, `5 h`, `12 min`."""
    if seconds >= 2 * _UNIT_SECONDS["d"]:
        return f"{seconds // _UNIT_SECONDS['d']:.0f} d"
    if seconds >= 2 * _UNIT_SECONDS["h"]:
        return f"{seconds // _UNIT_SECONDS['h']:.0f} h"
    return f"{seconds // 60:.0f} min"


def duration_seconds(text: str) -> int:
    """The seconds of `90s`, `30m`, `6h` or `7d`. Raises ValueError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration")
    return int(match[1]) * _UNIT_SECONDS[match[2]]


def moment_of(text: str, now: float) -> float:
    """Seconds since the epoch of a moment as RFC 3339 or ISO 8601 write it (local time where it has no offset), or of
    so long before `now`: `90s`, `6h`; 0 at least. Raises ValueError."""
    if _DURATION.fullmatch(text):
        return max(0.0, now - duration_seconds(text))
    try:
        return max(0.0, datetime.fromisoformat(text).astimezone(UTC).timestamp())
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is not a moment") from None
