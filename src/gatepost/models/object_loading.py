"""The SELECT of ORM objects of an entity: each of the class that its row is of, with the columns of that class.

Without it the session would load what a subclass adds at the first access, which asynchronous code cannot do.
"""

from collections.abc import Callable, Iterable
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, undefer, with_polymorphic
from sqlalchemy.sql.visitors import replacement_traverse

from gatepost.models.conditions import ACTOR_ID, BoundRule
from gatepost.models.entity import Entity
from gatepost.models.hierarchy import identities_of
from gatepost.models.list_query import RowRange
from gatepost.models.literals import literal_of
from gatepost.models.recipes import Bound
from gatepost.models.table_refs import TableRef


def select_objects(entity: Entity, loading: Iterable[str] = ()) -> sa.Select[Any]:
    """A SELECT of objects without conditions, with the deferred columns `loading`. A row whose discriminator no class
    has becomes an object of the root; where the root has no identity, which SQLAlchemy needs for that, it is left out.
    """
    mapper: Mapper[Any] = sa.inspect(entity.model)
    loaded: Any = entity.model
    conditions: list[sa.ColumnElement[bool]] = []
    if entity.discriminator is not None:
        column: sa.ColumnElement[Any] = entity.attributes[entity.discriminator.name].column
        known = [literal_of(value, column.type) for value in identities_of(mapper)]
        kind = None
        if mapper.inherits is None and mapper.polymorphic_identity is None:
            conditions = [column.in_(known)]
        elif mapper.inherits is None:
            # Each value as the class says it: the database may compare without regard to case, or pad.
            own = literal_of(mapper.polymorphic_identity, column.type)
            kind = sa.case(*((column == value, value) for value in known), else_=own)
        loaded = with_polymorphic(entity.model, "*", polymorphic_on=kind)
    options = [undefer(getattr(loaded, name)) for name in loading]
    return sa.select(loaded).where(*conditions).options(*options)


def locked(statement: sa.Select[Any], entity: Entity) -> sa.Select[Any]:
    """The SELECT, which locks the rows of its objects and replaces what the session has of them. Rows of joined
    relations are not locked: PostgreSQL could not lock those that are missing."""
    return statement.with_for_update(of=entity.table).execution_options(populate_existing=True)


def select_under(entity: Entity, rule: BoundRule, rows: RowRange | None = None) -> sa.Select[Any]:
    """A SELECT of the objects that satisfy a rule, with its values: one that other code may narrow, join and run. With
    `rows` it is of those, in the order that they are read in, and of one row more than their limit."""
    source = TableRef.of(entity)
    if rows is None:
        with_value = _value_setter(rule, rule.bounds())
        return select_objects(entity).where(*map(with_value, rule.conditions(source)))
    with_value = _value_setter(rule, [*rule.bounds(), *rows.bounds()])
    conditions = map(with_value, rows.conditions(rule, source))
    found = select_objects(entity).where(*conditions).order_by(*rows.orderings(source))
    offset = None if rows.offset is None else rows.offset.value
    return found.offset(offset).limit(rows.limit + 1)


def _value_setter(rule: BoundRule, bounds: Iterable[Bound]) -> Callable[[sa.ColumnElement[Any]], Any]:
    """Gives the binds of a condition their values."""
    values = {ACTOR_ID: rule.actor.id, **{bound.name: bound.value for bound in bounds}}

    def with_value(element: Any, **_: Any) -> Any:
        if not isinstance(element, sa.BindParameter) or element.key not in values:
            return None
        bind, value = cast("Any", element), values[element.key]
        # With a name of its own, so that several of these statements can stand in one.
        return sa.bindparam(None, value, type_=bind.type, unique=True, expanding=bind.expanding)

    return lambda condition: replacement_traverse(condition, {}, with_value)
