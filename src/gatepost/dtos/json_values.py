"""JSON inside a JSONB column: any value that PostgreSQL can store and return unchanged, bounded in depth and length."""

import re
from collections.abc import Iterable
from decimal import Decimal
from itertools import count
from typing import Any, cast

import msgspec

from gatepost.dtos.parsers import text_of
from gatepost.dtos.strict_json import Number, read_json
from gatepost.dtos.violations import VIOLATIONS_MAX, Violation, raise_all, wrong_type
from gatepost.errors import BadRequest

NUMBER_CHARACTERS_MAX = 1_000
"""Characters of one number, written out in full: PostgreSQL shows `1e308` with 309 digits."""

_LONG_INTEGER = re.compile(rb"(?<![0-9])[0-9]{%d}" % NUMBER_CHARACTERS_MAX)
"""The lookbehind starts one search per run of digits: one at every digit would take quadratic time."""

_NESTED = frozenset((dict, list))
_EXPONENT_DIGITS_MAX = 6
_UNDECIDED = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, Violation)
"""What the fast decoder raises for texts that only the strict reader can decide."""


class Bounds(msgspec.Struct, frozen=True):
    """Levels of arrays and objects inside one field, elements of one array, and characters of all numbers of one field
    written out in full. `doubles` refuses numbers that a double cannot hold, for applications that read them so."""

    depth: int = 32
    items: int = 10_000
    number_characters: int = 1_048_576
    doubles: bool = False


BOUNDS = Bounds()
"""The bounds of query parameters, and of bodies where none are declared."""


class NumberReader:
    """The `float_hook` of one decoder of bodies: exact numbers, and how much longer they are written out in full.

    Set `surplus` to 0 before a body is decoded, and ask `is_within` afterwards. Raises `Violation` where a number
    exceeds the bounds already; the strict reader then reports it.
    """

    __slots__ = ("_bounds", "surplus")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self.surplus = 0

    def __call__(self, text: str) -> Decimal:
        """A number with a fraction or an exponent."""
        length = len(text)
        if "e" in text or "E" in text:
            length = written_out(text)
            self.surplus += length - len(text)
        if length > NUMBER_CHARACTERS_MAX or self.surplus > self._bounds.number_characters:
            raise _too_many_characters(self._bounds)
        if self._bounds.doubles:
            check_double(text)
        return Decimal(text)

    def is_within(self, body: bytes) -> bool:
        """Whether each number of the decoded body is within bounds, and all together. May be False where it is not
        sure."""
        if len(body) < NUMBER_CHARACTERS_MAX and not self.surplus:
            return True
        return self.surplus + len(body) <= self._bounds.number_characters and not _LONG_INTEGER.search(body)


