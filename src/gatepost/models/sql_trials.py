"""What of a declaration's SQL only PostgreSQL can judge: each policy function and each expression, as a statement.

Outside the request path: `database/sql_trials.py` tries them when a process starts, and so does `gatepost doctor`. A
policy is tried with the actors for which its function was called when the app was built, in a WHERE clause that no row
satisfies: PostgreSQL checks the types and looks functions up, and evaluates nothing.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from gatepost.actor import Actor, system
from gatepost.declaring.policies import Where
from gatepost.errors import ConfigurationError
from gatepost.models.conditions import ACTOR_ID, BoundRule, bind_decision
from gatepost.models.entity import Entity
from gatepost.models.policy_functions import failure_of
from gatepost.models.policy_refusals import refusal_of
from gatepost.models.policy_trials import reached_policies, trial_actors
from gatepost.models.recipes import Bound
from gatepost.models.sample_users import SampleUsers
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef
from gatepost.sources import attribute_location

_NEVER = sa.literal_column("false", sa.Boolean())
_ONE = sa.literal_column("1", sa.Integer())


class SQLTrial(msgspec.Struct, frozen=True, eq=False):
    """A statement to try: `select` with all of its values, `select_constants` with NULL in place of those that come of
    the actor. `refusal` makes the mistake of a sentence without its subject, and a hint.

    `may_be_of_another_type` says that the value which a sample has is no evidence of its type.
    """

    select: "sa.Select[Any]"
    select_constants: Callable[[], "sa.Select[Any]"]
    refusal: Callable[[str, str | None], ConfigurationError]
    may_be_of_another_type: bool = False


def sql_trials(served: Iterable[ServedModel], users: SampleUsers | None) -> list[SQLTrial]:
    """One trial of each expression, and of each shape of SQL that a policy function has, in these resources."""
    tried: set[Hashable] = set()
    return [
        trial
        for item in served
        for trial in (*_expressions(item), *_restrictions(item), *_policies(item, users, tried))
    ]


def _restrictions(served: ServedModel) -> Iterator[SQLTrial]:
    """The condition of `where=`, which is the same for every actor."""
    where = served.resource.where
    if where is None:
        return

    def refusal(problem: str, hint: str | None) -> ConfigurationError:
        location = f"Resource({served.entity.name}, where=...)"
        return ConfigurationError(problem, location=location, source=served.resource.source, hint=hint)

    trial = _trial(where, served.entity, bind_decision(where, system, served.entity), lambda: system, None)
    yield msgspec.structs.replace(trial, refusal=refusal)


def _policies(served: ServedModel, users: SampleUsers | None, tried: set[Hashable]) -> Iterator[SQLTrial]:
    # One policy is often that of several actions and of many fields.
    policies = {id(policy): policy for policy, _ in reached_policies(served)}
    reaches: dict[int, list[Callable[[Actor], bool]]] = {}
    for policy, is_reached in reached_policies(served):
        reaches.setdefault(id(policy), []).append(is_reached)
    for key, policy in policies.items():
        found = trial_actors(policy, served.entity, users, partial(_any, reaches[key]))
        for where, actor, find_other in found:
            if failure_of(where, served.entity, actor) is not None:
                continue  # what is not refused depends on a value that no sample has
            rule = _bound(where, served.entity, actor)
            if rule is not None and (where, served.entity.model, rule.functions) not in tried:
                tried.add((where, served.entity.model, rule.functions))
                yield _trial(where, served.entity, rule, find_other, users)


def _bound(where: Where, entity: Entity, actor: Actor) -> BoundRule | None:
    """The function's condition for an actor. None where one that it asks for by `readable()` depends on a value that no
    sample has: that one is tried by itself."""
    try:
        return bind_decision(where, actor, entity)
    except Exception:
        return None


def _any(reaches: Iterable[Callable[[Actor], bool]], actor: Actor) -> bool:
    return any(is_reached(actor) for is_reached in reaches)


def _trial(
    where: Where, entity: Entity, rule: BoundRule, find_other: Callable[[], Actor], users: SampleUsers | None
) -> SQLTrial:
    actor = rule.actor
    source = TableRef.of(entity)
    condition = sa.and_(*rule.conditions(source))
    values = {ACTOR_ID: actor.id} | {bound.name: bound.value for bound in rule.bounds()}
    kept = rule.bounds()  # as long as these objects are there, no others have the names of their binds

    def with_constants() -> sa.Select[Any]:
        constant = _constants(where, entity, find_other(), kept)
        return _select(source, condition, {name: constant.get(name) for name in values})

    return SQLTrial(
        _select(source, condition, values),
        with_constants,
        partial(refusal_of, where),
        users is not None and _has_unknown(kept, actor, users),
    )


def _constants(where: Where, entity: Entity, other: Actor, bounds: Sequence[Bound]) -> dict[str, Any]:
    """Those of the values that the function binds for another actor as well; none where its SQL differs then."""
    found = None if failure_of(where, entity, other) is not None else _bound(where, entity, other)
    theirs = [] if found is None else found.bounds()
    if len(theirs) != len(bounds):
        return {}
    pairs = zip(bounds, theirs, strict=True)
    return {mine.name: mine.value for mine, their in pairs if _is_same(mine.value, their.value)}


def _has_unknown(bounds: Iterable[Bound], actor: Actor, users: SampleUsers) -> bool:
    values = (actor.user, *(value for bound in bounds for value in _members(bound.value)))
    return any(value is users.unknown for value in values)


def _members(value: Any) -> Iterable[Any]:
    return cast("Iterable[Any]", value) if isinstance(value, list | tuple | set | frozenset) else (value,)


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other or one is other)


def _select(source: TableRef, condition: sa.ColumnElement[bool], values: Mapping[str, Any]) -> "sa.Select[Any]":
    return sa.select(_ONE).select_from(source.table).where(sa.and_(_NEVER, _with_values(condition, values)))


def _with_values(condition: sa.ColumnElement[bool], values: Mapping[str, Any]) -> sa.ColumnElement[bool]:
    """The condition with values of its own, so that many of them can be parts of one statement."""

    def replace(element: Any, **_: Any) -> Any:
        if not isinstance(element, sa.BindParameter) or element.key not in values:
            return None
        kind: Any = cast("Any", element).type
        return cast("Any", sa.bindparam(None, values[element.key], type_=kind, unique=True))

    return visitors.replacement_traverse(condition, {}, replace)


def _expressions(served: ServedModel) -> Iterator[SQLTrial]:
    """The fields of a resource that are expressions. Those of rows that can be written are in a RETURNING clause as
    well, where PostgreSQL takes less than in a SELECT; a WHERE clause is as strict."""
    is_written = any(served.is_possible(action) for action in ("create", "update"))
    for attribute in served.entity.attributes.values():
        if attribute.is_expression and not served.fields[attribute.name].hidden:
            select = _selecting(served.entity, attribute.name, is_written=is_written)
            refusal = partial(_expression_refusal, served.entity, attribute.name)
            yield SQLTrial(select, partial(_itself, select), refusal)


def _selecting(entity: Entity, name: str, *, is_written: bool) -> "sa.Select[Any]":
    source = TableRef.of(entity)
    columns = [source.column(each) for each in (*entity.key.names, name)]
    row = sa.select(*(column.label(f"c{number}") for number, column in enumerate(columns))).select_from(source.table)
    if is_written:
        row = row.where(columns[-1].is_(None))
    return sa.select(_ONE).select_from(row.subquery()).where(_NEVER)


def _itself(select: "sa.Select[Any]") -> "sa.Select[Any]":
    return select


def _expression_refusal(entity: Entity, name: str, problem: str, hint: str | None) -> ConfigurationError:
    return ConfigurationError(
        f"the expression {problem}",
        location=f"{entity.name}.{name}",
        source=attribute_location(entity.model, name),
        hint=hint,
    )
