"""Values of an endpoint's parameters that arrive as text: query parameters, segments of the path, headers, cookies.

Compiled once per parameter from its annotation: a scalar is read as a column of the same type is, with the constraints
of annotated-types that are declared. What a text cannot be raises `ValueError` with a sentence.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import EnumType
from typing import Any, Literal, cast, get_args, get_origin

from gatepost.dtos.json_input import field_type_of, guarded, read_each
from gatepost.dtos.structured_json import LISTS, column_type_of
from gatepost.dtos.structured_members import Member, alternatives_of, members_of, pydantic_members, without_metadata
from gatepost.dtos.structured_objects import made
from gatepost.dtos.value_checks import value_checks
from gatepost.dtos.violations import Violation
from gatepost.errors import ConfigurationError
from gatepost.models.annotations import UNREADABLE
from gatepost.models.constraints import declared_constraints
from gatepost.models.shape import Form, Shape, shape_of
from gatepost.pydantic_models import is_pydantic

ReadText = Callable[[str], Any]
"""From the text of a parameter to its value; raises `ValueError` with a sentence."""

ReadTexts = Callable[[Sequence[str]], Any]
"""From the texts of a parameter, one for each time that it is given, to its value; raises `ValueError`."""


def text_reader(annotation: Any, location: str) -> ReadText | None:
    """The reader of a scalar's text; None where the annotation is no scalar. Raises `ConfigurationError` for
    constraints that do not fit."""
    plain, metadata = _non_null(annotation)
    if isinstance(plain, EnumType) and not [*plain]:
        return None  # nothing could be chosen
    kind = column_type_of(plain)
    if kind is not None:
        shape = shape_of(kind, metadata)
        wire_type = field_type_of(shape, location)
        return guarded(wire_type.text, (*value_checks(shape.constraints, shape), *wire_type.checks))
    is_choice = isinstance(plain, EnumType) or get_origin(plain) is Literal
    return _choice_reader(plain) if is_choice else None


def texts_reader(annotation: Any, location: str) -> ReadTexts | None:
    """The reader of a parameter that is a scalar, given once, or a list of scalars, given any number of times; None
    where the annotation is neither. Raises `ConfigurationError` for constraints that do not fit."""
    plain, metadata = _non_null(annotation)
    origin, arguments = get_origin(plain), get_args(plain)
    if origin not in LISTS or len([item for item in arguments if item is not ...]) != 1:
        read_one = text_reader(annotation, location)
        return None if read_one is None else lambda texts: read_one(_only(texts))
    read = text_reader(arguments[0], location)
    if read is None:
        return None
    collect = LISTS[origin]
    constraints = [item for _, item in declared_constraints(metadata)]
    return guarded(lambda texts: collect(read_each(read, texts)), value_checks(constraints, Shape(Form.ARRAY)))


def parameters_of_class(kind: Any, location: str) -> Sequence[Member]:
    """The members of a class, as query parameters. Raises `ConfigurationError` where they cannot be read."""
    if is_pydantic(kind):
        return [member._replace(name=member.key) for member in pydantic_members(kind)]
    try:
        return members_of(kind)
    except UNREADABLE as error:
        raise ConfigurationError(
            f"has annotations that cannot be read: {error}.",
            location=location,
            hint="Import the name at run time: outside of `if TYPE_CHECKING:`, at the top of the module.",
        ) from None


def make_parameters(kind: Any, values: Mapping[str, Any]) -> Any:
    """The instance of a class of query parameters. Raises `Violation`."""
    return made(kind, values, **values)


def value_type(annotation: Any) -> Any:
    """The type of a parameter's values, without null and constraints."""
    return _non_null(annotation)[0]


def _non_null(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """What an annotation admits besides null, and its metadata."""
    plain, metadata = without_metadata(annotation)
    types = [item for item in alternatives_of(plain) if item is not type(None)]
    if types == [plain] or len(types) != 1:
        return plain, metadata
    inner, more = _non_null(types[0])
    return inner, (*more, *metadata)


def _only(texts: Sequence[str]) -> str:
    if len(texts) > 1:
        raise ValueError("It is given more than once.")
    return texts[0]


def _choice_reader(annotation: Any) -> ReadText:
    """The reader of an Enum whose values are not all texts, or of a Literal."""
    choices: list[Any] = list(cast("Any", annotation)) if isinstance(annotation, EnumType) else [*get_args(annotation)]
    values = {str(getattr(choice, "value", choice)): choice for choice in choices}

    def read(text: str) -> Any:
        try:
            return values[text]
        except KeyError:
            raise Violation(
                "not_a_choice", f"Choose one of: {', '.join(values)}.", params={"choices": [*values]}
            ) from None

    return read
