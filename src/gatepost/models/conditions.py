"""Policies as SQL: what a policy leaves to the database becomes a condition of the statement itself.

A bound rule is a part of recipes: its shape belongs to the key, and the actor's values are bound per request.
Conditions of `policy(function)` are built by `policy_functions.py`.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, false, or_, select, true
from sqlalchemy import inspect as sa_inspect

from gatepost.actor import Actor
from gatepost.declaring.policies import (
    Decision,
    Every,
    Not,
    OneOf,
    Owned,
    Policy,
    RowCondition,
    Some,
    Where,
    decide,
)
from gatepost.models.class_policies import AsClass
from gatepost.models.entity import Entity, entity_of
from gatepost.models.literals import literal_of
from gatepost.models.nesting import Nesting
from gatepost.models.policy_functions import condition_on, shape_and_values
from gatepost.models.policy_refusals import asks_for_itself, check_readable
from gatepost.models.readable_rows import read_policy
from gatepost.models.recipes import Bound, Part
from gatepost.models.restrictions import Restriction
from gatepost.models.table_refs import TableRef

ACTOR_ID = "actor_id"
"""Bind name of the actor's id."""

_WITHOUT_FUNCTIONS = (bool, Owned, Restriction)
"""Decisions without a function. A tuple that exists: `bool | Owned` would be made anew in each request."""

_OF_COLUMNS = (Owned, OneOf)
"""Rules that compare a column."""

COMBINED = (Every, Some)
"""Rules that combine others. A tuple for the same reason."""


class BoundRule(Part, frozen=True):
    """A decision for one actor, with what each of its functions says for that actor. Where rows are `below` another,
    they belong to that one."""

    decision: Decision
    functions: "tuple[BoundFunction, ...]"
    made_for: Bound
    below: "Below | None" = None

    @property
    def actor(self) -> Actor:
        """The actor that it was decided for."""
        actor: Actor = self.made_for.value  # read per request: a cast would be a call
        return actor

    def bounds(self) -> list[Bound]:
        """The values that its conditions bind, besides `ACTOR_ID`."""
        found = [bound for function in self.functions for bound in function.bounds()]
        return found if self.below is None else [*found, *self.below.bounds()]

    def conditions(self, source: TableRef) -> list[ColumnElement[bool]]:
        """The conditions on `source` that have to hold together: those of its entity, for every actor, and the rule."""
        if self.decision is False:
            return [false()]
        found = self._always(source)
        if self.decision is True:
            return found
        functions = iter(self.functions)
        return [
            *found,
            *(self._condition(part, source, functions) for part in _parts(self.decision)),
        ]

    def outcome(self, source: TableRef) -> ColumnElement[bool]:
        """Whether a row of `source` is one of its entity, and the rule holds for it; never NULL."""
        if self.decision is False:
            return false()
        found = self._always(source)
        if self.decision is not True:
            found.append(self._condition(self.decision, source, iter(self.functions)))
        if not found:
            return true()
        return (found[0] if len(found) == 1 else and_(*found).self_group()).is_(True)

    def _always(self, source: TableRef) -> list[ColumnElement[bool]]:
        found = scope_conditions(source)
        return found if self.below is None else [self.below.condition(source), *found]

    def _condition(
        self, rule: RowCondition, source: TableRef, functions: "Iterator[BoundFunction]", *, is_negated: bool = False
    ) -> ColumnElement[bool]:
        """The condition of a rule, whose functions are met in the order of `functions`. A negation is pushed down to
        the parts: each has its own way to treat NULL."""
        if isinstance(rule, Not):
            return self._condition(rule.rule, source, functions, is_negated=not is_negated)
        if isinstance(rule, COMBINED):
            parts = [self._condition(part, source, functions, is_negated=is_negated) for part in rule.rules]
            combine = and_ if isinstance(rule, Every) != is_negated else or_
            return combine(*parts).self_group()
        if isinstance(rule, _OF_COLUMNS):
            found = _owned(rule.path, source) if isinstance(rule, Owned) else _one_of(rule, source)
            return found.is_not(true()) if is_negated else found
        if isinstance(rule, Restriction):
            return rule.condition(source, is_negated=is_negated)
        if isinstance(rule, AsClass):
            return self._condition(rule.rule, TableRef(rule.entity, source.table), functions, is_negated=is_negated)
        assert isinstance(rule, Where)  # noqa: S101 - the list of rules is closed
        function = next(functions)
        readable_on = function.readables.condition if function.readables.of else None
        return condition_on(source, rule, self.actor, function.values, is_negated=is_negated, readable_on=readable_on)


