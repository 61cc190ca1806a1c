"""Which columns change where attributes are set: a relationship sets its foreign key, a synonym another attribute."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import ColumnProperty, Mapper, RelationshipProperty, SynonymProperty


def by_columns(model: type[Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, with what synonyms stand for in their place."""
    mapper: Mapper[Any] = inspect(model)
    return {_resolved(mapper, name): value for name, value in changes.items()}


def changed_columns(model: type[Any], names: Iterable[str]) -> frozenset[str] | None:
    """The attributes of columns that change where the attributes of these names are set, none of them a synonym. None
    where others may change as well: a property or a validator may set any."""
    mapper, found = cast("Any", inspect(model)), set[str]()
    for name in names:
        attribute = mapper.attrs.get(name)
        if isinstance(attribute, RelationshipProperty):
            found |= {mapper.get_property_by_column(column).key for column in attribute.local_columns}
        elif isinstance(attribute, ColumnProperty) and not getattr(model, name).dispatch.set:
            found.add(name)
        else:
            return None
    return frozenset(found)


def _resolved(mapper: Mapper[Any], name: str) -> str:
    attribute = mapper.attrs.get(name)
    while isinstance(attribute, SynonymProperty):
        name = attribute.name
        attribute = mapper.attrs.get(name)
    return name
