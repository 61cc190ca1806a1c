"""The language that a client asks for. RFC 9110, section 12.5.4; the form of tags: RFC 5646, section 2.1.1.

A foundation.
"""

import re

_ITEM = re.compile(r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)(?:\s*;\s*[qQ]\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?))?")

ITEMS_MAX = 20
"""So many languages are read of a header."""


def preferred_language(header: str) -> str | None:
    """The language that `Accept-Language` asks for most, such as "de-CH": the one of the greatest weight, of several
    the first. What is malformed, `*` and what is not wanted (`q=0`) do not count; None where nothing is left."""
    best, best_weight = None, 0.0
    for item in header.split(",", ITEMS_MAX)[:ITEMS_MAX]:
        match = _ITEM.fullmatch(item.strip())
        if match is not None and (weight := float(match[2] or 1)) > best_weight:
            best, best_weight = match[1], weight
    return None if best is None else _canonical(best)


def _canonical(tag: str) -> str:
    """A tag as it is usually written: `de`, `zh-Hant-TW`."""
    first, *others = tag.lower().split("-")
    return "-".join((first, *map(_canonical_part, others)))


def _canonical_part(part: str) -> str:
    if len(part) == 2:
        return part.upper()
    return part.title() if len(part) == 4 and part.isalpha() else part
