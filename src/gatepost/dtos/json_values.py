"""JSON inside a JSONB column: any value, bounded in depth, of what PostgreSQL can store and give back."""

import math
from typing import Any, cast

from gatepost.dtos.strict_json import Number, read_json
from gatepost.dtos.texts import text_of
from gatepost.dtos.violations import Violation
from gatepost.errors import BadRequest

DEPTH_MAX = 32
"""Levels of arrays and objects inside one field."""

DIGITS_MAX = 4_300
"""Digits of an integer: Python converts no longer ones from text, because the time grows with their square."""


def members(value: Any, depth: int = DEPTH_MAX) -> int:
    """How many members all objects in a decoded value have; `Violation` where it nests too deeply."""
    if not isinstance(value, dict | list):
        return 0
    if depth == 0:
        raise _too_deep()
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).values()
        return len(inner) + sum([members(item, depth - 1) for item in inner if isinstance(item, dict | list)])
    return sum([members(item, depth - 1) for item in _items(value) if isinstance(item, dict | list)])


def read(node: Any, depth: int = DEPTH_MAX) -> Any:
    """Plain Python values of what `read_json` gave; `Violation` points at the first part that cannot be stored."""
    if isinstance(node, Number):
        return _number(node)
    if isinstance(node, str):
        return text_of(node)
    if not isinstance(node, dict | list):
        return node
    if depth == 0:
        raise _too_deep()
    if isinstance(node, list):
        return [_below(str(index), item, depth) for index, item in enumerate(_items(node))]
    return {text_of(name): _below(name, item, depth) for name, item in cast("dict[str, Any]", node).items()}


def parse(text: str) -> Any:
    """JSON in a query parameter, as `read_json` gives it; `Violation` where it is none."""
    try:
        return read_json(text.encode())
    except (BadRequest, UnicodeEncodeError):
        raise Violation("wrong_type", "Send a JSON value.") from None


def text(value: str) -> Any:
    """A JSON value in a query parameter."""
    return read(parse(value))


def _items(node: Any) -> list[Any]:
    return cast("list[Any]", node)


def _below(name: str, node: Any, depth: int) -> Any:
    try:
        return read(node, depth - 1)
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


def _too_deep() -> Violation:
    return Violation("too_deep", f"The value nests deeper than {DEPTH_MAX} levels.")
