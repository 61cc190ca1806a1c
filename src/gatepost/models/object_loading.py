"""The SELECT of ORM objects of an entity: each of the class that its row is of, with the columns of that class.

Without it the session would load what a subclass adds at the first access, which asynchronous code cannot do.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.orm import Mapper, undefer, with_polymorphic
from sqlalchemy.sql.visitors import replacement_traverse

from gatepost.actor import Actor
from gatepost.database.guards import READABLE
from gatepost.models.conditions import ACTOR_ID, BoundRule, bind_readables
from gatepost.models.entity import Entity
from gatepost.models.hierarchy import identities_of
from gatepost.models.list_query import RowRange
from gatepost.models.literals import literal_of
from gatepost.models.readable_rows import readables_in, with_readable
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
    source, bounds = TableRef.of(entity), rule.bounds()
    conditions = rule.conditions(source) if rows is None else rows.conditions(rule, source)
    if rows is not None:
        bounds += rows.bounds()
    found = select_objects(entity).where(*map(partial(_with_values, bounds, rule.actor), conditions))
    if rows is not None:
        offset = None if rows.offset is None else rows.offset.value
        found = found.order_by(*rows.orderings(source)).offset(offset).limit(rows.limit + 1)
    return found.execution_options(**{READABLE: partial(with_readable_rows, actor=rule.actor, entity=entity)})


def with_readable_rows(selected: Any, actor: Actor, entity: Entity) -> Any:
    """A statement of the application's own with the policies for an actor in place of each `readable()`, and their
    values. Raises `ConfigurationError` for a model that has no resource in the app of this entity."""
    models = dict.fromkeys(part.model for part in readables_in(selected))
    if not models:
        return selected
    readables = bind_readables(models, actor, entity)
    bounds = readables.bounds()

    def condition_on(model: type[Any], table: sa.FromClause, may_be_null: bool) -> sa.ColumnElement[bool]:
        return _with_values(bounds, actor, readables.condition(model, table, may_be_null))

    return with_readable(selected, condition_on, is_filter=False)


def _with_values(bounds: Sequence[Bound], actor: Actor, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    values = {ACTOR_ID: actor.id, **{bound.name: bound.value for bound in bounds}}

    def with_value(element: Any, **_: Any) -> Any:
        if not isinstance(element, sa.BindParameter) or element.key not in values:
            return None
        bind, value = cast("Any", element), values[element.key]
        # With a name of its own, so that several of these statements can stand in one.
        return sa.bindparam(None, value, type_=bind.type, unique=True, expanding=bind.expanding)

    return replacement_traverse(condition, {}, with_value)
