"""The nearest known name, for "did you mean". Callers pass only names that the actor may see."""

from collections.abc import Iterable

NAME_LENGTH_MAX = 64
"""Longer names get no hint: comparing is quadratic, and nobody mistypes that much."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, or None where none is alike."""
    if len(name) > NAME_LENGTH_MAX:
        return None
    from difflib import get_close_matches

    found = get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return found[0] if found else None


def shown(name: str) -> str:
    """A client's own word, fit to be quoted in a sentence: shortened, without control characters."""
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name[:NAME_LENGTH_MAX])
    return f'"{text}..."' if len(name) > NAME_LENGTH_MAX else f'"{text}"'
