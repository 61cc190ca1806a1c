"""Column types in request bodies: what msgspec decodes, how it becomes a Python value, and the column's own bounds.

Read once per column when the app is built. `WireType` is what the column type implies; `FieldType` adds the declared
constraints. Both hold two decoders of the same values: `wire` with `convert` for the fast path, and `read` for the
strict reader.
"""

import enum
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from types import GenericAlias
from typing import Annotated, Any, cast
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import PickleType

from gatepost.dtos import json_values, parsers
from gatepost.dtos.constraints import Constraint, at_least, at_most, check, constraints_of, length_at_most
from gatepost.dtos.constraints import native_meta as meta_of
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.strict_json import Number
from gatepost.dtos.violations import Violation
from gatepost.errors import ConfigurationError
from gatepost.exact_json import natural
from gatepost.models.entity import plain_type, wire_values

REAL_MAX = 3.4028234663852886e38
"""The largest number of PostgreSQL's `real`."""

VIOLATIONS_MAX = 100
"""Violations reported per list: the response to a hostile body must not be larger than the body."""


class WireType(msgspec.Struct, frozen=True):
    """One column type.

    msgspec decodes `wire`, and `convert` makes the Python value from it (None where it is one already). `read` makes
    the same value from one of `strict_json.read_json`, `text` from a query parameter or path segment. `rules` are the
    column's own bounds. All of them raise `Violation` only.
    """

    python_type: type
    wire: Any
    convert: Callable[[Any], Any] | None
    read: Callable[[Any], Any]
    text: Callable[[str], Any]
    rules: tuple[Constraint, ...] = ()


class FieldType(msgspec.Struct, frozen=True):
    """A column type with the declaration's constraints: `wire` and `convert` are the fast path, `read` is for the
    strict reader."""

    wire: Any
    convert: Callable[[Any], Any] | None
    read: Callable[[Any], Any]


def field_type_of(wire_type: WireType, constraints: Sequence[Any], location: str) -> FieldType:
    """Compile; raises `ConfigurationError` where a constraint does not fit the type."""
    rules = (*constraints_of(constraints, wire_type.python_type, location), *wire_type.rules)
    wire, left = wire_type.wire, rules
    if wire_type.convert is None and wire in (int, float, str) and (meta := meta_of(rules)) is not None:
        wire = Annotated[wire, meta]
        left = tuple(rule for rule in rules if not rule.native)
    convert = wire_type.convert
    return FieldType(wire, _guarded(convert, left) if left else convert, _guarded(wire_type.read, rules))


def _guarded(convert: Callable[[Any], Any] | None, rules: tuple[Constraint, ...]) -> Callable[[Any], Any]:
    # Written out instead of calling `check`: this runs for every such field of every body.
    conditions = [(rule.holds, rule.code, rule.detail) for rule in rules]

    def guarded(value: Any) -> Any:
        result = value if convert is None else convert(value)
        for holds, code, detail in conditions:
            if not holds(result):
                raise Violation(code, detail)
        return result

    return guarded


def wire_type_of(
    kind: Any, location: str, *, bigint_as_string: bool = False, bounds: Bounds = BOUNDS, elements: Sequence[Any] = ()
) -> WireType:
    """The wire type of a SQLAlchemy type; raises `ConfigurationError` where there is none.

    With `bigint_as_string` 64-bit integers may also be sent as strings, the form in which responses show them. `bounds`
    hold for JSON and arrays, `elements` are the constraints of each element of an array.
    """
    declared = kind
    if not isinstance(kind, PickleType):  # a client must not choose what a pickle executes
        kind = plain_type(kind)
    if bigint_as_string and isinstance(kind, sa.BigInteger):
        return _bigint_or_text(kind, location)
    if isinstance(kind, sa.ARRAY):
        return _array(kind, elements, location, bigint_as_string=bigint_as_string, bounds=bounds)
    if isinstance(kind, sa.JSON):
        return _json(bounds, is_decorated=kind is not declared)
    for classes, build in _BUILDERS:
        if isinstance(kind, classes):
            return build(kind, location)
    raise ConfigurationError(
        f"is of type {type(cast('object', kind)).__name__}, which has no JSON form.",
        location=location,
        hint='Hide it with fields={"...": hidden}, or use a type that JSON can carry, such as JSONB or Text.',
    )


def _expected(noun: str, found: Any) -> Violation:
    return Violation("wrong_type", f"Send {noun}, not {_kind_of(found)}.")


