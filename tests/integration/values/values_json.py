"""Responses of the value tests: JSON with the digits of its numbers, and when two values are equal."""

import json
from decimal import Decimal
from typing import Any


class Number(str):
    """A number by its digits."""

    __slots__ = ()


def parsed(text: bytes) -> Any:
    """JSON with the digits of its numbers."""
    return json.loads(text, parse_float=Number, parse_int=Number)


def is_same(value: Any, other: Any) -> bool:
    """Whether two values are equal, numbers by what they are."""
    if isinstance(value, Number) and isinstance(other, Number):
        return Decimal(value) == Decimal(other)
    if isinstance(value, dict) and isinstance(other, dict):
        return value.keys() == other.keys() and all(is_same(value[name], other[name]) for name in value)
    if isinstance(value, list) and isinstance(other, list):
        return len(value) == len(other) and all(map(is_same, value, other))
    return type(value) is type(other) and bool(value == other)


def param(value: Any) -> str:
    """A value in a query string, as it was shown."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
