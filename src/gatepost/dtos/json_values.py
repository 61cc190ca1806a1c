"""JSON inside a JSONB column: any value, bounded in depth and length, of what PostgreSQL can store and give back."""

import math
from typing import Any, cast

import msgspec

from gatepost.dtos.strict_json import Number, read_json
from gatepost.dtos.texts import text_of
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest


class Bounds(msgspec.Struct, frozen=True):
    """Levels of arrays and objects inside one field, and elements of one array."""

    depth: int = 32
    items: int = 10_000


BOUNDS = Bounds()
"""Those of query parameters, and of bodies where nothing else is declared."""

DIGITS_MAX = 4_300
"""Digits of an integer: Python converts no longer ones from text, because the time grows with their square."""


def members(value: Any, bounds: Bounds = BOUNDS, level: int = 0) -> int:
    """How many members all objects in a decoded value have; `Violation` where it nests too deeply or is too long."""
    if not isinstance(value, dict | list):
        return 0
    if level == bounds.depth:
        raise _too_deep(bounds)
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).values()
        return len(inner) + sum([members(item, bounds, level + 1) for item in inner if isinstance(item, dict | list)])
    items = _items(value, bounds)
    return sum([members(item, bounds, level + 1) for item in items if isinstance(item, dict | list)])


def read(node: Any, bounds: Bounds = BOUNDS, level: int = 0) -> Any:
    """Plain Python values of what `read_json` gave; `Violation` points at the first part that cannot be stored."""
    if isinstance(node, Number):
        return _number(node)
    if isinstance(node, str):
        return text_of(node)
    if not isinstance(node, dict | list):
        return node
    if level == bounds.depth:
        raise _too_deep(bounds)
    if isinstance(node, list):
        return [_below(str(index), item, bounds, level) for index, item in enumerate(_items(node, bounds))]
    inner = cast("dict[str, Any]", node)
    return {text_of(name): _below(name, item, bounds, level) for name, item in inner.items()}


def parse(text: str) -> Any:
    """JSON in a query parameter, as `read_json` gives it; `Violation` where it is none."""
    try:
        return read_json(text.encode())
    except (BadRequest, UnicodeEncodeError):
        raise Violation("wrong_type", "Send a JSON value.") from None


def text(value: str) -> Any:
    """A JSON value in a query parameter."""
    return read(parse(value))


def _items(node: Any, bounds: Bounds) -> list[Any]:
    items = cast("list[Any]", node)
    if len(items) > bounds.items:
        raise Violation("too_long", f"Send at most {bounds.items} elements.")
    return items


def _below(name: str, node: Any, bounds: Bounds, level: int) -> Any:
    try:
        return read(node, bounds, level + 1)
    except Violation as violation:
        raise violation.below(name) from None


def _number(number: Number) -> int | float:
    if number.lstrip("-").isdigit():
        if len(number.lstrip("-")) > DIGITS_MAX:
            raise Violation("too_large", f"The number has more than {DIGITS_MAX} digits.")
        return int(number)
    value = float(number)
    if not math.isfinite(value):
        raise Violation("too_large", "The number is beyond the range of a double-precision number.")
    return value


def _too_deep(bounds: Bounds) -> Violation:
    return Violation("too_deep", f"The value nests deeper than {bounds.depth} levels.")
