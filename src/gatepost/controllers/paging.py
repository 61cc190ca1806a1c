"""The parameters that say which page of a list is wanted, and whether its total is. Called by `queries.py`."""

from typing import Any

from gatepost.controllers.query_strings import SHAPE_PARAMETERS, invalid_parameter
from gatepost.declaring.paging import Paging
from gatepost.declaring.resource import Resource
from gatepost.dtos.violations import Violation, wrong_type

OFFSET_MAX = 10_000
"""An offset costs as much as reading the rows that it skips."""


DIGITS_MAX = 20


class PagingParameters:
    """Reads the paging parameters of one list.

    `positions` are the parameters that say where a page begins, `names` all that a list has besides filters. A page has
    `size` rows, or as many as asked for up to `size_max`. Where a list `always_counts`, the total is there whether it
    is asked for or not. `unused`
    are those that mean nothing here: `count`, where a service chooses the rows, because what the policy and the filters
    admit need not be what it returns.
    """

    def __init__(self, paging: Paging, resource: Resource[Any], *, offers_total: bool = True) -> None:
        self.by_offset = paging.by_offset
        self.positions = ("offset",) if paging.by_offset else ("after", "before")
        self.names = (*SHAPE_PARAMETERS, *self.positions, *(("count",) if offers_total else ()))
        self.unused = ("q",) if offers_total else ("q", "count")
        self.reserved = frozenset({*self.names, *self.unused})
        self.offers_total = offers_total
        self.always_counts = offers_total and paging.always_counts
        self.size = resource.page_size
        self.size_max = resource.page_size_max

    def limit(self, text: str | None) -> int:
        """How many rows a page has. Raises `BadRequest`."""
        return self.size if text is None else _read_number("limit", text, 1, self.size_max)

    def offset(self, text: str | None) -> int:
        """How many rows there are before a page. Raises `BadRequest`."""
        hint = "; narrow the list by filters to reach rows beyond it"
        return 0 if text is None else _read_number("offset", text, 0, OFFSET_MAX, hint)

    def counts(self, text: str | None) -> bool:
        """Whether the total is counted. Raises `BadRequest`."""
        if text not in (None, "true", "false"):
            raise invalid_parameter("count", wrong_type("true or false", expected="boolean"))
        return self.always_counts or (self.offers_total and text == "true")


def _read_number(name: str, text: str, least: int, most: int, hint: str = "") -> int:
    detail = f"Send a whole number from {least} to {most}{hint}."
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        raise invalid_parameter(name, Violation("wrong_type", detail, params={"expected": "integer"}))
    number = int(text) if len(text) <= DIGITS_MAX else most + 1
    if number < least:
        raise invalid_parameter(name, Violation("too_small", detail, params={"min": least}))
    if number > most:
        raise invalid_parameter(name, Violation("too_large", detail, params={"max": most}))
    return number
