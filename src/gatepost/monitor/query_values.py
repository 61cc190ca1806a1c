"""What pages of the admin listener take from query strings: each value is of its kind, or refused in a sentence."""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

from gatepost.moments import duration_seconds, moment_of

C = TypeVar("C", bound=str)

TEXT_LENGTH_MAX = 300

_NUMBER = re.compile(r"[0-9]{1,9}")


def whole_number(query: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """The number of this name, `default` where there is none. Raises ValueError."""
    given = query.get(name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given) or not least <= int(given) <= most:
        raise ValueError(f"{name}={shown(given)} is not a number from {least} to {most}.")
    return int(given)


def text(query: Mapping[str, str], name: str) -> str | None:
    """The text of this name, None where there is none. Raises ValueError for one that nothing is called: too long, or
    with control characters, which the database does not take."""
    given = query.get(name)
    if given is not None and (len(given) > TEXT_LENGTH_MAX or not given.isprintable()):
        raise ValueError(f"{name}={shown(given)} is not a name: nothing is called that.")
    return given


def one_of(query: Mapping[str, str], name: str, choices: "Sequence[C]") -> "C | None":
    """The choice of this name, None where there is none. Raises ValueError."""
    given = query.get(name)
    if given is None:
        return None
    for choice in choices:
        if choice == given:
            return choice
    raise ValueError(f"{name}={shown(given)} is not one of {', '.join(choices)}.")


def moment_asked(query: Mapping[str, str], name: str, default: str, now: float) -> float:
    """The moment that a parameter of the query names, in seconds since the epoch. Raises ValueError that says so."""
    given = query.get(name, default)
    try:
        return moment_of(given, now)
    except ValueError:
        raise ValueError(f"{name}={shown(given)} is not a moment: write 90s, 6h, 7d or 2026-11-30T20:15Z.") from None


def duration_asked(query: Mapping[str, str], name: str) -> int | None:
    """The seconds of a duration of this name, None where there is none. Raises ValueError."""
    given = query.get(name)
    try:
        return None if given is None else duration_seconds(given)
    except ValueError:
        raise ValueError(f"{name}={shown(given or '')} is not a duration: write 90s, 30m, 6h or 7d.") from None


def shown(given: str) -> str:
    """A value that is refused, as the refusal has it."""
    cut = given if len(given) <= 60 else f"{given[:60]}..."
    return cut if cut.isprintable() else ascii(cut)
