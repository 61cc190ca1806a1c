"""One value from text: query parameters, cursors and path keys, in the same forms as in bodies.

Callers decide which fields may be named, and what a refusal becomes (400 for a filter, 404 for a key).
"""

from collections.abc import Callable
from typing import Any

from gatepost.dtos.json_input import guarded, wire_type_of
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form


def compile_scalar(attribute: Attribute, *, stored: bool = False) -> Callable[[str], Any]:
    """A parser of this attribute's values; it raises `ValueError` (a `Violation`) with a sentence.

    By default a value only has to be comparable with the column: `price[gte]=1.2449` means something to a column of
    two digits, `stock[lt]=3000000000` to an int4 column (bind integers as bigint, numerics without precision). With
    `stored=True` it must be a value that the column can hold, as a key has to. Constraints of the declaration do not
    apply. JSON and array columns read JSON text.
    """
    wire_type = wire_type_of(attribute.shape.unconstrained, attribute.name)
    if not stored:
        return wire_type.text
    if attribute.shape.form is Form.DECIMAL:
        return wire_type.read
    return guarded(wire_type.text, wire_type.checks) if wire_type.checks else wire_type.text
