"""Bodies of own endpoints: a Struct, a dataclass or a pydantic model, as the endpoint's signature says.

Read as documents with a form are (`structured_json.py`): strict JSON, exact numbers, constraints of annotated-types in
all kinds of classes, and every violation with its pointer.
"""

from collections.abc import Callable, Sequence
from typing import Any

from gatepost.dtos import json_values
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.strict_json import read_json
from gatepost.dtos.structured_json import has_members, reader_of
from gatepost.dtos.violations import Violation
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.json_of import is_pydantic

ReadBody = Callable[[bytes], Any]
"""From the bytes of a body to the value of a parameter. Raises `BadRequest("malformed_json")`, `Unprocessable`."""


def is_structure(annotation: Any) -> bool:
    """Whether an annotation is a class whose members are those of a JSON object."""
    return is_pydantic(annotation) or has_members(annotation)


def compile_structured_body(annotation: Any, location: str, bounds: Bounds) -> ReadBody:
    """The reader of bodies that are instances of a class. Raises `ConfigurationError` for what no body can hold."""
    read = reader_of(annotation, location)

    def read_body(body: bytes) -> Any:
        node = read_json(body)
        try:
            return read(json_values.read(node, bounds))
        except Violation as violation:
            raise refused_body([violation, *violation.others]) from None

    return read_body


def refused_body(violations: Sequence[Violation]) -> Unprocessable:
    """The refusal of a body with these violations."""
    errors = sorted(FieldError(item.pointer, item.code, item.detail) for item in violations)
    count = "one violation" if len(errors) == 1 else f"{len(errors)} violations"
    return Unprocessable("invalid_body", f"The body has {count}; see errors.", errors=errors)
