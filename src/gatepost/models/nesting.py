"""Nesting: `Resource(Comment, under="articles/{article:slug}")` has its rows below the row of another resource.

Resolved once, when the catalog is made: which resource stands above, by which column its rows are named in the path,
and which foreign key here holds their key. Rows that the path of an own endpoint names one after the other are nested
in the same way.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.declaring.resource import Resource
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.entity import Attribute, Entity, is_unique

UNDER = re.compile(r"(?P<path>[\w./~:{}-]+)/\{(?P<name>\w+)(?::(?P<column>\w+))?\}", re.ASCII)

PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")
"""A parameter of a path: `{book}`, `{article:slug}`."""


class Nesting(msgspec.Struct, frozen=True, eq=False):
    """What stands above rows. `model` is that of the rows above, which the path calls `name`; `entity` has the column
    in the path as its key; the attribute `foreign_key` here holds their attribute `referenced`."""

    model: type[Any]
    name: str
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
    paths = {template_of(item, found): (item, found) for item, found in declared if item is not resource}
    if match["path"] not in paths:
        known = did_you_mean(match["path"], paths).strip() or f"The paths are {', '.join(sorted(paths))}."
        raise ConfigurationError(f"no resource has the path {match['path']!r}.", location=location, hint=known)
    above, of = paths[match["path"]]
    names = [place[1] for place in PLACE.finditer(resource.under)]
    if len(set(names)) < len(names):
        raise ConfigurationError(
            f"{resource.under!r} has one parameter twice.", location=location, hint="Give each row above its own name."
        )
    column = match["column"] or above.key
    named = of if column is None else _named(of, column, location)
    if named.key.is_composite:
        raise ConfigurationError(
            f"{of.name} has a composite primary key.", location=location, hint="Name one unique column: {article:slug}."
        )
    found = _foreign_keys(entity, of, match["name"])
    if not found:
        hint = f"Declare one: mapped_column(ForeignKey({str(of.table.name) + '.id'!r}), index=True)."
        raise ConfigurationError(f"{entity.name} has no foreign key to {of.name}.", location=location, hint=hint)
    foreign_key, referenced = _only(found, entity, of, location)
    return Nesting(of.model, match["name"], named, foreign_key, referenced)


def template_of(resource: Resource[Any], entity: Entity) -> str:
    """The path of the rows of a resource below the prefix, with a parameter for each row above."""
    path = resource.path or str(entity.table.name)
    return path if resource.under is None else f"{resource.under}/{path}"


def nesting_in_path(entity: Entity, above: Entity, name: str, location: str) -> Nesting | None:
    """The nesting of rows that a path names behind those of `above`, which it calls `name` and names by their key.

    None where they do not refer to those, or are rows of the same table: then the path relates them as it likes. Raises
    `ConfigurationError` where they refer to them in several ways.
    """
    found = {} if entity.table is above.table else _foreign_keys(entity, above, name)
    return Nesting(above.model, name, above, *_only(found, entity, above, location)) if found else None


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


def _foreign_keys(entity: Entity, above: Entity, name: str) -> dict[str, Attribute]:
    """The attributes that refer to the table above, with what they hold: of several the one that is called as the
    parameter, where there is one."""
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
        return {key: referenced for key, referenced in found.items() if key in wanted} or found
    return found


def _only(found: dict[str, Attribute], entity: Entity, above: Entity, location: str) -> tuple[str, Attribute]:
    if len(found) > 1:
        raise ConfigurationError(
            f"{entity.name} has several foreign keys to {above.name}: {', '.join(sorted(found))}.",
            location=location,
            hint="Call the parameter as the one that is meant, or as its relationship.",
        )
    return next(iter(found.items()))
