"""Which columns change where attributes are set: a relationship sets its foreign key, a synonym another attribute."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, RelationshipProperty, SynonymProperty


def by_columns(model: type[Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The changes, with what synonyms stand for in their place."""
    mapper: Mapper[Any] = inspect(model)
    return {_resolved(mapper, name): value for name, value in changes.items()}


def changed_columns(model: type[Any], names: Iterable[str]) -> frozenset[str]:
    """The attributes of columns that change where the attributes of these names are set, none of them a synonym; and
    the names of others, such as properties."""
    mapper, found = cast("Any", inspect(model)), set[str]()
    for name in names:
        attribute = mapper.attrs.get(name)
        if isinstance(attribute, RelationshipProperty):
            found |= {mapper.get_property_by_column(column).key for column in attribute.local_columns}
        else:
            found.add(name)
    return frozenset(found)


def _resolved(mapper: Mapper[Any], name: str) -> str:
    attribute = mapper.attrs.get(name)
    while isinstance(attribute, SynonymProperty):
        name = attribute.name
        attribute = mapper.attrs.get(name)
    return name
