"""Ages as people read them, in one unit."""

_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3600


def shown_age(seconds: float) -> str:
    """`3 d`, `5 h`, `12 min`."""
    if seconds >= 2 * _DAY_SECONDS:
        return f"{seconds // _DAY_SECONDS:.0f} d"
    return f"{seconds // _HOUR_SECONDS:.0f} h" if seconds >= 2 * _HOUR_SECONDS else f"{seconds // 60:.0f} min"
