"""Shapes in request bodies: what msgspec decodes, how it becomes a Python value, and what is checked of it.

Compiled once per attribute when the app is built. A `WireType` is what the column type implies (`wire_type_of`), to
which bodies add the declared constraints (`field_type_of`). It holds two decoders of the same values: `wire` with
`convert` for the fast path, and `read` for the strict reader.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time
from functools import partial
from itertools import count
from types import GenericAlias
from typing import Annotated, Any, cast

import msgspec

from gatepost.dtos import json_values, parsers
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.strict_json import Number
from gatepost.dtos.value_checks import ValueCheck, native_meta, value_checks
from gatepost.dtos.violations import VIOLATIONS_MAX, Violation, raise_all, wrong_type
from gatepost.errors import ConfigurationError
from gatepost.exact_json import natural
from gatepost.models.constraints import Constraint
from gatepost.models.shape import PYTHON_TYPES, Form, Shape

INT64 = (Constraint("ge", -(2**63)), Constraint("le", 2**63 - 1))
"""The integers that can be bound, and so compared with a column."""

CHOICES_SHOWN = 20
"""Choices that a refusal names; further ones are counted."""


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


def field_type_of(
    shape: Shape, location: str, bounds: Bounds = BOUNDS, further: tuple[ValueCheck, ...] = ()
) -> WireType:
    """The wire type with the declaration's constraints, for bodies. Raises `ConfigurationError` where no body can hold
    the shape, or a constraint does not fit it. `further` checks come before those of the column type."""
    wire_type = wire_type_of(shape, location, bounds)
    if shape.misfits:
        python_type = PYTHON_TYPES[shape.form] if shape.python_type is str else shape.python_type
        raise ConfigurationError(
            f"{shape.misfits[0]!r} does not fit a column whose values are of type {python_type.__name__}.",
            location=location,
            hint=_misfit_hint(shape),
        )
    checks = (*value_checks(shape.constraints, shape), *further, *wire_type.checks)
    wire, left = wire_type.wire, checks
    if wire_type.convert is None and wire in (int, float, str) and (meta := native_meta(checks)) is not None:
        wire = Annotated[wire, meta]
        left = tuple(item for item in checks if not item.native)
    convert = guarded(wire_type.convert, left) if left else wire_type.convert
    return msgspec.structs.replace(wire_type, wire=wire, convert=convert, read=guarded(wire_type.read, checks))


def _misfit_hint(shape: Shape) -> str:
    if shape.unit is not None:
        return f"Bound its length in {shape.unit}s: Len(1, 200), MinLen(1) or MaxLen(200). Or take it out of Annotated."
    zone = " (timestamps need a time zone)" if shape.python_type in (datetime, time) else ""
    return f"Take it out of Annotated[...], or correct its bound{zone}."


def guarded(convert: Callable[[Any], Any] | None, checks: tuple[ValueCheck, ...]) -> Callable[[Any], Any]:
    """The conversion, followed by the checks of what it returns: the first that does not hold raises its
    `Violation`."""
    conditions = [(item.holds, item) for item in checks]

    def checked(value: Any) -> Any:
        result = value if convert is None else convert(value)
        for holds, item in conditions:
            if not holds(result):
                raise Violation(item.code, item.detail, params=item.params)
        return result

    return checked


def unless_null(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The conversion of what may be null, which stays."""

    def finish(value: Any) -> Any:
        return None if value is None else convert(value)

    return finish


def wire_type_of(shape: Shape, location: str, bounds: Bounds = BOUNDS) -> WireType:
    """The wire type of a shape; raises `ConfigurationError` where no body can hold it. `bounds` hold for JSON and
    arrays."""
    if shape.unsupported is not None:
        raise shape.unsupported.error(location)
    if shape.form is Form.ARRAY:
        return _array(shape, location, bounds)
    return _document(shape, bounds) if shape.form is Form.DOCUMENT else _WIRE_TYPES[shape.form](shape)


def noun_of(node: Any) -> str:
    """The word for a value's JSON type in a message; the value is one that `strict_json.read_json` returned."""
    nouns = {Number: "a number", str: "a text", bool: "true or false", list: "a list", dict: "an object"}
    return next((noun for kind, noun in nouns.items() if type(node) is kind), "null")


def _reader(
    kinds: tuple[type, ...], noun: str, parse: Callable[[Any], Any], expected: str | None = None
) -> Callable[[Any], Any]:
    """The `read` of a wire type whose values are of these types in JSON."""

    def read(node: Any) -> Any:
        if type(node) not in kinds:
            raise wrong_type(noun, noun_of(node), expected=expected)
        return parse(node)

    return read


def _textual(parse: Callable[[str], Any], noun: str, form: str) -> Callable[[Shape], WireType]:
    read = _reader((str,), noun, parse, form)
    return lambda shape: WireType(str, parse, read, parse, value_checks(shape.own, shape))


def _text(shape: Shape) -> WireType:
    # No `convert`: a body that may hold a NUL is read by the strict reader, and msgspec refuses lone surrogates.
    made = msgspec.structs.replace(_textual(parsers.text_of, "a text", "text")(shape), convert=None)
    return msgspec.structs.replace(made, checks=(*made.checks, _UNPADDED)) if shape.is_padded else made


