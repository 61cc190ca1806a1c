"""Nesting: `Resource(Comment, under="articles/{article:slug}")` has its rows below the row of another resource.

Resolved once, when the catalog is made: which resource stands above, by which column its rows are named in the path,
and which foreign key here holds their key.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.declaring.resource import Resource
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.entity import Attribute, Entity, is_unique

UNDER = re.compile(r"(?P<path>[\w./~-]+)/\{(?P<name>\w+)(?::(?P<column>\w+))?\}", re.ASCII)


class Nesting(msgspec.Struct, frozen=True, eq=False):
    """What stands above a resource. `entity` is that of the rows above, with the column in the path as its key; the
    attribute `foreign_key` here holds their attribute `referenced`."""

    resource: Resource[Any]
    entity: Entity
    foreign_key: str
    referenced: Attribute


def nesting_of(
    resource: Resource[Any], entity: Entity, declared: Sequence[tuple[Resource[Any], Entity]]
) -> Nesting | None:
    """The nesting of a resource; None where it stands by itself. Raises `ConfigurationError` with what to write."""
    if resource.under is None:
        return None
    location = f"Resource({entity.name}, under=...)"
    match = UNDER.fullmatch(resource.under)
    if match is None:
        hint = 'Write the path of another resource and one parameter: under="articles/{article:slug}".'
        raise ConfigurationError(f"{resource.under!r} is not a path to a row.", location=location, hint=hint)
    paths = {item.path or str(found.table.name): (item, found) for item, found in declared if item is not resource}
    if match["path"] not in paths:
        known = did_you_mean(match["path"], paths).strip() or f"The paths are {', '.join(sorted(paths))}."
        raise ConfigurationError(f"no resource has the path {match['path']!r}.", location=location, hint=known)
    above, of = paths[match["path"]]
    if above.under is not None:
        raise ConfigurationError(
            f"{match['path']!r} is itself below {above.under!r}.", location=location, hint="Nest one level deep."
        )
    column = match["column"] or above.key
    named = of if column is None else _named(of, column, location)
    if named.key.is_composite:
        raise ConfigurationError(
            f"{of.name} has a composite primary key.", location=location, hint="Name one unique column: {article:slug}."
        )
    foreign_key, referenced = _foreign_key(entity, of, match["name"], location)
    return Nesting(above, named, foreign_key, referenced)


def _named(entity: Entity, column: str, location: str) -> Entity:
    attribute = entity.attributes.get(column)
    if attribute is None:
        known = did_you_mean(column, entity.attributes)
        raise ConfigurationError(f"{entity.name} has no column {column!r}.{known}", location=location)
    if attribute.is_expression or attribute.nullable or not is_unique(attribute.column):
        raise ConfigurationError(
            f"{entity.name}.{column} does not name one row.",
            location=location,
            hint="Name a column with unique=True that cannot be NULL.",
        )
    return entity.with_key(column)


def _foreign_key(entity: Entity, above: Entity, name: str, location: str) -> tuple[str, Attribute]:
    """The attribute that refers to the table above: the only one, or the one that is called as the parameter."""
    found: dict[str, Attribute] = {}
    for constraint in entity.table.foreign_key_constraints:
        if constraint.referred_table is above.table and len(constraint.elements) == 1:
            here, there = (entity.attribute_of(constraint.elements[0].parent), constraint.elements[0].column)
            referenced = above.attribute_of(there)
            if here is not None and referenced is not None:
                found[here.name] = referenced
    if len(found) > 1:
        relation = entity.relations.get(name)
        by_relation = None if relation is None else entity.attribute_of(relation.local)
        wanted = {name, f"{name}_id", *([] if by_relation is None else [by_relation.name])}
        found = {key: referenced for key, referenced in found.items() if key in wanted} or found
    if len(found) == 1:
        return next(iter(found.items()))
    if not found:
        hint = f"Declare one: mapped_column(ForeignKey({str(above.table.name) + '.id'!r}), index=True)."
        raise ConfigurationError(f"{entity.name} has no foreign key to {above.name}.", location=location, hint=hint)
    raise ConfigurationError(
        f"{entity.name} has several foreign keys to {above.name}: {', '.join(sorted(found))}.",
        location=location,
        hint="Call the parameter as the one that is meant, or as its relationship.",
    )