class BoundReadable(Part, frozen=True):
    """`readable(Model)` for one actor: the policy of `get` of the rows of the model, whose entity is `entity`."""

    model: type[Any]
    entity: Entity
    rule: BoundRule

    def condition(self, table: FromClause, may_be_null: bool) -> ColumnElement[bool]:
        """Whether the actor may get the row of `table`. It may be NULL for false where that is allowed: then indexes
        serve it."""
        source = TableRef(self.entity, table)
        return and_(true(), *self.rule.conditions(source)) if may_be_null else self.rule.outcome(source)


class BoundReadables(Part, frozen=True):
    """What `readable()` says in one expression, for one actor."""

    of: tuple[BoundReadable, ...]

    def bounds(self) -> list[Bound]:
        """The values that the conditions bind, besides `ACTOR_ID`."""
        return [bound for each in self.of for bound in each.rule.bounds()]

    def condition(self, model: type[Any], table: FromClause, may_be_null: bool) -> ColumnElement[bool]:
        """As `BoundReadable.condition`, for the rows of this model."""
        return next(each for each in self.of if each.model is model).condition(table, may_be_null)


NO_READABLES = BoundReadables(())


class BoundFunction(Part, frozen=True):
    """What a policy function says for one actor: `shape` is what of it changes the SQL, `values` are what it binds,
    `readables` the policies of other rows in it."""

    shape: Hashable
    values: tuple[Bound, ...]
    readables: BoundReadables

    def bounds(self) -> list[Bound]:
        """The values that it binds, besides `ACTOR_ID`."""
        return [*self.values, *self.readables.bounds()]


class Below(Part, frozen=True):
    """The row refers to the one above it: the row that the path names by `value`, where the actor may read it.

    A subquery of its own, which PostgreSQL runs once: the foreign key is compared with a value, so that an index of it
    and of the order serves a page.
    """

    nesting: Nesting
    rule: BoundRule
    value: Bound

    def condition(self, source: TableRef) -> ColumnElement[bool]:
        """The condition on `source`."""
        return source.column(self.nesting.foreign_key) == self.referenced().correlate(None).scalar_subquery()

    def referenced(self) -> Select[Any]:
        """The SELECT of the value that the foreign key holds."""
        above = TableRef.alias(self.nesting.entity)
        key = above.column(self.nesting.entity.key.names[0])
        found = select(above.column(self.nesting.referenced.name)).select_from(above.table)
        return found.where(key == self.value.parameter(key.type), *self.rule.conditions(above))

    def bounds(self) -> list[Bound]:
        """The values that it binds."""
        return [self.value, *self.rule.bounds()]


def bind_policy(policy: Policy, actor: Actor, entity: Entity, within: tuple[type[Any], ...] = ()) -> BoundRule:
    """Decide a policy for an actor, ready to become part of a statement. `within` are the models whose `readable()`
    leads to it. Raises `ConfigurationError` where it asks for one of these again."""
    return bind_decision(decide(policy, actor), actor, entity, within)


def bind_decision(decision: Decision, actor: Actor, entity: Entity, within: tuple[type[Any], ...] = ()) -> BoundRule:
    """As `bind_policy`, for a decision already made."""
    wheres = () if isinstance(decision, _WITHOUT_FUNCTIONS) else functions_of(decision, entity)
    if not wheres:
        return BoundRule(decision, (), Bound(actor))
    return BoundRule(decision, tuple([_bind(where, of, actor, within) for where, of in wheres]), Bound(actor))


