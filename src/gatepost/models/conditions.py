"""Policies as SQL: the rule that is left for the database becomes a condition of the statement itself.

A rule's shape is hashable and keys the compiled statement; the actor's values are bound per request. A condition of
the user's own (`policy(function)`) is called per request for its values, and once per shape for its SQL.
"""

from collections.abc import Hashable
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    FromClause,
    Numeric,
    Select,
    all_,
    any_,
    bindparam,
    false,
    select,
    true,
)
from sqlalchemy.orm import QueryableAttribute, aliased
from sqlalchemy.sql import visitors
from sqlalchemy.sql.operators import in_op, not_in_op
from sqlalchemy.sql.util import _deep_deannotate  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
from sqlalchemy.types import TypeEngine

from gatepost.auth.actor import Actor
from gatepost.auth.policies import Decision, Every, Not, Owned, Policy, Rule, Some, Where, decide, paths
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Entity, entity_of

ACTOR_ID = "actor_id"
"""Bind name of the actor's id."""


_MEMBERSHIP = (in_op, not_in_op)
"""Rendered as `= ANY(array)`: SQLAlchemy's own form of IN has other SQL for every length of the list."""


class Source(msgspec.Struct, frozen=True, eq=False):
    """An entity's table, or an alias of it, inside one statement."""

    entity: Entity
    table: FromClause

    def column(self, name: str) -> ColumnElement[Any]:
        """The column of an attribute."""
        return cast("ColumnElement[Any]", self.table.c[self.entity.attributes[name].column.key])

    def same(self, column: Any) -> ColumnElement[Any]:
        """This source's side of a column of the entity's table."""
        return cast("ColumnElement[Any]", self.table.c[column.key])


class BoundRule(msgspec.Struct, frozen=True, eq=False):
    """A decision for one actor: `shape` keys the statement, `values` are its binds, `prefix` keeps them apart."""

    decision: Decision
    shape: Hashable
    values: dict[str, Any]
    actor: Actor
    prefix: str

    def condition(self, source: Source) -> ColumnElement[bool] | None:
        """The SQL condition on `source`; None where every row passes."""
        if self.decision is True:
            return None
        if self.decision is False:
            return false()
        return _condition(self.decision, source, self, [0])


def bind_policy(policy: Policy, actor: Actor, entity: Entity, prefix: str = "w") -> BoundRule:
    """Weigh a policy for an actor, ready to become part of a statement."""
    return bind_decision(decide(policy, actor), actor, entity, prefix)


def bind_decision(decision: Decision, actor: Actor, entity: Entity, prefix: str = "w") -> BoundRule:
    """As `bind_policy`, for a decision already made."""
    if isinstance(decision, bool):
        # The actor stays with it: rules of single fields are weighed for the same one.
        return BoundRule(decision, decision, {}, actor, prefix)
    values: dict[str, Any] = {ACTOR_ID: actor.id}
    wheres = list(_wheres(decision))
    if not wheres:
        return BoundRule(decision, decision, values, actor, prefix)
    keys: list[Hashable] = [decision]
    for index, where in enumerate(wheres):
        key, binds = _bind(where, entity.model, actor)
        keys.append(key)
        values.update({f"{prefix}{index}_{position}": bind.effective_value for position, bind in enumerate(binds)})
    return BoundRule(decision, tuple(keys), values, actor, prefix)


def holds(decision: Decision, row: Any, actor: Actor) -> bool | None:
    """Whether a decision holds for an object in memory; None where only the database can tell."""
    if isinstance(decision, bool):
        return decision
    if isinstance(decision, Owned):
        return getattr(row, decision.path[0]) == actor.id if len(decision.path) == 1 else None
    if isinstance(decision, Not):
        inner = holds(decision.rule, row, actor)
        return None if inner is None else not inner
    if isinstance(decision, Every | Some):
        stop = isinstance(decision, Some)
        parts = [holds(rule, row, actor) for rule in decision.rules]
        if stop in parts:
            return stop
        return None if None in parts else not stop
    return None


def _wheres(rule: Rule) -> list[Where]:
    if isinstance(rule, Where):
        return [rule]
    if isinstance(rule, Not):
        return _wheres(rule.rule)
    if isinstance(rule, Every | Some):
        return [where for part in rule.rules for where in _wheres(part)]
    return []


def _condition(rule: Rule, source: Source, bound: BoundRule, count: list[int]) -> ColumnElement[bool]:
    if isinstance(rule, Owned):
        return _owned(rule.path, source)
    if isinstance(rule, Not):
        return _condition(rule.rule, source, bound, count).is_not(true())
    if isinstance(rule, Every | Some):
        parts = [_condition(part, source, bound, count) for part in rule.rules]
        joined = parts[0]
        for part in parts[1:]:
            joined = joined & part if isinstance(rule, Every) else joined | part
        return joined.self_group()
    assert isinstance(rule, Where)  # noqa: S101 - the list of rules is closed
    index = count[0]
    count[0] += 1
    return _named(rule, source, bound, index)


