"""Policies as SQL: what a policy leaves to the database becomes a condition of the statement itself.

A bound rule is a part of recipes: its shape belongs to the key, and the actor's values are bound per request.
Conditions of `policy(function)` are built by `policy_functions.py`.
"""

from collections.abc import Hashable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, false, or_, true
from sqlalchemy import inspect as sa_inspect

from gatepost.actor import Actor
from gatepost.declaring.policies import (
    Decision,
    Every,
    Not,
    Owned,
    Policy,
    RowCondition,
    Some,
    Where,
    decide,
)
from gatepost.models.entity import Entity, entity_of
from gatepost.models.policy_functions import condition_on, shape_and_values
from gatepost.models.recipes import Bound, Part
from gatepost.models.table_refs import TableRef

ACTOR_ID = "actor_id"
"""Bind name of the actor's id."""

_WITHOUT_FUNCTIONS = (bool, Owned)
"""Decisions without a function. A tuple that exists: `bool | Owned` would be made anew in each request."""

COMBINED = (Every, Some)
"""Rules that combine others. A tuple for the same reason."""


class BoundRule(Part, frozen=True):
    """A decision for one actor. `shape` is what its functions change in the SQL, and `values` are what each of them
    binds."""

    decision: Decision
    shape: Hashable
    values: tuple[tuple[Bound, ...], ...]
    made_for: Bound

    @property
    def actor(self) -> Actor:
        """The actor that it was decided for."""
        actor: Actor = self.made_for.value  # read per request: a cast would be a call
        return actor

    def bounds(self) -> list[Bound]:
        """The values that its conditions bind, besides `ACTOR_ID`."""
        return [bound for values in self.values for bound in values]

    def conditions(self, source: TableRef) -> list[ColumnElement[bool]]:
        """The conditions on `source` that have to hold together."""
        if isinstance(self.decision, bool):
            return [] if self.decision else [false()]
        values = iter(self.values)
        return [self._condition(part, source, values) for part in _parts(self.decision)]

    def outcome(self, source: TableRef) -> ColumnElement[bool]:
        """Whether it holds for a row of `source`; never NULL."""
        if isinstance(self.decision, bool):
            return true() if self.decision else false()
        return self._condition(self.decision, source, iter(self.values)).is_(True)

    def _condition(
        self, rule: RowCondition, source: TableRef, values: Iterator[tuple[Bound, ...]], *, is_negated: bool = False
    ) -> ColumnElement[bool]:
        """The condition of a rule, whose functions are met in the order of `values`. A negation is pushed down to the
        parts: each has its own way to treat NULL."""
        if isinstance(rule, Not):
            return self._condition(rule.rule, source, values, is_negated=not is_negated)
        if isinstance(rule, COMBINED):
            parts = [self._condition(part, source, values, is_negated=is_negated) for part in rule.rules]
            combine = and_ if isinstance(rule, Every) != is_negated else or_
            return combine(*parts).self_group()
        if isinstance(rule, Owned):
            owned = _owned(rule.path, source)
            return owned.is_not(true()) if is_negated else owned
        assert isinstance(rule, Where)  # noqa: S101 - the list of rules is closed
        return condition_on(source, rule, self.actor, next(values), is_negated=is_negated)


def bind_policy(policy: Policy, actor: Actor, entity: Entity) -> BoundRule:
    """Decide a policy for an actor, ready to become part of a statement."""
    return bind_decision(decide(policy, actor), actor, entity)


def bind_decision(decision: Decision, actor: Actor, entity: Entity) -> BoundRule:
    """As `bind_policy`, for a decision already made."""
    wheres = () if isinstance(decision, _WITHOUT_FUNCTIONS) else functions_of(decision)
    if not wheres:
        return BoundRule(decision, None, (), Bound(actor))
    found = [shape_and_values(where, entity.model, actor) for where in wheres]
    return BoundRule(
        decision, tuple([shape for shape, _ in found]), tuple([values for _, values in found]), Bound(actor)
    )


def functions_of(decision: Decision) -> list[Where]:
    """The functions that a decision leaves to be called."""
    if isinstance(decision, Where):
        return [decision]
    if isinstance(decision, Not):
        return functions_of(decision.rule)
    if isinstance(decision, COMBINED):
        return [where for part in decision.rules for where in functions_of(part)]
    return []


def holds(decision: Decision, row: Any, actor: Actor) -> bool | None:
    """Whether a decision holds for an object in memory; None where only the database can tell."""
    if isinstance(decision, bool):
        return decision
    if isinstance(decision, Owned):
        name, *further = decision.path
        return None if further or _is_unloaded(row, name) else _holds_key(getattr(row, name), actor)
    if isinstance(decision, Not):
        inner = holds(decision.rule, row, actor)
        return None if inner is None else not inner
    if isinstance(decision, COMBINED):
        stop = isinstance(decision, Some)
        parts = [holds(rule, row, actor) for rule in decision.rules]
        if stop in parts:
            return stop
        return None if None in parts else not stop
    return None


def _holds_key(value: Any, actor: Actor) -> bool | None:
    """Whether a value is the actor's key. Texts that differ may be equal to the database: CITEXT, collations."""
    if value == actor.id:
        return True
    return None if isinstance(value, str) and isinstance(actor.id, str) else False


def _is_unloaded(row: Any, name: str) -> bool:
    """Whether the database would have to be asked for the value: a deferred column, or one that a flush expired."""
    state: Any = sa_inspect(row, raiseerr=False)
    return state is not None and state.has_identity and name in state.unloaded


def _parts(rule: RowCondition) -> list[RowCondition]:
    return [part for item in rule.rules for part in _parts(item)] if isinstance(rule, Every) else [rule]


def _owned(path: tuple[str, ...], source: TableRef) -> ColumnElement[bool]:
    entity = source.entity
    if len(path) == 1:
        return source.column(path[0]) == bindparam(ACTOR_ID, type_=entity.attributes[path[0]].column.type)
    relation = entity.relations[path[0]]
    inner = TableRef.alias(entity_of(relation.target))
    return inner.exists(source, inner.joined_by(relation, source), _owned(path[1:], inner))