def _kind_of(node: Any) -> str:
    nouns = {Number: "a number", str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    return next((noun for kind, noun in nouns.items() if type(node) is kind), "null")


def _textual(python_type: type, parse: Callable[[str], Any], noun: str, rules: tuple[Constraint, ...] = ()) -> WireType:
    def read(node: Any) -> Any:
        if type(node) is not str:
            raise _expected(noun, node)
        return parse(node)

    return WireType(python_type, str, parse, read, parse, rules)


def _text(kind: sa.String, location: str) -> WireType:
    def read(node: Any) -> str:
        if type(node) is not str:
            raise _expected("a text", node)
        return parsers.text_of(node)

    rules = (length_at_most(kind.length, "character"),) if kind.length is not None else ()
    # No `convert`: a body that may hold a NUL is read by the strict reader, and msgspec refuses lone surrogates.
    return WireType(str, str, None, read, parsers.text_of, rules)


def _boolean(kind: Any, location: str) -> WireType:
    def read(node: Any) -> bool:
        if not isinstance(node, bool):
            raise _expected("true or false", node)
        return node

    return WireType(bool, bool, None, read, parsers.boolean_of)


def _integer(bits: int) -> Callable[[Any, str], WireType]:
    limit = 2 ** (bits - 1)
    bounds = (at_least(-limit, python_type=int), at_most(limit - 1, python_type=int))
    comparable = (at_least(-(2**63), python_type=int), at_most(2**63 - 1, python_type=int))

    def read(node: Any) -> int:
        if not isinstance(node, Number):
            raise _expected("an integer", node)
        return parsers.integer_of(node)

    def text(value: str) -> int:
        number = parsers.integer_of(value)
        check(number, comparable)
        return number

    return lambda kind, location: WireType(int, int, None, read, text, bounds)


def _bigint_or_text(kind: Any, location: str) -> WireType:
    number = _integer(64)(kind, location)

    def convert(value: int | str) -> int:
        return parsers.integer_of(value) if isinstance(value, str) else value

    def read(node: Any) -> int:
        return parsers.integer_of(node) if type(node) is str else number.read(node)

    return WireType(int, int | str, convert, read, number.text, number.rules)


def _float(kind: sa.Float[Any], location: str) -> WireType:
    def read(node: Any) -> float:
        if not isinstance(node, Number):
            raise _expected("a number", node)
        return parsers.float_of(node)

    single = isinstance(kind, sa.REAL) or (kind.precision is not None and kind.precision <= 24)
    rules = (at_least(-REAL_MAX, python_type=float), at_most(REAL_MAX, python_type=float)) if single else ()
    return WireType(float, msgspec.Raw, parsers.raw_float, read, _single_of if single else parsers.float_of, rules)


def _single_of(text: str) -> float:
    """A number to compare with a single-precision column: beyond its range every number is infinite."""
    found = parsers.float_of(text)
    return math.copysign(math.inf, found) if abs(found) > REAL_MAX else found


def _numeric(kind: Any, location: str) -> WireType:
    whole, scale = parsers.DIGITS_MAX, parsers.DIGITS_MAX
    if kind.precision is not None:
        scale = kind.scale or 0
        whole = kind.precision - scale
    parse = parsers.decimal_reader(whole, scale)

    def read(node: Any) -> Decimal:
        if not isinstance(node, str):
            raise _expected("a number", node)
        return parse(node)

    return WireType(Decimal, msgspec.Raw, parsers.raw_decimal_reader(whole, scale), read, parsers.decimal_of)


def _uuid(kind: Any, location: str) -> WireType:
    if kind.as_uuid:
        return _textual(UUID, parsers.uuid_of, "a UUID")
    return _textual(UUID, lambda text: str(parsers.uuid_of(text)), "a UUID")


def _timestamp(kind: sa.DateTime, location: str) -> WireType:
    if not kind.timezone:
        raise ConfigurationError(
            "is a timestamp without a time zone.", location=location, hint="Use DateTime(timezone=True)."
        )
    return _textual(datetime, parsers.timestamp_of, "a timestamp", _seconds_kept(kind))


def _time(kind: sa.Time, location: str) -> WireType:
    if kind.timezone:
        raise ConfigurationError(
            "is a time of day with an offset, whose date (and so daylight saving) is unknown.",
            location=location,
            hint="Use Time(), or DateTime(timezone=True).",
        )
    return _textual(time, parsers.time_of, "a time of day", _seconds_kept(kind))


def _interval(kind: Any, location: str) -> WireType:
    return _textual(timedelta, parsers.interval_of, "an interval", _seconds_kept(kind))


def _seconds_kept(kind: Any) -> tuple[Constraint, ...]:
    """PostgreSQL would round what `timestamptz(0)` or `interval(3)` cannot keep."""
    precision = getattr(kind, "precision", None)
    if precision is None:
        precision = getattr(kind, "second_precision", None)
    if precision is None or precision >= 6:
        return ()
    step = 10 ** (6 - precision)

    def holds(value: Any) -> bool:
        count: int = value.microseconds if isinstance(value, timedelta) else value.microsecond
        return not count % step

    return (Constraint(holds, "too_precise", f"Send at most {precision} digits of a second."),)


def _date(kind: Any, location: str) -> WireType:
    return _textual(date, parsers.date_of, "a date")


def _bytes(kind: Any, location: str) -> WireType:
    rules = (length_at_most(kind.length, "byte"),) if kind.length is not None else ()
    return _textual(bytes, parsers.bytes_of, "base64", rules)


def _enum(kind: sa.Enum, location: str) -> WireType:
    choices = _choices(kind)
    names = ", ".join(list(choices)[:20]) + (", ..." if len(choices) > 20 else "")

    def parse(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise Violation("not_a_choice", f"Choose one of: {names}.") from None

    return _textual(kind.enum_class or enum.Enum, parse, "one of the choices")


def _choices(kind: sa.Enum) -> dict[str, Any]:
    if kind.enum_class is None:
        return {text: text for text in wire_values(kind).values()}
    members = cast("Sequence[enum.Enum]", list(kind.enum_class))
    shown = set(wire_values(kind).values())
    return {text: member for member in members if (text := str(member.value)) in shown}


def _json(bounds: Bounds, *, is_decorated: bool) -> WireType:
    read = partial(json_values.read, bounds=bounds)
    if is_decorated:  # the application's code computes with the values
        return WireType(
            dict, Any, natural, lambda node: natural(read(node)), lambda text: natural(json_values.text(text))
        )
    return WireType(dict, Any, None, read, json_values.text)


def _array(kind: Any, elements: Sequence[Any], location: str, *, bigint_as_string: bool, bounds: Bounds) -> WireType:
    if (kind.dimensions or 1) != 1:
        raise ConfigurationError(
            f"is an array of {kind.dimensions} dimensions.", location=location, hint="Use JSONB for nested lists."
        )
    item_type = wire_type_of(kind.item_type, location, bigint_as_string=bigint_as_string, bounds=bounds)
    item = field_type_of(item_type, elements, location)

    def read(node: Any) -> list[Any]:
        if not _is_list(node):
            raise _expected("a list", node)
        return _read_each(item.read, node)

    def text(value: str) -> list[Any]:
        return read(json_values.parse(value))

    convert = item.convert
    each: Callable[[Any], Any] | None = None if convert is None else lambda values: [convert(item) for item in values]
    return WireType(list, GenericAlias(list, item.wire), each, read, text, (length_at_most(bounds.items, "element"),))


def _is_list(node: Any) -> bool:
    return isinstance(node, list)


def _read_each(read: Callable[[Any], Any], values: list[Any]) -> list[Any]:
    """Every element; raises all violations, up to `VIOLATIONS_MAX`, as one."""
    found: list[Any] = []
    violations: list[Violation] = []
    for index, value in enumerate(values):
        try:
            found.append(read(value))
        except Violation as violation:
            violations.append(violation.below(str(index)))
            if len(violations) == VIOLATIONS_MAX:
                break
    if violations:
        first, *others = violations
        raise Violation(first.code, first.detail, first.pointer, others)
    return found


_BUILDERS: tuple[tuple[Any, Callable[[Any, str], WireType]], ...] = (
    (sa.Enum, _enum),
    (sa.String, _text),
    (sa.Boolean, _boolean),
    (sa.SmallInteger, _integer(16)),
    (sa.BigInteger, _integer(64)),
    (sa.Integer, _integer(32)),
    (sa.Float, _float),
    (sa.Numeric, _numeric),
    (sa.Uuid, _uuid),
    (sa.DateTime, _timestamp),
    (sa.Date, _date),
    (sa.Time, _time),
    ((sa.Interval, postgresql.INTERVAL), _interval),
    ((sa.LargeBinary, sa.BINARY, sa.VARBINARY), _bytes),
)
"""The first match counts: in SQLAlchemy an Enum is a String, and a BigInteger an Integer."""