def _owned(path: tuple[str, ...], source: Source) -> ColumnElement[bool]:
    entity = source.entity
    if len(path) == 1:
        attribute = entity.attributes.get(path[0])
        if attribute is None:
            raise ConfigurationError(f"owner({path[0]!r}) names no column of {entity.name}.", place=entity.name)
        return source.column(path[0]) == bindparam(ACTOR_ID, type_=attribute.column.type)
    relation = entity.relations.get(path[0])
    if relation is None:
        raise ConfigurationError(f"owner('{'.'.join(path)}') names no relation {path[0]!r}.", place=entity.name)
    target = entity_of(relation.target)
    inner = Source(target, target.table.alias())
    found = select(1).select_from(inner.table).where(inner.same(relation.remote) == source.same(relation.local))
    return found.where(_owned(path[1:], inner)).correlate(source.table).exists()


def _bind(where: Where, model: Any, actor: Actor) -> tuple[Hashable, list[BindParameter[Any]]]:
    """The condition's shape and its bind parameters, in an order that depends on the shape alone."""
    cache_key = cast("Any", _call(where, model, actor))._generate_cache_key()
    if cache_key is None:
        return object(), []
    return cache_key.key, list(cache_key.bindparams)


def _call(where: Where, model: Any, actor: Actor) -> ColumnElement[bool]:
    result: Any = _expression(where.function(model, actor))
    if result is True or result is False:
        return true() if result else false()
    if not isinstance(result, ColumnElement):
        name = getattr(where.function, "__name__", "policy")
        raise ConfigurationError(f"the policy {name} returned {type(result).__name__}, not a SQL condition or a bool.")
    return cast("ColumnElement[bool]", result)


def _expression(given: Any) -> Any:
    """The column of a mapped attribute (`return model.is_open`); everything else as it is."""
    return given.expression if _is_attribute(given) else given


def _is_attribute(given: object) -> bool:
    return isinstance(given, QueryableAttribute)


def _named(where: Where, source: Source, bound: BoundRule, index: int) -> ColumnElement[bool]:
    plain = source.table is source.entity.table
    model = source.entity.model if plain else aliased(source.entity.model, source.table)
    condition = _call(where, model, bound.actor)
    cache_key = cast("Any", condition)._generate_cache_key()
    if cache_key is None:
        return condition.self_group()
    # `relationship.has()` is closed to replacements, and its binds with it, unless that note is taken away.
    condition = _correlated(_deep_deannotate(condition, ["no_replacement_traverse"]), source)
    binds = cast("Any", condition)._generate_cache_key().bindparams
    names = {id(bind): f"{bound.prefix}{index}_{position}" for position, bind in enumerate(binds)}
    renamed = _rename(condition, names)
    left = cast("Any", renamed)._generate_cache_key()
    is_same = [id(bind.value) for bind in binds] == [id(bind.value) for bind in cache_key.bindparams]
    if not is_same or left is None or any(bind.key not in names.values() for bind in left.bindparams):
        # Kept in the statement, the value would be served to every actor after this one.
        name = getattr(where.function, "__name__", "policy")
        raise ConfigurationError(f"the policy {name} holds a value that cannot be bound.", cure="Write it otherwise.")
    return renamed.self_group()


def _correlated(condition: ColumnElement[bool], source: Source) -> ColumnElement[bool]:
    """Subqueries look at the row the policy is about, and not by accident at another table of the whole statement."""

    def correlate(element: Any, **_: Any) -> Any:
        is_free = isinstance(element, Select) and element._auto_correlate  # pyright: ignore[reportPrivateUsage]
        return cast("Any", element).correlate(source.table) if is_free else None

    return visitors.replacement_traverse(condition, {}, correlate)


def _rename(condition: ColumnElement[bool], names: dict[int, str]) -> ColumnElement[bool]:
    """The condition with its values taken out: every bind is named, and gets its value per request."""

    def rename(element: Any, **_: Any) -> Any:
        operator = getattr(element, "operator", None)
        if operator in _MEMBERSHIP and id(element.right) in names:
            compared = _rename(element.left, names)
            members = bindparam(names[id(element.right)], type_=ARRAY(_unrounded(element.left.type)))
            return compared == any_(members) if operator is in_op else compared != all_(members)
        name = names.get(id(element))
        return None if name is None else bindparam(name, type_=_unrounded(element.type))

    return visitors.replacement_traverse(condition, {}, rename)


def _unrounded(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of a bound value: a number with the column's scale would be rounded before it is compared."""
    return Numeric() if isinstance(kind, Numeric) and kind.asdecimal else kind


def check_policy(policy: Policy, entity: Entity) -> None:
    """Raise `ConfigurationError` where an `owner()` in a policy leads nowhere."""
    for path in paths(policy):
        _owned(path, Source(entity, entity.table))
