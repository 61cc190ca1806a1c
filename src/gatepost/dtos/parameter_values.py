"""Values of an endpoint's parameters that arrive as text: query parameters, segments of the path, headers, cookies.

Compiled once per parameter from its annotation: a scalar is read as a column of the same type is, with the constraints
of annotated-types that are declared. What a text cannot be raises `ValueError` with a sentence.
"""

from collections.abc import Callable
from enum import EnumType
from typing import Annotated, Any, Literal, get_args, get_origin

from gatepost.dtos.json_input import field_type_of, guarded
from gatepost.dtos.structured_json import column_type_of, non_null
from gatepost.dtos.value_checks import value_checks
from gatepost.dtos.violations import Violation
from gatepost.models.shape import shape_of

ReadText = Callable[[str], Any]
"""From the text of a parameter to its value; raises `ValueError` with a sentence."""


def text_reader(annotation: Any, location: str) -> ReadText | None:
    """The reader of a scalar's text; None where the annotation is no scalar. Raises `ConfigurationError` for
    constraints that do not fit."""
    plain, metadata = without_metadata(annotation)
    inner = non_null(get_origin(plain), get_args(plain))
    if inner is not None:
        return text_reader(Annotated[inner, *metadata] if metadata else inner, location)
    kind = column_type_of(plain)
    if kind is not None:
        shape = shape_of(kind, metadata)
        wire_type = field_type_of(shape, location)
        return guarded(wire_type.text, (*value_checks(shape.constraints, shape), *wire_type.checks))
    is_choice = isinstance(plain, EnumType) or get_origin(plain) is Literal
    return _choice_reader(plain) if is_choice else None


def without_metadata(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """What `Annotated` annotates, and with what."""
    metadata: tuple[Any, ...] = ()
    while get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        metadata = (*metadata, *more)
    return annotation, metadata


def _choice_reader(annotation: Any) -> ReadText:
    """The reader of an Enum whose values are not all texts, or of a Literal."""
    choices: list[Any] = list(annotation) if isinstance(annotation, EnumType) else [*get_args(annotation)]
    values = {str(getattr(choice, "value", choice)): choice for choice in choices}

    def read(text: str) -> Any:
        try:
            return values[text]
        except KeyError:
            raise Violation("not_a_choice", f"Choose one of: {', '.join(values)}.") from None

    return read
