"""By which columns a row is found that another one must not equal: the unique constraints of a table.

An index counts as well, unless it is partial or over an expression; a deferrable constraint does not, because
PostgreSQL cannot arbitrate by it.
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import QueryableAttribute

from gatepost.declaring.attributes import Attr
from gatepost.errors import ConfigurationError
from gatepost.models.constraint_names import object_name
from gatepost.models.entity import Entity

UniqueKeys = tuple[tuple[str, ...], ...]
"""Of each unique constraint the attributes, in its order."""


def unique_keys(entity: Entity) -> UniqueKeys:
    """The unique constraints besides the key; the key where there are no others."""
    found = {key: None for key in (_names(entity, columns) for columns in _constraints(entity.table)) if key}
    return tuple(found) or (tuple(entity.key.names),)


def chosen_key(entity: Entity, keys: UniqueKeys, given: Sequence[Attr]) -> tuple[str, ...]:
    """The key that `unique=` names; the only one where it names none. Raises `ConfigurationError` where there is none,
    or no telling which."""
    if not given:
        if len(keys) == 1:
            return keys[0]
        raise _undecided(entity, keys, "has several unique constraints")
    names = [_name_of(entity, each) for each in given]
    found = next((key for key in (*keys, tuple(entity.key.names)) if set(key) == set(names)), None)
    if found is None:
        raise _undecided(entity, keys, f"has no unique constraint over {', '.join(names)}")
    return found


def is_guarded_by(entity: Entity, key: Sequence[str], constraint: str | None) -> bool:
    """Whether it is the constraint of this name that keeps rows with the same values of the attributes apart."""
    table: Any = entity.table
    named = {each.name: each for each in (*table.constraints, *table.indexes)}
    # An unnamed primary key has the name that PostgreSQL gives.
    named[table.primary_key.name or object_name(table.name, "", "pkey")] = table.primary_key
    found = named.get(constraint)
    return found is not None and set(found.columns) == {entity.attributes[name].column for name in key}


def _name_of(entity: Entity, given: Attr) -> str:
    if not isinstance(given, QueryableAttribute):
        return given
    owner: Any = given.class_
    if not issubclass(entity.model, owner):
        problem = f"names {owner.__name__}.{given.key}, of another model."
        raise ConfigurationError(
            problem, location=f"{entity.name}, unique=...", hint=f"Name attributes of {entity.name}."
        )
    return given.key


def _undecided(entity: Entity, keys: UniqueKeys, problem: str) -> ConfigurationError:
    choices = [f"unique=[{', '.join(f'{entity.name}.{name}' for name in key)}]" for key in keys]
    hint = f"Write {' or '.join(choices)}."
    return ConfigurationError(f"{problem}.", location=entity.name, hint=hint)


def _constraints(table: "sa.Table[Any]") -> Iterator[Sequence[Any]]:
    for constraint in table.constraints:
        if isinstance(constraint, sa.UniqueConstraint) and not constraint.deferrable:
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique and cast("Any", index).dialect_options["postgresql"]["where"] is None:
            yield list(index.expressions)


def _names(entity: Entity, columns: Sequence[Any]) -> tuple[str, ...]:
    """The attributes of the columns; none where one of them is no attribute."""
    found = [entity.attribute_of(cast("Any", column)) if isinstance(column, sa.Column) else None for column in columns]
    return tuple(item.name for item in found if item is not None) if None not in found else ()
