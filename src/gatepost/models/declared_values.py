"""Values that a declaration gives to a column itself: discriminators and defaults, which no body is checked for.

Outside the request path, but for errors: there it finds the value that PostgreSQL refused. PostgreSQL or its driver
would refuse such a value with every creation, or PostgreSQL would round it. Only what is certainly wrong is refused.
"""

from collections.abc import Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from gatepost.exact_json import encode
from gatepost.models.shape import Form, Shape

_STRICT = (Form.INTEGER, Form.BOOLEAN, Form.FLOAT, Form.BYTES)
"""Forms whose values are never texts in Python, besides those of `_CLASSES`."""

_CLASSES: Mapping[Form, type] = {Form.DATE: date, Form.TIMESTAMP: date, Form.TIME: time, Form.INTERVAL: timedelta}
"""The driver takes a date for its midnight."""


def check_value(value: Any, shape: Shape) -> None:
    """Raise `ValueError` for a value that a column of this shape cannot hold as it is."""
    if value is None or shape.is_decorated or shape.structure is not None:
        return
    is_text = isinstance(value, str)
    if (shape.form in _STRICT and is_text) or (shape.form is Form.TEXT and not is_text):
        raise ValueError(f"it is of type {type(value).__name__}.")
    if shape.form in _CLASSES and not isinstance(value, _CLASSES[shape.form]):
        raise ValueError(f"it is of type {type(value).__name__}.")
    if shape.form is Form.INTEGER and value != int(value):
        raise ValueError("it would be rounded.")
    if shape.form is Form.UUID:
        _check_uuid(value, shape)
    if shape.form is Form.DOCUMENT:
        _check_document(value)
    if shape.form is Form.ARRAY and shape.items is not None:
        _check_items(value, shape.items)
    if shape.form is Form.ENUM and shape.python_type is str and value not in dict(shape.choices):
        raise ValueError("it is not one of the choices.")
    if shape.form is Form.DECIMAL and not is_text:
        _check_digits(Decimal(str(value)), shape.digits)
    for bound in shape.own:
        if bound.name == "max_length" and len(value) > bound.value:
            raise ValueError(f"it is longer than {bound.value}.")
        if (bound.name == "ge" and value < bound.value) or (bound.name == "le" and value > bound.value):
            raise ValueError("it is out of range.")


def _check_uuid(value: Any, shape: Shape) -> None:
    if not isinstance(value, str) and (shape.python_type is str or not isinstance(value, UUID)):
        raise ValueError(f"it is of type {type(value).__name__}.")
    try:
        UUID(str(value))
    except ValueError:
        raise ValueError("it is not a UUID.") from None


def _check_document(value: Any) -> None:
    try:
        encode(value)
    except TypeError as error:
        raise ValueError(f"JSON has no such value ({error}).") from None
    except ValueError:
        raise ValueError("JSON has no NaN and no infinity.") from None


def _check_items(value: Any, items: Shape) -> None:
    is_list = isinstance(value, list | tuple)
    if not is_list:
        raise ValueError(f"it is of type {type(value).__name__}, not a list.")
    for item in cast("Iterable[Any]", value):
        if not isinstance(item, list | tuple):  # of an array of more dimensions
            check_value(item, items)


def _check_digits(value: Decimal, digits: tuple[int, int] | None) -> None:
    if digits is None or not value.is_finite():
        return
    before, after = digits
    if abs(value) >= Decimal(10) ** before:
        raise ValueError("it is out of range.")
    if value != round(value, after):
        raise ValueError("it would be rounded.")