_UNPADDED = ValueCheck(
    lambda text: not text.endswith(" "), "pattern_mismatch", "The column does not keep spaces at the end of a text."
)


def _boolean(shape: Shape) -> WireType:
    return WireType(bool, None, _reader((bool,), "true or false", bool, "boolean"), parsers.boolean_of)


def _integer(shape: Shape) -> WireType:
    checks = value_checks(shape.own, shape)
    read = _reader((Number, str) if shape.is_text else (Number,), "an integer", parsers.integer_of)
    text = guarded(parsers.integer_of, value_checks(INT64, shape))

    def convert(value: int | str) -> int:
        return parsers.integer_of(value) if isinstance(value, str) else value

    if shape.is_text:  # numbers are accepted as well
        return WireType(int | str, convert, read, text, checks)
    return WireType(int, None, read, text, checks)


def _float(shape: Shape) -> WireType:
    read = _reader((Number,), "a number", parsers.float_of)
    if not shape.is_single:
        return WireType(msgspec.Raw, parsers.raw_float, read, parsers.float_of)
    checks = (*value_checks(shape.own, shape), _SINGLE)
    return WireType(msgspec.Raw, parsers.raw_float, read, parsers.compared_single, checks)


_SINGLE = ValueCheck(
    parsers.is_single, "too_precise", "The number has more digits than the column keeps; it would have to be rounded."
)


def _decimal(shape: Shape) -> WireType:
    whole, scale = shape.digits or (parsers.DIGITS_MAX, parsers.DIGITS_MAX)
    read = _reader((Number, str), "a number", partial(parsers.decimal_of, whole=whole, scale=scale))
    convert = parsers.raw_decimal_reader(whole, scale)
    if shape.is_decorated and not shape.is_text:  # the application's code computes with floats
        return WireType(
            msgspec.Raw,
            lambda raw: natural(convert(raw)),
            lambda node: natural(read(node)),
            lambda text: natural(parsers.decimal_of(text)),
        )
    return WireType(msgspec.Raw, convert, read, parsers.decimal_of)


def _uuid(shape: Shape) -> WireType:
    def text(value: str) -> str:
        return str(parsers.uuid_of(value))

    return _textual(text if shape.python_type is str else parsers.uuid_of, "a UUID", "uuid")(shape)


def _enum(shape: Shape) -> WireType:
    shown = dict.fromkeys(text for _, text in shape.choices)
    members = cast("Iterable[Any]", shown if shape.python_type is str else shape.python_type)
    choices = {text: member for member in members if (text := str(getattr(member, "value", member))) in shown}
    named, more = list(choices)[:CHOICES_SHOWN], len(choices) - CHOICES_SHOWN
    detail = f"Choose one of: {', '.join(named)}" + (f", and {more} more." if more > 0 else ".")
    params = {"choices": named, **({"more": more} if more > 0 else {})}

    def parse(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise Violation("not_a_choice", detail, params=params) from None

    return _textual(parse, "one of the choices", "text")(shape)


def _document(shape: Shape, bounds: Bounds) -> WireType:
    read = partial(json_values.read, bounds=bounds)
    if shape.is_decorated:  # the application's code computes with the values
        return WireType(Any, natural, lambda node: natural(read(node)), lambda text: natural(json_values.text(text)))
    return WireType(Any, None, read, json_values.text)


def _array(shape: Shape, location: str, bounds: Bounds) -> WireType:
    item = field_type_of(cast("Shape", shape.items), location, bounds)

    read = _reader((list,), "a list", partial(read_each, item.read))

    def text(value: str) -> Any:
        return read(json_values.parse(value))

    convert = item.convert
    each: Callable[[Any], Any] | None = None if convert is None else lambda values: [convert(item) for item in values]
    checks = value_checks((Constraint("max_length", bounds.items),), shape)
    return WireType(GenericAlias(list, item.wire), each, read, text, checks)


def read_each(read: Callable[[Any], Any], values: Iterable[Any], names: Iterable[object] | None = None) -> list[Any]:
    """Every value of a list, or of an object with these names; raises all violations, up to `VIOLATIONS_MAX`, as
    one."""
    found: list[Any] = []
    violations: list[Violation] = []
    for name, value in zip(count() if names is None else names, values, strict=False):
        try:
            found.append(read(value))
        except Violation as violation:
            violations += violation.each_below(str(name))
            if len(violations) >= VIOLATIONS_MAX:
                break
    raise_all(violations[:VIOLATIONS_MAX])
    return found


_WIRE_TYPES: Mapping[Form, Callable[[Shape], WireType]] = {
    Form.BOOLEAN: _boolean,
    Form.INTEGER: _integer,
    Form.FLOAT: _float,
    Form.DECIMAL: _decimal,
    Form.TEXT: _text,
    Form.UUID: _uuid,
    Form.TIMESTAMP: _textual(parsers.timestamp_of, "a timestamp", "date-time"),
    Form.DATE: _textual(parsers.date_of, "a date", "date"),
    Form.TIME: _textual(parsers.time_of, "a time of day", "time"),
    Form.INTERVAL: _textual(parsers.interval_of, "an interval", "duration"),
    Form.BYTES: _textual(parsers.bytes_of, "base64", "base64"),
    Form.ENUM: _enum,
}
