"""Types as source: what an attribute of a model is annotated with, as another module writes it."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from gatepost.ejection.module_source import Names
from gatepost.models.entity import Attribute
from gatepost.models.member_types import declared_type
from gatepost.models.shape import Form, Shape

_UNIONS = (Union, types.UnionType)

_ARGUMENTS = {dict: "str, {}", list: "{}", set: "{}", frozenset: "{}", tuple: "{}, ..."}
"""What strict type checkers want behind these classes."""


def type_of(model: type[Any], attribute: Attribute, names: Names) -> str:
    """The type of an attribute, without the constraints, which the model has; with None where it may be null."""
    declared = None if attribute.is_expression else declared_type(model, attribute.name)
    if attribute.shape.is_decorated and declared in _ARGUMENTS:
        declared = Any  # it says less than a type checker wants, and another type would not be the model's
    written = _of_shape(attribute.shape, names) if declared is None else type_source(declared, names)
    is_any = written in ("Any", "TypingAny")
    return f"{written} | None" if attribute.nullable and not is_any else written


def type_source(kind: Any, names: Names) -> str:
    """A type as it is written."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return type_source(arguments[0], names)
    if origin is Literal:
        return f"{names.of('typing', 'Literal')}[{', '.join(map(repr, arguments))}]"
    if origin in _UNIONS:
        return " | ".join(type_source(each, names) for each in arguments)
    if origin is not None and arguments:
        inner = ", ".join("..." if each is Ellipsis else type_source(each, names) for each in arguments)
        return f"{names.of_class(origin)}[{inner}]"
    return "None" if kind in (None, type(None)) else _of_class(kind, names)


def _of_class(kind: Any, names: Names) -> str:
    if kind is object or not isinstance(kind, type):  # Any, and type variables
        return names.of("typing", "Any")
    if kind in _ARGUMENTS:
        return f"{kind.__name__}[{_ARGUMENTS[kind].format(names.of('typing', 'Any'))}]"
    return names.of_class(kind)


def _of_shape(shape: Shape, names: Names) -> str:
    """The type of the values that a shape has, where no annotation says it."""
    if shape.form is Form.ARRAY and shape.items is not None and not shape.is_decorated:
        item = _of_shape(shape.items, names)
        return f"list[{item}]"
    if shape.is_decorated or shape.form in (Form.DOCUMENT, Form.OTHER, Form.ARRAY):
        return names.of("typing", "Any")
    return type_source(shape.python_type, names)
