"""What compiled verbs and services enforce before they write: owners, versions, policies and rules of fields."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.call import Call
from gatepost.database.connection import Record
from gatepost.declaring.policies import Decision, Every, Not, OneOf, Owned, RowCondition
from gatepost.errors import Forbidden, NotFound, PreconditionFailed, Problem
from gatepost.models.class_policies import AsClass
from gatepost.models.conditions import COMBINED, Below, BoundRule, bind_policy, holds
from gatepost.models.entity import Entity
from gatepost.models.nesting import Nesting
from gatepost.models.recipes import Bound
from gatepost.models.restrictions import Restriction
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import RowStatusPlan
from gatepost.services.verbs import UnseenFields, Versions

RowAbove: TypeAlias = Below
"""The row above others that a path names, as a condition on these."""


class ProposedRow:
    """The values of a row that does not exist yet, as attributes of an object: policies read it as they read a row."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> None:
        return None


def rule_of(served: ServedModel, action: str, actor: Actor) -> BoundRule:
    """The policy of an action on a resource, decided for an actor."""
    return bind_policy(served.policies[action], actor, served.entity)


def rule_of_call(served: ServedModel, action: str, call: Call) -> BoundRule:
    """The policy of an action for the actor of a call, on rows below the one that its path names."""
    above: Below | None = call.below
    rule = rule_of(served, action, call.actor)
    return rule if above is None or above.nesting is not served.nesting else below(rule, above)


def row_above(nesting: Nesting, above: ServedModel, value: Any, actor: Actor, outer: RowAbove | None) -> RowAbove:
    """The row above that a path names by `value`, where the actor may read it and it is below `outer`."""
    return Below(nesting, below(rule_of(above, "get", actor), outer), Bound(value))


def rows_up_to(above: RowAbove | None) -> list[RowAbove]:
    """A row above others, behind those that it is below itself, outermost first."""
    return [] if above is None else [*rows_up_to(above.rule.below), above]


def below(rule: BoundRule, above: Below | None) -> BoundRule:
    """The rule for rows below another."""
    return rule if above is None else msgspec.structs.replace(rule, below=above)


def fill_owner(served: ServedModel, values: dict[str, Any], actor: Actor) -> None:
    """Set the owner columns that a body leaves out to the actor's id."""
    if actor.id is not None:
        for name in served.owned:
            values.setdefault(name, actor.id)


def denied(rule: BoundRule) -> Problem:
    """The refusal of a written row that does not satisfy the rule: 403 for everybody where only the `where=` of the
    resource refuses it, because signing in would not help."""
    if isinstance(rule.decision, Restriction):
        return Forbidden("forbidden", "The row would not be one of those that are served here.")
    return access_denied(rule.actor)


def not_found() -> NotFound:
    """The refusal for a row that is absent or hidden: a client cannot tell the two apart."""
    return NotFound("not_found", "There is nothing here that you may see.")


def raise_refusal(
    record: Record | None, plan: RowStatusPlan, versions: Versions, actor: Actor, names: Collection[str] = ()
) -> None:
    """Raise where a change of these fields of the row is refused; return where it is not.

    Fields that the actor neither sees nor writes come before the policy: unknown fields are refused when the body is
    decoded, which is before any row is read, and a hidden field must look like an unknown one.
    """
    if record is None or not record[plan.readable_index]:
        raise not_found()
    if unseen := unseen_fields(record, plan, names):
        raise UnseenFields(unseen)
    if not record[plan.permitted_index]:
        raise access_denied(actor)
    if refused := [name for name in names if plan.is_refused(record, name)]:
        raise access_denied(actor, fields=refused)  # the row shows them all: those that it does not are unseen
    if versions is not None and record[plan.version_index] not in versions:
        raise PreconditionFailed("version_mismatch", "The row has changed since you read it; read it again.")


def unseen_fields(record: Record, plan: RowStatusPlan, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that the row neither shows nor lets be written."""
    is_permitted = bool(record[plan.permitted_index])
    return frozenset(
        name for name in names if not (plan.is_shown(record, name) or (is_permitted and plan.is_writable(record, name)))
    )


def with_field_rules(decision: Decision, rules: Mapping[str, RowCondition], names: Iterable[str]) -> Decision:
    """What the row must satisfy when these fields are set: the policy of the action and those of the fields."""
    found = [rules[name] for name in names if name in rules]
    if not found or decision is False:
        return decision
    return Every((*([] if decision is True else [decision]), *found))


def refused_fields(
    rules: Mapping[str, RowCondition], names: Iterable[str], row: ProposedRow, actor: Actor
) -> list[str]:
    """Those of `names` whose own rules do not hold for a row that is to be created, as far as Python can tell."""
    return [name for name in names if name in rules and holds(rules[name], row, actor) is False]


def depends_on(decision: Decision, names: Iterable[str], entity: Entity) -> bool:
    """Whether writing these attributes can change the decision for a row."""
    deciding = deciding_names(decision, entity)
    return deciding is None or not deciding.isdisjoint(names)


def deciding_names(decision: Decision, entity: Entity) -> frozenset[str] | None:
    """The attributes of a row on whose values the decision for it depends; None where it may depend on any."""
    if isinstance(decision, bool | OneOf):  # the mapper writes the discriminator, once
        return frozenset()
    if isinstance(decision, Owned):
        first = decision.path[0]
        relation = entity.relations.get(first)
        column = entity.attribute_of(relation.local) if relation is not None else None
        return frozenset({column.name if column is not None else first})
    if isinstance(decision, AsClass):
        return deciding_names(decision.rule, decision.entity)
    if isinstance(decision, Not):
        return deciding_names(decision.rule, entity)
    if isinstance(decision, COMBINED):
        parts = [deciding_names(rule, entity) for rule in decision.rules]
        known = [part for part in parts if part is not None]
        return frozenset[str]().union(*known) if len(known) == len(parts) else None
    return None
