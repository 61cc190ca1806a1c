"""Values that a declaration gives to a column itself: discriminators and defaults, which no body is checked for.

Outside the request path. PostgreSQL or its driver would refuse such a value with every creation, and the client would
be blamed, or PostgreSQL would round it. Only what is certainly wrong is refused.
"""

from decimal import Decimal
from typing import Any

from gatepost.models.shape import Form, Shape

_STRICT = (Form.INTEGER, Form.BOOLEAN, Form.DATE, Form.TIMESTAMP, Form.TIME, Form.INTERVAL)
"""Forms whose values are never texts in Python."""


def check_value(value: Any, shape: Shape) -> None:
    """Raise `ValueError` for a value that a column of this shape cannot hold as it is."""
    if value is None or shape.is_decorated:
        return
    is_text = isinstance(value, str)
    if (shape.form in _STRICT and is_text) or (shape.form is Form.TEXT and not is_text):
        raise ValueError(f"it is of type {type(value).__name__}.")
    if shape.form is Form.ENUM and shape.python_type is str and value not in dict(shape.choices):
        raise ValueError("it is none of the choices.")
    if shape.form is Form.DECIMAL and not is_text:
        _check_digits(Decimal(str(value)), shape.digits)
    for bound in shape.own:
        if bound.name == "max_length" and len(value) > bound.value:
            raise ValueError(f"it is longer than {bound.value}.")
        if (bound.name == "ge" and value < bound.value) or (bound.name == "le" and value > bound.value):
            raise ValueError("it is out of range.")


def _check_digits(value: Decimal, digits: tuple[int, int] | None) -> None:
    if digits is None or not value.is_finite():
        return
    before, after = digits
    if abs(value) >= Decimal(10) ** before:
        raise ValueError("it is out of range.")
    if value != round(value, after):
        raise ValueError("it would be rounded.")
