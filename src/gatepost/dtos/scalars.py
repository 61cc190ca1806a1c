"""One value from text: query parameters, cursors and path keys, in the same forms as in bodies.

Callers decide which fields may be named, and what a refusal becomes (400 for a filter, 404 for a key).
"""

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any, cast

from gatepost.dtos.json_input import guarded, wire_type_of
from gatepost.dtos.parsers import compared_single, decimal_of, float_of, long_decimal, text_of
from gatepost.dtos.unknown_labels import UnknownLabel
from gatepost.dtos.violations import Violation
from gatepost.models.entity import Attribute
from gatepost.models.shape import OUT_OF_RANGE, Form, Shape


def compile_scalar(attribute: Attribute, *, stored: bool = False) -> Callable[[str], Any]:
    """A parser of this attribute's values; it raises `ValueError` (a `Violation`) with a sentence.

    By default a value only has to be comparable with the column: `price[gte]=1.2449` means something to a column of
    two digits, `stock[lt]=3000000000` to an int4 column (bind integers as bigint, numerics without precision). With
    `stored=True` it must be a value that the column can hold, as a key has to. Constraints of the declaration do not
    apply. JSON and array columns read JSON text. What a column may hold and no body can, such as NaN, is read from the
    text by which responses show it.
    """
    return _parser(attribute.shape, attribute.name, stored=stored)


def compile_element(attribute: Attribute) -> Callable[[str], Any]:
    """A parser of the elements of an array: values that it can hold."""
    return _parser(cast("Shape", attribute.shape.items), attribute.name, stored=True)


def json_values_of(text: str) -> list[Any]:
    """The JSON values that a text stands for where no type is declared: the string itself, and the number or the
    boolean that is written like this. No text stands for null."""
    found: list[Any] = [text_of(text)]
    if text in ("true", "false"):
        found.append(text == "true")
    else:
        with suppress(ValueError):
            found.append(decimal_of(text))
    return found


def _parser(shape: Shape, location: str, *, stored: bool) -> Callable[[str], Any]:
    wire_type = wire_type_of(shape.unconstrained, location)
    parse = wire_type.text
    if stored and shape.is_single:
        parse = _single(guarded(float_of, wire_type.checks))
    elif stored:
        parse = wire_type.read if shape.form is Form.DECIMAL else guarded(parse, wire_type.checks)
    return _or_beyond(parse, shape, stored=stored)


def _single(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of numbers that pass, as a single-precision column stores them."""

    def parse(text: str) -> float:
        check(text)
        return compared_single(text)

    return parse


def _or_beyond(parse: Callable[[str], Any], shape: Shape, *, stored: bool) -> Callable[[str], Any]:
    """A parser that reads the values beyond those of bodies as well."""
    beyond: Callable[[str], Any]
    if shape.has_labels and not stored:
        stored_labels = {label for label, _ in shape.choices}  # of which clients know others
        beyond = lambda text: None if text in stored_labels else UnknownLabel.parse(text)  # noqa: E731
    elif shape.form in OUT_OF_RANGE:
        beyond = OUT_OF_RANGE[shape.form].parse
    elif shape.form is Form.FLOAT:
        beyond = {text: float(text) for text in shape.not_finite}.get
    elif shape.form is Form.DECIMAL:
        named = {text: Decimal(text) for text in shape.not_finite}
        beyond = named.get if shape.digits else lambda text: named.get(text) or long_decimal(text)
    else:
        return parse

    def either(text: str) -> Any:
        try:
            return parse(text)
        except Violation as violation:
            found = beyond(text)
            if found is None:
                raise
            if isinstance(found, UnknownLabel):
                found.violation = violation
            return found

    return either
