"""SQL laid out to be read: a line for each clause, indented by its subquery. For `gatepost explain`.

It changes nothing but the space between words, so that what is printed can be run.
"""

import re

WIDTH = 100
"""A line longer than this goes on below at the next space."""

_TOKEN = re.compile(
    r"""\s+ | [eE]?'(?:[^'\\]|''|\\.)*' | "(?:[^"]|"")*" | /\*.*?\*/ | \$\d+ | \w+ | .""", re.VERBOSE | re.DOTALL
)

_CLAUSES = frozenset(
    re.findall(
        r"\w+",
        "select from where order group having limit offset returning values set union except intersect left for",
    )
)
"""Words that begin a line where they stand in a query, not in the arguments of a function."""

_GOES_ON = frozenset({("distinct", "from"), ("delete", "from"), ("(", "select"), ("", "select")})
"""Pairs of words that stay on one line."""

_QUERIES = frozenset({"select", "with", "insert", "update", "delete"})


def laid_out(sql: str) -> list[str]:
    """The lines of a statement."""
    tokens = [" " if match[0].isspace() else match[0] for match in _TOKEN.finditer(sql.strip())]
    lines, in_query = [""], [True]  # for each open bracket, and outside of all: whether a query stands in it
    previous = ""
    for place, token in enumerate(tokens):
        word = token.strip().lower()
        if in_query[-1] and word in _CLAUSES and (previous, word) not in _GOES_ON:
            lines.append(_indent(in_query))
        elif not word and len(lines[-1]) > WIDTH:
            lines.append(_indent(in_query) + "  ")
        if word == "(":
            in_query.append(_word_after(tokens, place) in _QUERIES)
        elif word == ")" and len(in_query) > 1:
            in_query.pop()
        if word or lines[-1].strip():
            lines[-1] += token
        previous = word or previous
    return [line.rstrip() for line in lines if line.strip()]


def _word_after(tokens: list[str], place: int) -> str:
    return next((token.lower() for token in tokens[place + 1 :] if token.strip()), "")


def _indent(in_query: list[bool]) -> str:
    return "  " * (sum(in_query) - 1)
