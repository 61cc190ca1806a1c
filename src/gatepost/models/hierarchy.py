"""Single-table inheritance: which rows of a table are of which class.

Outside the request path: read when the app is built. `class_policies.py` says under which policies the rows are.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import Column
from sqlalchemy.orm import Mapper

from gatepost.declaring.policies import OneOf
from gatepost.errors import ConfigurationError
from gatepost.models.declared_values import check_value
from gatepost.models.literals import literal_of
from gatepost.models.shape import shape_of


class Discriminator(msgspec.Struct, frozen=True, eq=False):
    """The attribute whose column says of which class a row is, and its value in the rows of one class: None where the
    class has no value of its own. `is_creatable` says whether rows of the class itself can be made."""

    name: str
    identity: Any
    is_creatable: bool


def discriminator_of(mapper: "Mapper[Any]") -> Discriminator | None:
    """The discriminator of a class that `mapper_of` has admitted; None for a class outside of hierarchies."""
    column = mapper.polymorphic_on
    if not isinstance(column, Column):
        return None
    for value, model in identities_of(mapper).items():
        _check_identity(value, model, column)
    identity: Any = mapper.polymorphic_identity
    is_filled = column.nullable or column.default is not None or column.server_default is not None
    is_creatable = identity is not None or (is_filled and not mapper.polymorphic_abstract)
    return Discriminator(mapper.get_property_by_column(column).key, identity, is_creatable)


def scope_of(mapper: "Mapper[Any]", discriminator: Discriminator | None) -> OneOf | None:
    """Which rows of the table are of the class or of its subclasses: None for all. The root has all of them, those
    whose discriminator is of no class and those where it is NULL included."""
    if discriminator is None or mapper.inherits is None:
        return None
    return OneOf(discriminator.name, tuple(identities_of(mapper)))


def identities_of(mapper: "Mapper[Any]") -> dict[Any, type[Any]]:
    """The values of the discriminator of a class and its subclasses, each with its class."""
    return {
        item.polymorphic_identity: item.class_
        for item in mapper.self_and_descendants
        if item.polymorphic_identity is not None
    }


def nearest_common(mappers: Iterable["Mapper[Any]"], root: "Mapper[Any]") -> "Mapper[Any]":
    """The nearest mapper of a hierarchy that all of these inherit from; the root for none."""
    first, *others = [*mappers] or [root]
    return next(item for item in first.iterate_to_root() if all(other.isa(item) for other in others))


def _check_identity(value: object, model: type[Any], column: Column[Any]) -> None:
    try:
        literal_of(value, column.type)
        check_value(value, shape_of(column.type))
    except Exception as error:
        raise ConfigurationError(
            f"has a polymorphic_identity {value!r}, which the column {column.name} cannot hold: {error}",
            location=model.__name__,
            hint="Write a value of the type that the column has in Python.",
        ) from None