class DocumentDecoder:
    """Decodes JSON whose fields nobody has declared, to learn whether it is within the bounds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._numbers = NumberReader(bounds)
        self._decode = msgspec.json.Decoder(float_hook=self._numbers).decode

    def members(self, text: bytes) -> int | None:
        """How many members all its objects have. None where it is not JSON or exceeds the bounds, and where that is
        uncertain: then the strict reader decides, and names the place."""
        try:
            return members(self._value(text), self._bounds)
        except _UNDECIDED:
            return None

    def has_numbers_within(self, text: bytes) -> bool:
        """Whether it is JSON whose numbers are within the bounds; nesting and lists are not counted. False where that
        is uncertain."""
        try:
            self._value(text)
        except _UNDECIDED:
            return False
        return True

    def _value(self, text: bytes) -> Any:
        self._numbers.surplus = 0
        value = self._decode(text)
        if not self._numbers.is_within(text):
            raise _too_many_characters(self._bounds)
        return value


def written_out(number: str) -> int:
    """How many characters a JSON number has without an exponent, as PostgreSQL would show it."""
    mantissa, _, exponent = number.lower().partition("e")
    if not exponent:
        return len(number)
    if len(exponent) > _EXPONENT_DIGITS_MAX:
        return NUMBER_CHARACTERS_MAX + 1
    sign = len(mantissa) - len(mantissa.lstrip("-"))
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    left = len(fraction) - int(exponent)
    digits = sign + max(len(whole) + int(exponent), 1)
    return digits + 1 + left if left > 0 else digits


def check_double(number: str) -> None:
    """Raise `Violation` where a double-precision number cannot hold it."""
    if float(number) in (float("inf"), float("-inf")):
        raise Violation("too_large", "The number is beyond the range of a double-precision number.")


def members(value: Any, bounds: Bounds = BOUNDS, level: int = 0) -> int:
    """How many members all objects in a decoded value have; `Violation` where it nests too deeply or is too long."""
    kind = value.__class__
    if kind not in _NESTED:
        return 0
    if level == bounds.depth:
        raise _too_deep(bounds)
    # A plain loop over classes: this runs for every list and object of every body.
    if kind is dict:
        count, inner = len(value), value.values()
    else:
        count, inner = 0, _items(value, bounds)
    level += 1
    for item in inner:
        if item.__class__ in _NESTED:
            count += members(item, bounds, level)
    return count


def read(node: Any, bounds: Bounds = BOUNDS) -> Any:
    """Plain Python values of what `read_json` gave; `Violation` points at the first part that cannot be stored."""
    try:
        return _DocumentReader(bounds).read(node, 0)
    except _NumbersTooLong:
        raise _too_many_characters(bounds) from None


def parse(text: str) -> Any:
    """JSON in a query parameter, as `read_json` gives it; `Violation` where it is none."""
    try:
        return read_json(text.encode())
    except (BadRequest, UnicodeEncodeError):
        raise wrong_type("a JSON value", expected="JSON") from None


def text(value: str) -> Any:
    """A JSON value in a query parameter."""
    return read(parse(value))


class _NumbersTooLong(Exception):
    """All numbers of the document have too many characters together."""


class _DocumentReader:
    """Reads one document and counts the characters of its numbers."""

    __slots__ = ("_bounds", "_characters")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._characters = 0

    def read(self, node: Any, level: int) -> Any:
        if isinstance(node, Number):
            return self._number(node)
        if isinstance(node, str):
            return text_of(node)
        if not isinstance(node, dict | list):
            return node
        if level == self._bounds.depth:
            raise _too_deep(self._bounds)
        below = level + 1
        if isinstance(node, list):
            names: Iterable[str] = map(str, count())
            return [value for _, value in self._each(zip(names, _items(node, self._bounds), strict=False), below)]
        given = cast("dict[str, Any]", node)
        for name in given:
            text_of(name)  # first: what is inside an object with such a name is read nowhere
        return dict(self._each(given.items(), below))

    def _each(self, nodes: Iterable[tuple[str, Any]], level: int) -> list[tuple[str, Any]]:
        """What is inside a list or an object, by name. Raises all violations as one, up to `VIOLATIONS_MAX`."""
        found: list[tuple[str, Any]] = []
        violations: list[Violation] = []
        for name, node in nodes:
            try:
                found.append((name, self.read(node, level)))
            except Violation as violation:
                violations += violation.each_below(name)
                if len(violations) >= VIOLATIONS_MAX:
                    break
        raise_all(violations[:VIOLATIONS_MAX])
        return found

    def _number(self, number: Number) -> int | Decimal:
        length = written_out(number)
        if length > NUMBER_CHARACTERS_MAX:
            detail = f"The number has more than {NUMBER_CHARACTERS_MAX} characters when it is written out in full."
            raise Violation("too_long", detail, params={"max": NUMBER_CHARACTERS_MAX})
        self._characters += length
        if self._characters > self._bounds.number_characters:
            raise _NumbersTooLong
        if number.lstrip("-").isdigit():
            return int(number)
        if self._bounds.doubles:
            check_double(number)
        return Decimal(number)


def _items(node: Any, bounds: Bounds) -> list[Any]:
    items = cast("list[Any]", node)
    if len(items) > bounds.items:
        raise Violation("too_long", f"Send at most {bounds.items} elements.", params={"max": bounds.items})
    return items


def _too_many_characters(bounds: Bounds) -> Violation:
    detail = f"The numbers have more than {bounds.number_characters} characters when they are written out in full."
    return Violation("too_long", detail, params={"max": bounds.number_characters})


def _too_deep(bounds: Bounds) -> Violation:
    detail = f"The value nests deeper than {bounds.depth} levels."
    return Violation("too_deep", detail, params={"max": bounds.depth})
