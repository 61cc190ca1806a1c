"""Which methods a condition of HAProxy holds for, where it is about nothing but the method.

Outside the request path: for `gatepost doctor --haproxy`.
"""

from collections.abc import Mapping, Sequence

_NAMED = {
    "METH_CONNECT": frozenset({"CONNECT"}),
    "METH_DELETE": frozenset({"DELETE"}),
    "METH_GET": frozenset({"GET", "HEAD"}),
    "METH_HEAD": frozenset({"HEAD"}),
    "METH_OPTIONS": frozenset({"OPTIONS"}),
    "METH_POST": frozenset({"POST"}),
    "METH_PUT": frozenset({"PUT"}),
    "METH_TRACE": frozenset({"TRACE"}),
    "TRUE": None,
}
"""The methods of the conditions that HAProxy has by itself; None: all."""


class UnknownCondition(Exception):
    """The condition is about something else as well."""


def holds_for(method: str, words: Sequence[str], acls: Mapping[str, Sequence[Sequence[str]]]) -> bool:
    """Whether `if ...` or `unless ...` holds for a method; without words it does. `acls` are those of the section: what
    stands behind each name, once for each line.

    Raises UnknownCondition.
    """
    if not words:
        return True
    keyword, *rest = words
    if keyword not in ("if", "unless"):
        raise UnknownCondition(keyword)
    return _any_of(method, rest, acls) == (keyword == "if")


def _any_of(method: str, words: Sequence[str], acls: Mapping[str, Sequence[Sequence[str]]]) -> bool:
    alternatives: list[list[str]] = [[]]
    for word in words:
        if word in ("||", "or", "OR"):
            alternatives.append([])
        else:
            alternatives[-1].append(word)
    results = [_all_of(method, alternative, acls) for alternative in alternatives]  # all are read, for what is unknown
    return any(results)


def _all_of(method: str, words: Sequence[str], acls: Mapping[str, Sequence[Sequence[str]]]) -> bool:
    results: list[bool] = []
    rest = list(words)
    is_negated = False
    while rest:
        word = rest.pop(0)
        if word.startswith("!"):
            is_negated = not is_negated
            word = word[1:]
            if not word:
                continue
        if word == "{":
            if "}" not in rest:
                raise UnknownCondition(word)
            end = rest.index("}")
            result = _matches(method, rest[:end])
            del rest[: end + 1]
        elif word in _NAMED:
            methods = _NAMED[word]
            result = methods is None or method in methods
        elif word in acls:
            result = any(_matches(method, each) for each in acls[word])
        else:
            raise UnknownCondition(word)
        results.append(result != is_negated)
        is_negated = False
    return all(results)


def _matches(method: str, words: Sequence[str]) -> bool:
    """What stands in braces, or behind the name of an ACL: `method GET HEAD`."""
    fetch, *values = words or [""]
    if fetch != "method" or any(value.startswith("-") and value not in ("-i", "--") for value in values):
        raise UnknownCondition(fetch)
    return method in (value.upper() for value in values)
