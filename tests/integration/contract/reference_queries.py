"""The naive reference: filters, order and pages in plain Python over rows that lie in memory.

Python orders texts by code point, and the database by its collation: the two agree here because the tests' is C.UTF-8.
"""

import enum
import json
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import msgspec
from all_types_app import ARRAYS, PATHS, Genre

from gatepost.models.operators import OPERATORS

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "in": lambda value, members: value in members,
    "null": lambda value, flag: (value is None) is flag,
    "contains": operator.contains,
    "starts_with": str.startswith,
    "icontains": lambda value, part: part.lower() in value.lower(),
    "istarts_with": lambda value, part: value.lower().startswith(part.lower()),
    "has": operator.contains,
}
"""What each operator means in Python."""

OF_NULL = ("ne", "null")
"""Those that a NULL can satisfy."""

OF_UNORDERED = ("eq", "ne", "in", "null")
"""Those of values without an order."""

SEARCHES = ("contains", "starts_with", "icontains", "istarts_with")

IN_DOCUMENT: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, text: stands_for(text, value),
    "in": lambda value, texts: any(stands_for(text, value) for text in texts),
}
"""What operators mean at the end of a path, of the texts that a client sends."""

ENUMS = ("genre", "mood", "grade")
OPERANDS = {item.name: item.operand for item in OPERATORS}
"""The form of each operator's operand."""

NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")

Row = Mapping[str, Any]


class Term(NamedTuple):
    """One filter; `operand` has the form that `OPERANDS` says."""

    name: str
    operator: str
    operand: Any

    @property
    def parameter(self) -> str:
        """As a client writes it."""
        is_list = OPERANDS[self.operator] == "list"
        value = ",".join(quoted(wire(item)) for item in self.operand) if is_list else wire(self.operand)
        return f"{self.name}[{self.operator}]={quote_plus(value)}"


def wire(value: Any) -> str:
    """A value as a query parameter writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, enum.Enum):
        return str(value.value)
    if isinstance(value, datetime | timedelta):
        return str(msgspec.to_builtins(value, str_keys=True))
    return repr(value) if isinstance(value, float) else str(value)


def quoted(member: str) -> str:
    """A member of a list, in quotes where it needs them."""
    needs_quotes = "," in member or member.startswith('"')
    return '"{}"'.format(member.replace('"', '""')) if needs_quotes else member


def stands_for(text: str, value: Any) -> bool:
    """Whether a text of a query string stands for a JSON value."""
    if value is None or isinstance(value, list | dict):
        return False
    if isinstance(value, str):
        return value == text
    if isinstance(value, bool):
        return json.dumps(value) == text
    return NUMBER.fullmatch(text) is not None and Decimal(text) == Decimal(str(value))


def at_path(document: Any, keys: Sequence[str]) -> Any:
    """The value at the end of a path through objects; None where there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def operators_of(name: str) -> tuple[str, ...]:
    """What a column of `Sample` can be filtered by."""
    if name == "flag" or name in ENUMS:
        return OF_UNORDERED
    if name in PATHS:
        return tuple(IN_DOCUMENT)
    if name in ARRAYS:
        return ("has",)
    return tuple(item for item in COMPARISONS if item != "has" and (name == "word" or item not in SEARCHES))


def holds(row: Row, term: Term) -> bool:
    """Whether a row passes a filter."""
    name, *keys = term.name.split(".")
    value = at_path(row[name], keys)
    if keys:
        return IN_DOCUMENT[term.operator](value, term.operand)
    if value is None and term.operator not in OF_NULL:
        return False
    return COMPARISONS[term.operator](value, term.operand)


def rank(name: str, value: Any) -> Any:
    """What PostgreSQL orders a value by: native enums by declaration, others by their stored name."""
    if name == "genre":
        return list(Genre).index(value)
    return value.name if isinstance(value, enum.Enum) else value


def ordered(rows: Sequence[Row], sort: Sequence[str]) -> list[Row]:
    """Rows in the order of `sort` (names, descending ones with a minus), NULLs last, the key breaking ties."""
    terms = list(sort) or ["id"]
    if not any(term.removeprefix("-") == "id" for term in terms):
        terms.append("-id" if terms[-1].startswith("-") else "id")
    found = list(rows)
    for term in reversed(terms):
        name = term.removeprefix("-")
        known = [row for row in found if row[name] is not None]
        known.sort(key=lambda row: rank(name, row[name]), reverse=term.startswith("-"))
        found = known + [row for row in found if row[name] is None]
    return found


def selected(rows: Sequence[Row], filters: Sequence[Term], sort: Sequence[str]) -> list[int]:
    """The keys of the rows that a query finds, in its order."""
    return [row["id"] for row in ordered([row for row in rows if all(holds(row, term) for term in filters)], sort)]