def _bind(where: Where, entity: Entity, actor: Actor, within: tuple[type[Any], ...]) -> BoundFunction:
    shape, values, models = shape_and_values(where, entity.model, actor)
    if not models:
        return BoundFunction(shape, values, NO_READABLES)
    check_readable(where, entity, models)
    for model in models:
        if model in within:
            raise asks_for_itself(where, [*within, model])
    return BoundFunction(shape, values, bind_readables(models, actor, entity, within))


def bind_readables(
    models: Iterable[type[Any]], actor: Actor, entity: Entity, within: tuple[type[Any], ...] = ()
) -> BoundReadables:
    """What `readable()` of these models, which have resources, says for an actor in an expression over an entity."""
    found: list[BoundReadable] = []
    for model in models:
        policy, of = read_policy(model, entity)
        found.append(BoundReadable(model, of, bind_policy(policy, actor, of, (*within, model))))
    return BoundReadables(tuple(found))


def functions_of(decision: Decision, entity: Entity) -> list[tuple[Where, Entity]]:
    """The functions that a decision leaves to be called, each with the class whose rows it is about."""
    if isinstance(decision, Where):
        return [(decision, entity)]
    if isinstance(decision, Not):
        return functions_of(decision.rule, entity)
    if isinstance(decision, AsClass):
        return functions_of(decision.rule, decision.entity)
    if isinstance(decision, COMBINED):
        return [where for part in decision.rules for where in functions_of(part, entity)]
    return []


def holds(decision: Decision, row: Any, actor: Actor) -> bool | None:
    """Whether a decision holds for an object in memory; None where only the database can tell."""
    match decision:
        case bool():
            return decision
        case Owned(path=(name,)):
            return _is_among(row, name, (actor.id,))
        case OneOf(name=name, values=values):
            return _is_among(row, name, values)
        case AsClass(entity=entity, rule=rule) if isinstance(row, entity.model):
            return holds(rule, row, actor)
        case Not() | Every() | Some():
            return _combination_holds(decision, row, actor)
        case _:
            return None


def _combination_holds(rule: Not | Every | Some, row: Any, actor: Actor) -> bool | None:
    if isinstance(rule, Not):
        inner = holds(rule.rule, row, actor)
        return None if inner is None else not inner
    stop = isinstance(rule, Some)
    parts = [holds(part, row, actor) for part in rule.rules]
    return stop if stop in parts else None if None in parts else not stop


def _is_unloaded(row: Any, name: str) -> bool:
    """Whether the database would have to be asked for the value: a deferred column, or one that a flush expired."""
    state: Any = sa_inspect(row, raiseerr=False)
    return state is not None and state.has_identity and name in state.unloaded


def _is_among(row: Any, name: str, values: Collection[Any]) -> bool | None:
    """Whether an attribute has one of these values. Texts that differ may be equal to the database: CITEXT,
    collations."""
    if _is_unloaded(row, name):
        return None
    value = getattr(row, name)
    if value in values:
        return True
    return None if isinstance(value, str) and any(isinstance(item, str) for item in values) else False


def scope_conditions(source: TableRef) -> list[ColumnElement[bool]]:
    """What a row of `source` has to satisfy to be one of its entity."""
    scope = source.entity.scope
    return [] if scope is None else [_one_of(scope, source)]


def _parts(rule: RowCondition) -> list[RowCondition]:
    return [part for item in rule.rules for part in _parts(item)] if isinstance(rule, Every) else [rule]


def _one_of(rule: OneOf, source: TableRef) -> ColumnElement[bool]:
    column = source.column(rule.name)
    return column.in_([literal_of(value, column.type) for value in rule.values]) if rule.values else false()


def _owned(path: tuple[str, ...], source: TableRef) -> ColumnElement[bool]:
    entity = source.entity
    if len(path) == 1:
        return source.column(path[0]) == bindparam(ACTOR_ID, type_=entity.attributes[path[0]].column.type)
    relation = entity.relations[path[0]]
    inner = TableRef.alias(entity_of(relation.target))
    conditions = [inner.joined_by(relation, source), *scope_conditions(inner), _owned(path[1:], inner)]
    return inner.exists(source, *conditions)
