"""Moments as operators and programs read them: RFC 3339, in UTC."""

from datetime import UTC, datetime


def shown_time(moment: float) -> str:
    """Seconds since the epoch, to the second."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def shown_moment(moment: float) -> str:
    """Seconds since the epoch, to the millisecond: for what follows another thing at once."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
