"""The naive reference: filters, order and pages in plain Python over rows that lie in memory."""

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote_plus

import msgspec
from all_types_app import Genre

ORDERED = ("eq", "ne", "lt", "lte", "gt", "gte", "in", "null")
UNORDERED = ("eq", "ne", "in", "null")
ENUMS = ("genre", "mood", "grade")

Row = Mapping[str, Any]


class Term(NamedTuple):
    """One filter; `operand` is a list for `in`, a bool for `null`."""

    name: str
    operator: str
    operand: Any

    @property
    def parameter(self) -> str:
        """As a client writes it."""
        members: list[Any] = self.operand if self.operator == "in" else [self.operand]
        value = ",".join(wire(item) for item in members)
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


def operators_of(name: str) -> tuple[str, ...]:
    """What a column of `Sample` can be filtered by."""
    found = UNORDERED if name == "flag" or name in ENUMS else ORDERED
    return (*found, "contains", "starts_with") if name == "word" else found


def holds(row: Row, term: Term) -> bool:
    """Whether a row passes a filter."""
    value, operand = row[term.name], term.operand
    if term.operator == "null":
        return (value is None) is operand
    if term.operator == "ne":
        return bool(value is None or value != operand)
    if value is None:
        return False
    comparisons: dict[str, Callable[[], bool]] = {
        "eq": lambda: value == operand,
        "lt": lambda: value < operand,
        "lte": lambda: value <= operand,
        "gt": lambda: value > operand,
        "gte": lambda: value >= operand,
        "in": lambda: value in operand,
        "contains": lambda: operand in value,
        "starts_with": lambda: value.startswith(operand),
    }
    return bool(comparisons[term.operator]())


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
