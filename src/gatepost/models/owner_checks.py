"""Whether the path of an `owner()` leads to a column that holds keys of users. Asked once, when the app is built."""

from typing import Any

from sqlalchemy import TypeDecorator
from sqlalchemy.types import TypeEngine

from gatepost.declaring.policies import Owner
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.entity import Entity, entity_of


def check_owner(owner: Owner, entity: Entity, key_type: type[Any] | None) -> None:
    """Raise `ConfigurationError` where the path does not exist, or ends at a column of another type than the keys of
    users (None: not known), which would be nobody's."""
    if owner.model is not None and not issubclass(entity.model, owner.model):
        raise ConfigurationError(
            f"{owner!r} names a column of {owner.model.__name__}, not of {entity.name}.",
            location=entity.name,
            hint=f"Write the path from {entity.name} as a text, over its to-one relations: owner('order.buyer_id').",
        )
    start = entity
    for name in owner.path[:-1]:
        if name not in entity.relations:
            known = did_you_mean(name, entity.relations)
            raise ConfigurationError(
                f"{owner!r} names no relation {name!r} of {entity.name}.{known}", location=start.name
            )
        entity = entity_of(entity.relations[name].target)
    attribute = entity.attributes.get(owner.path[-1])
    if attribute is None:
        known = did_you_mean(owner.path[-1], entity.attributes)
        raise ConfigurationError(f"{owner!r} names no column of {entity.name}.{known}", location=start.name)
    kind = _python_type(attribute.column.type)
    if kind is not None and key_type is not None and not issubclass(key_type, kind):
        raise ConfigurationError(
            f"{owner!r} is of type {kind.__name__}, and the keys of users are of type {key_type.__name__}.",
            location=f"{entity.name}.{attribute.name}",
            hint="Name the column that refers to the user.",
        )


def _python_type(kind: TypeEngine[Any]) -> type[Any] | None:
    """The Python type of a column's values; None for a `TypeDecorator`, which may take any."""
    if isinstance(kind, TypeDecorator):
        return None
    try:
        return kind.python_type
    except NotImplementedError:
        return None
