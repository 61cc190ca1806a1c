"""JSON with exact numbers, as PostgreSQL keeps them. A Python float holds some 16 digits; JSON has no such bound.

Used where documents come from PostgreSQL or go there (`database`), where bodies are merged into them (`services`), and
by the decoders of bodies (`dtos`). No double is made of a document's number: reading one costs a microsecond where
msgspec's reader needs ten, near the end of the range of doubles.
"""

import contextlib
import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from math import isfinite
from typing import Any, cast

import msgspec

INTEGER_DIGITS_MAX = 4_300
"""Python converts no longer integers from text, because the time grows with the square of their length."""

_PART = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]|[^\s\[\]{},:"]+', re.DOTALL)
"""What a document is made of, but for the commas and colons between."""


def decode(text: str) -> Any:
    """A stored document, for code that computes with it: a number is an int, a float where that says the same, else a
    Decimal."""
    return _decoded(text, _natural, _decode_natural)


def decode_exact(text: str) -> Any:
    """A stored document, to be compared or merged: a number with a fraction or an exponent is a Decimal."""
    return _decoded(text, Decimal, _decode_exact)


def natural(value: Any) -> Any:
    """A document of `decode_exact`, or of a body, with the numbers of `decode`. Shares what holds no number."""
    if isinstance(value, Decimal):
        return _natural_of(value)
    if isinstance(value, dict):
        return {name: natural(item) for name, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [natural(item) for item in cast("Iterable[Any]", value)]
    return value


def encode(value: Any) -> str:
    """The text of a document. Raises `ValueError` for NaN and infinity, `TypeError` for what JSON does not have."""
    try:
        return json.dumps(value, allow_nan=False, default=_refuse)
    except _HoldsDecimal:
        _check(value)
        return _encode_decimals(value).decode()


def encode_bytes(value: Any) -> bytes:
    """The shortest text of what `decode_exact` gave, and of bodies."""
    return _encode_decimals(value)


class _HoldsDecimal(Exception):
    """The quick encoder met a Decimal, which it cannot write."""


def _refuse(value: object) -> Any:
    if isinstance(value, Decimal):
        raise _HoldsDecimal
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _check(value: Any) -> None:
    """msgspec writes NaN as null, and classes that JSON does not have in a form of its own."""
    if isinstance(value, dict):
        for name, item in cast("dict[object, Any]", value).items():
            if not isinstance(name, str):
                raise TypeError(f"A key of a JSON object is a text, not {type(name).__name__}")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in cast("list[Any]", value):
            _check(item)
    elif isinstance(value, float | Decimal):
        if not (isfinite(value) if isinstance(value, float) else value.is_finite()):
            raise ValueError("Out of range float values are not JSON compliant")
    elif value is not None and not isinstance(value, str | int):
        _refuse(value)


def _decoded(text: str, number: Any, decode_fast: Any) -> Any:
    # Other programs store what no body may hold: integers that are too long for msgspec, halves of surrogate pairs,
    # deeper documents.
    try:
        return decode_fast(text)
    except msgspec.DecodeError:
        with contextlib.suppress(RecursionError):
            return json.loads(text, parse_float=number, parse_int=_integer)
    except RecursionError:
        pass
    return _decoded_flat(text, number)


def _decoded_flat(text: str, number: Any) -> Any:
    """A document of any depth. What PostgreSQL has stored is well formed, so its form is not checked again."""
    root: list[Any] = []
    stack: list[list[Any] | dict[str, Any]] = [root]
    name: str | None = None
    for found in _PART.finditer(text):
        part, around = found[0], stack[-1]
        if part in ("]", "}"):
            stack.pop()
        elif isinstance(around, dict) and name is None:
            name = json.loads(part)
        else:
            value: Any
            if part == "[":
                value = []
            elif part == "{":
                value = {}
            else:
                value = json.loads(part, parse_float=number, parse_int=_integer)
            if isinstance(around, dict):
                around[cast("str", name)], name = value, None
            else:
                around.append(value)
            if part in ("[", "{"):
                stack.append(value)
    return root[0]


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) <= INTEGER_DIGITS_MAX else Decimal(text)


def _natural(text: str) -> float | Decimal:
    number = float(text)
    return number if repr(number) == text else _natural_of(Decimal(text))


def _natural_of(exact: Decimal) -> float | Decimal:
    number = float(exact)
    return number if isfinite(number) and Decimal(repr(number)) == exact else exact


_decode_natural = msgspec.json.Decoder(float_hook=_natural).decode
_decode_exact = msgspec.json.Decoder(float_hook=Decimal).decode
_encode_decimals = msgspec.json.Encoder(decimal_format="number").encode


def is_same_document(present: Any, value: Any) -> bool:
    """Whether two documents are equal: to Python, true and 1 are."""
    if isinstance(present, bool) or isinstance(value, bool):
        return present is value
    if isinstance(present, dict) and isinstance(value, dict):
        mine, other = cast("dict[str, Any]", present), cast("dict[str, Any]", value)
        return mine.keys() == other.keys() and all(is_same_document(mine[name], other[name]) for name in mine)
    if isinstance(present, list) and isinstance(value, list):
        one, another = cast("Sequence[Any]", present), cast("Sequence[Any]", value)
        return len(one) == len(another) and all(map(is_same_document, one, another))
    return bool(present == value)
