"""Patterns of the texts that list names: `sort=-price,title`."""

import re
from collections.abc import Iterable

_LIST = re.compile(r"\^(?P<sign>-\?)?\(\?:(?P<names>[^()]*)\)\(\?:,(?P=sign)?\(\?:(?P=names)\)\)(?:\*|\{0,[0-9]+\})\$")


def list_pattern(names: Iterable[str], *, is_signed: bool = False, count_max: int | None = None) -> str:
    """The pattern of a text with one or more of these names, at most `count_max`, separated by commas. `is_signed`
    allows a minus before each."""
    sign, listed = "-?" if is_signed else "", "|".join(map(re.escape, names))
    count = "*" if count_max is None else f"{{0,{count_max - 1}}}"
    return f"^{sign}(?:{listed})(?:,{sign}(?:{listed})){count}$"


def names_of(pattern: str) -> frozenset[str] | None:
    """The texts between the commas of a text that fits a pattern which `list_pattern` has made; None for others."""
    found = _LIST.fullmatch(pattern)
    if found is None:
        return None
    names = frozenset(found["names"].split("|"))
    return names | {f"-{name}" for name in names} if found["sign"] else names
