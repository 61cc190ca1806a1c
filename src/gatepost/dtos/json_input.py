"""Shapes in request bodies: what msgspec decodes, how it becomes a Python value, and what is checked of it.

Compiled once per attribute when the app is built. `WireType` is what the column type implies; `FieldType` adds the
declared constraints. Both hold two decoders of the same values: `wire` with `convert` for the fast path, and `read` for
the strict reader.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from types import GenericAlias
from typing import Annotated, Any, cast

import msgspec

from gatepost.dtos import json_values, parsers
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.strict_json import Number
from gatepost.dtos.value_checks import ValueCheck, check, native_meta, value_checks
from gatepost.dtos.violations import Violation
from gatepost.errors import ConfigurationError
from gatepost.exact_json import natural
from gatepost.models.constraints import Constraint
from gatepost.models.shape import PYTHON_TYPES, REAL_MAX, Form, Shape

VIOLATIONS_MAX = 100
"""Violations reported per list: the response to a hostile body must not be larger than the body."""


class WireType(msgspec.Struct, frozen=True):
    """The values that a column can hold.

    msgspec decodes `wire`, and `convert` makes the Python value from it (None where it is one already). `read` makes
    the same value from one of `strict_json.read_json`, `text` from a query parameter or path segment. `checks` are the
    column's own. All of them raise `Violation` only.
    """

    wire: Any
    convert: Callable[[Any], Any] | None
    read: Callable[[Any], Any]
    text: Callable[[str], Any]
    checks: tuple[ValueCheck, ...] = ()


class FieldType(msgspec.Struct, frozen=True):
    """A wire type with the declaration's constraints: `wire` and `convert` are the fast path, `read` is for the strict
    reader."""

    wire: Any
    convert: Callable[[Any], Any] | None
    read: Callable[[Any], Any]


def field_type_of(
    shape: Shape, location: str, bounds: Bounds = BOUNDS, further: tuple[ValueCheck, ...] = ()
) -> FieldType:
    """Compile; raises `ConfigurationError` where no body can hold the shape, or a constraint does not fit it. `further`
    checks come before those of the column type."""
    wire_type = wire_type_of(shape, location, bounds)
    if shape.misfits:
        python_type = PYTHON_TYPES[shape.form] if shape.python_type is str else shape.python_type
        raise ConfigurationError(
            f"{shape.misfits[0]!r} does not fit a column whose values are of type {python_type.__name__}.",
            location=location,
            hint="Take it out of Annotated[...], or correct its bound (timestamps need a time zone).",
        )
    checks = (*value_checks(shape.constraints, shape), *further, *wire_type.checks)
    wire, left = wire_type.wire, checks
    if wire_type.convert is None and wire in (int, float, str) and (meta := native_meta(checks)) is not None:
        wire = Annotated[wire, meta]
        left = tuple(item for item in checks if not item.native)
    convert = wire_type.convert
    return FieldType(wire, _guarded(convert, left) if left else convert, _guarded(wire_type.read, checks))


def _guarded(convert: Callable[[Any], Any] | None, checks: tuple[ValueCheck, ...]) -> Callable[[Any], Any]:
    # Written out instead of calling `check`: this runs for every such field of every body.
    conditions = [(item.holds, item.code, item.detail) for item in checks]

    def guarded(value: Any) -> Any:
        result = value if convert is None else convert(value)
        for holds, code, detail in conditions:
            if not holds(result):
                raise Violation(code, detail)
        return result

    return guarded


def wire_type_of(shape: Shape, location: str, bounds: Bounds = BOUNDS) -> WireType:
    """The wire type of a shape; raises `ConfigurationError` where no body can hold it. `bounds` hold for JSON and
    arrays."""
    if shape.unsupported is not None:
        raise ConfigurationError(shape.unsupported.problem, location=location, hint=shape.unsupported.hint)
    if shape.form is Form.ARRAY:
        return _array(shape, location, bounds)
    return _document(shape, bounds) if shape.form is Form.DOCUMENT else _WIRE_TYPES[shape.form](shape)


def _expected(noun: str, found: Any) -> Violation:
    return Violation("wrong_type", f"Send {noun}, not {_kind_of(found)}.")


def _kind_of(node: Any) -> str:
    nouns = {Number: "a number", str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    return next((noun for kind, noun in nouns.items() if type(node) is kind), "null")


def _textual(parse: Callable[[str], Any], noun: str) -> Callable[[Shape], WireType]:
    def read(node: Any) -> Any:
        if type(node) is not str:
            raise _expected(noun, node)
        return parse(node)

    return lambda shape: WireType(str, parse, read, parse, value_checks(shape.own, shape))


def _text(shape: Shape) -> WireType:
    def read(node: Any) -> str:
        if type(node) is not str:
            raise _expected("a text", node)
        return parsers.text_of(node)

    # No `convert`: a body that may hold a NUL is read by the strict reader, and msgspec refuses lone surrogates.
    return WireType(str, None, read, parsers.text_of, value_checks(shape.own, shape))


def _boolean(shape: Shape) -> WireType:
    def read(node: Any) -> bool:
        if not isinstance(node, bool):
            raise _expected("true or false", node)
        return node

    return WireType(bool, None, read, parsers.boolean_of)


def _integer(shape: Shape) -> WireType:
    comparable = value_checks((Constraint("ge", -(2**63)), Constraint("le", 2**63 - 1)), shape)
    checks = value_checks(shape.own, shape)

    def read(node: Any) -> int:
        if not isinstance(node, Number) and not (shape.is_text and type(node) is str):
            raise _expected("an integer", node)
        return parsers.integer_of(node)

    def text(value: str) -> int:
        number = parsers.integer_of(value)
        check(number, comparable)
        return number

    def convert(value: int | str) -> int:
        return parsers.integer_of(value) if isinstance(value, str) else value

    if shape.is_text:  # numbers are accepted as well
        return WireType(int | str, convert, read, text, checks)
    return WireType(int, None, read, text, checks)


def _float(shape: Shape) -> WireType:
    def read(node: Any) -> float:
        if not isinstance(node, Number):
            raise _expected("a number", node)
        return parsers.float_of(node)

    text = _single_of if shape.own else parsers.float_of
    return WireType(msgspec.Raw, parsers.raw_float, read, text, value_checks(shape.own, shape))


def _single_of(text: str) -> float:
    """A number to compare with a single-precision column: beyond its range every number is infinite."""
    found = parsers.float_of(text)
    return math.copysign(math.inf, found) if abs(found) > REAL_MAX else found


def _decimal(shape: Shape) -> WireType:
    whole, scale = shape.digits or (parsers.DIGITS_MAX, parsers.DIGITS_MAX)
    parse = parsers.decimal_reader(whole, scale)

    def read(node: Any) -> Decimal:
        if not isinstance(node, str):
            raise _expected("a number", node)
        return parse(node)

    return WireType(msgspec.Raw, parsers.raw_decimal_reader(whole, scale), read, parsers.decimal_of)


def _uuid(shape: Shape) -> WireType:
    def text(value: str) -> str:
        return str(parsers.uuid_of(value))

    return _textual(text if shape.python_type is str else parsers.uuid_of, "a UUID")(shape)


def _enum(shape: Shape) -> WireType:
    shown = dict.fromkeys(text for _, text in shape.choices)
    members = cast("Iterable[Any]", shown if shape.python_type is str else shape.python_type)
    choices = {text: member for member in members if (text := str(getattr(member, "value", member))) in shown}
    names = ", ".join(list(choices)[:20]) + (", ..." if len(choices) > 20 else "")

    def parse(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise Violation("not_a_choice", f"Choose one of: {names}.") from None

    return _textual(parse, "one of the choices")(shape)


def _document(shape: Shape, bounds: Bounds) -> WireType:
    read = partial(json_values.read, bounds=bounds)
    if shape.is_decorated:  # the application's code computes with the values
        return WireType(Any, natural, lambda node: natural(read(node)), lambda text: natural(json_values.text(text)))
    return WireType(Any, None, read, json_values.text)


def _array(shape: Shape, location: str, bounds: Bounds) -> WireType:
    item = field_type_of(cast("Shape", shape.items), location, bounds)

    def read(node: Any) -> list[Any]:
        if not _is_list(node):
            raise _expected("a list", node)
        return _read_each(item.read, node)

    def text(value: str) -> list[Any]:
        return read(json_values.parse(value))

    convert = item.convert
    each: Callable[[Any], Any] | None = None if convert is None else lambda values: [convert(item) for item in values]
    checks = value_checks((Constraint("max_length", bounds.items),), shape)
    return WireType(GenericAlias(list, item.wire), each, read, text, checks)


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


_WIRE_TYPES: Mapping[Form, Callable[[Shape], WireType]] = {
    Form.BOOLEAN: _boolean,
    Form.INTEGER: _integer,
    Form.FLOAT: _float,
    Form.DECIMAL: _decimal,
    Form.TEXT: _text,
    Form.UUID: _uuid,
    Form.TIMESTAMP: _textual(parsers.timestamp_of, "a timestamp"),
    Form.DATE: _textual(parsers.date_of, "a date"),
    Form.TIME: _textual(parsers.time_of, "a time of day"),
    Form.INTERVAL: _textual(parsers.interval_of, "an interval"),
    Form.BYTES: _textual(parsers.bytes_of, "base64"),
    Form.ENUM: _enum,
}
