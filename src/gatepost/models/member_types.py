"""Whether the annotated type of a DTO's member is that of the column or expression that it shows.

Outside the request path. The type of a column is what the model's own annotation says, or what its values are in
Python; a document, and what a type of the user's own makes, may be annotated as anything.
"""

import enum
import types
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from gatepost.errors import ConfigurationError
from gatepost.models.annotations import Annotations
from gatepost.models.entity import Attribute
from gatepost.models.shape import Form, Shape

_LISTS = (list, tuple, set, frozenset, Sequence, Collection)
_UNIONS = (Union, types.UnionType)
_ANYTHING = (Any, object)


def optional_of(annotation: Any) -> tuple[Any, bool]:
    """The annotated type without metadata and without None, and whether it may be None."""
    plain = plain_annotation(annotation)
    if get_origin(plain) not in _UNIONS:
        return plain, plain is type(None)
    parts = [part for part in get_args(plain) if part is not type(None)]
    may_be_none = len(parts) < len(get_args(plain))
    return (parts[0] if len(parts) == 1 else Union[tuple(parts)]), may_be_none  # noqa: UP007 - made of values


def plain_annotation(annotation: Any) -> Any:
    """The type without what `Annotated` adds, at any depth, and with the types that aliases stand for."""
    if (alias := getattr(annotation, "__value__", None)) is not None and not isinstance(annotation, type):
        return plain_annotation(alias)
    if (supertype := getattr(annotation, "__supertype__", None)) is not None:
        return plain_annotation(supertype)
    origin = get_origin(annotation)
    if origin is None or origin is Literal:
        return annotation
    if origin is Annotated:
        return plain_annotation(get_args(annotation)[0])
    parts = tuple(plain_annotation(part) for part in get_args(annotation))
    return Union[parts] if origin in _UNIONS else origin[parts]  # noqa: UP007 - made of values


def check_column_type(annotation: Any, attribute: Attribute, model: type[Any], location: str) -> None:
    """Raise `ConfigurationError` where a member's type is not that of the column, also in whether it may be null."""
    kind, may_be_none = optional_of(annotation)
    expected = None if attribute.is_expression else declared_type(model, attribute.name)
    is_own = attribute.shape.is_decorated and expected is not None  # what it makes is known by its annotation alone
    name = f"{model.__name__}.{attribute.name}"
    wanted = shown_type(attribute.shape.python_type if expected is None else expected)
    if kind not in (*_ANYTHING, expected) and (is_own or not agrees(kind, attribute.shape)):
        raise _disagreement(location, name, wanted, shown_type(annotation), may_be_null=attribute.nullable)
    if kind in _ANYTHING or attribute.is_expression:
        return
    if attribute.nullable and not may_be_none:
        raise ConfigurationError(
            f"is {shown_type(annotation)}, and {name} may be null.", location=location, hint=f"Write {wanted} | None."
        )
    if may_be_none and not attribute.nullable:
        raise ConfigurationError(
            f"may be None, and {name} is never null.", location=location, hint=f"Write {shown_type(kind)}."
        )


def declared_type(model: type[Any], name: str) -> Any:
    """What the model's annotation says; None where it says nothing, or a type that SQLAlchemy fills in."""
    annotation = Annotations(model).kind_of(name)
    found = None if annotation is None else optional_of(annotation)[0]
    return None if isinstance(found, TypeVar) else found


def check_expression_type(annotation: Any, shape: Shape, location: str) -> None:
    """Raise `ConfigurationError` where a member's type is not that of its expression. Whether one may be null is not
    known."""
    kind, _ = optional_of(annotation)
    if kind not in _ANYTHING and not agrees(kind, shape):
        raise _disagreement(
            location, "the expression", shown_type(shape.python_type), shown_type(annotation), may_be_null=False
        )


def agrees(kind: Any, shape: Shape) -> bool:
    """Whether values of this shape are of an annotated type."""
    if kind in _ANYTHING or shape.is_decorated or shape.form in (Form.DOCUMENT, Form.OTHER):
        return True
    if get_origin(kind) is Literal:
        return all(isinstance(value, shape.python_type) for value in get_args(kind))
    if shape.form is Form.ARRAY:
        arguments = get_args(kind)
        is_list = (get_origin(kind) or kind) in _LISTS
        return is_list and (not arguments or shape.items is None or agrees(optional_of(arguments[0])[0], shape.items))
    if shape.form is Form.ENUM and isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind is shape.python_type
    if shape.form is Form.DECIMAL and kind is float:
        return not shape.is_text
    return kind is shape.python_type


def shown_type(kind: Any) -> str:
    """A type as it is written."""
    if get_origin(kind) is Annotated:
        return shown_type(get_args(kind)[0])
    return kind.__name__ if isinstance(kind, type) and not get_args(kind) else str(kind).replace("typing.", "")


def _disagreement(location: str, what: str, wanted: str, given: str, *, may_be_null: bool) -> ConfigurationError:
    wanted += " | None" * may_be_null
    return ConfigurationError(
        f"is declared as {given}, and {what} is {wanted}.", location=location, hint=f"Write {wanted}."
    )
