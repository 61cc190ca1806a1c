"""Steps over relations, of filters and expansions, under the policies of the rows that they lead to."""

from typing import Any, NamedTuple

from sqlalchemy import Column

from gatepost.actor import Actor
from gatepost.declaring.policies import both, decide
from gatepost.models.conditions import BoundRule, bind_decision
from gatepost.models.entity import Relation
from gatepost.models.served_model import ServedModel


class RelationStep(NamedTuple):
    """A relation that a filter or an expansion follows, and the rule of the target's rows for the actor."""

    relation: Relation
    target: ServedModel
    rule: BoundRule


def find_step(served: ServedModel, name: str, actor: Actor, *, enumerates: bool = False) -> RelationStep | None:
    """A step over a relation, None where the actor does not see it. A step that `enumerates`, which finds rows without
    knowing their keys, requires the target's `list` as well as its `get`."""
    relation, target = served.relations.get(name, (None, None))
    if relation is None or target is None:
        return None
    if not (_is_seen(served, relation.local, actor) and _is_seen(target, relation.remote, actor)):
        return None
    policies = target.policies
    decision = decide(policies["get"], actor)
    if enumerates and decision is not False and policies["list"] is not policies["get"]:
        decision = both(decision, decide(policies["list"], actor))
    if decision is False:
        return None
    return RelationStep(relation, target, bind_decision(decision, actor, target.entity))


def find_expandable(served: ServedModel, name: str, actor: Actor) -> RelationStep | None:
    """A step to the one row that a foreign key refers to, under the target's `get`: an actor who sees the key may get
    the row. In the other direction (a one-to-one relation from the target) no key is seen, so the step `enumerates`."""
    step = find_step(served, name, actor)
    if step is None or step.relation.many:
        return None
    names_target = any(key.column is step.relation.remote for key in step.relation.local.foreign_keys)
    return step if names_target else find_step(served, name, actor, enumerates=True)


def _is_seen(served: ServedModel, column: Column[Any], actor: Actor) -> bool:
    """Whether the actor sees a column by which a relation joins: otherwise the relation would reveal its values."""
    attribute = served.entity.attribute_of(column)
    return attribute is not None and attribute.name in served.view(actor).names
