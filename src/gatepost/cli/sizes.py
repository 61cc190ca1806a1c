"""Sizes and numbers as people read them."""

_BYTES = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_THOUSAND = 1000


def shown_bytes(count: int) -> str:
    """`8 KiB`, `1.5 GiB`."""
    if count < _BYTES:
        return f"{count} B"
    size, place = count / _BYTES, 0
    while size >= _BYTES and place < len(_UNITS) - 1:
        size, place = size / _BYTES, place + 1
    return f"{size:.3g} {_UNITS[place]}" if size < _THOUSAND else f"{size:.0f} {_UNITS[place]}"


def shown_count(count: int) -> str:
    """`1,234,567`."""
    return f"{count:,}"
