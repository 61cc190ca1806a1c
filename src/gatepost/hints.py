"""The nearest known name, for "did you mean", in declarations, settings, query strings and bodies.

A foundation. Callers pass only names that whoever reads the hint may see.
"""

from collections.abc import Iterable

NAME_LENGTH_MAX = 64
"""Longer names get no hint: comparing is quadratic, and nobody mistypes that much."""

LIKENESS_MIN = 0.6


def nearest(name: str, known: Iterable[str], *, likeness: float = LIKENESS_MIN) -> str | None:
    """The known name most like `name`, upper and lower case being the same, or None where none is alike."""
    if len(name) > NAME_LENGTH_MAX:
        return None
    from difflib import get_close_matches  # needed by mistakes only

    folded = {item.lower(): item for item in sorted(known, reverse=True)}
    found = get_close_matches(name.lower(), folded, n=1, cutoff=likeness)
    return folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'title'?` where a known name is near, else nothing."""
    found = nearest(name, known)
    return f" Did you mean {found!r}?" if found else ""


_SYNONYMS = {
    "after": "next cursor nextcursor nexttoken pagetoken continuationtoken startingafter since token page skip offset",
    "before": "prev previous prevcursor endingbefore",
    "offset": "page skip start startindex from next cursor pagetoken",
    "limit": "perpage pagesize size top take first max maxresults results pagelimit rows",
    "count": "total totals includetotal withtotal withcount includecount totalcount",
    "sort": "order orderby ordering sortby sorting sortorder",
    "expand": "include includes embed with populate relations",
    "fields": "select only columns attributes",
}
"""What other APIs call the parameters of lists."""

_USES = {"after": " It takes the cursor of a page, `next`.", "before": " It takes the cursor of a page, `prev`."}
_VALUES = {"count": "count=true"}


def parameter_hint(name: str, known: Iterable[str]) -> str:
    """The hint to a query parameter that does not exist: the known one that does what other APIs call so, else the
    nearest. Callers whose lists are paged by cursors know no `offset`, and the other way round."""
    names = [*known]
    plain = name.lower().replace("_", "").replace("-", "")
    meant = next((own for own, others in _SYNONYMS.items() if own in names and plain in others.split()), None)
    if meant is None:
        return did_you_mean(name, names)
    return f" Did you mean {_VALUES.get(meant, meant)!r}?{_USES.get(meant, '')}"


def shown(name: str) -> str:
    """A client's own word, fit to be quoted in a sentence: shortened, without control characters."""
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name[:NAME_LENGTH_MAX])
    return f'"{text}..."' if len(name) > NAME_LENGTH_MAX else f'"{text}"'
