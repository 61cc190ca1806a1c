"""Policies of a class together with those of its subclasses' resources.

A row belongs to the resource of its class, otherwise of its nearest mapped ancestor that has one. The resource of a
base shows and changes rows of other resources as well, where both policies hold.
"""

from collections.abc import Callable, Sequence
from typing import final

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.declaring.policies import Decision, Every, Not, OneOf, Policy, RowCondition, Some, both, is_nobody
from gatepost.models.entity import Entity


class AsClass(RowCondition, frozen=True):
    """The rule holds for the row as another class over its table maps it. `entity` is that class's."""

    entity: Entity
    rule: RowCondition


class ClassShare(msgspec.Struct, frozen=True, eq=False):
    """The rows among those of a base that belong to another resource: by the discriminators in `rows`, and the policy
    of that resource in terms of its `entity`."""

    entity: Entity
    rows: OneOf
    policy: Policy


@final
class ClassPolicy(Policy):
    """The policy of a base's resource, together with that of the resource that each row belongs to."""

    __slots__ = ("_own", "_shares")

    def __init__(self, own: Policy, shares: Sequence[ClassShare]) -> None:
        self._own = own
        self._shares = tuple(shares)

    def decide(self, actor: Actor) -> Decision:
        own = self._own.decide(actor)
        return own if own is False else self._together(own, lambda policy: policy.decide(actor))

    def restriction(self) -> Decision:
        return self._together(self._own.restriction(), lambda policy: policy.restriction())

    @property
    def is_same_for_all(self) -> bool:
        return all(policy.is_same_for_all for policy in (self._own, *(share.policy for share in self._shares)))

    def _together(self, own: Decision, decide: Callable[[Policy], Decision]) -> Decision:
        ruled = [(share, decide(share.policy)) for share in self._shares]
        narrowed = [(share, decision) for share, decision in ruled if decision is not True]
        if not narrowed:
            return own
        values = tuple(value for share, _ in narrowed for value in share.rows.values)
        others = Not(OneOf(narrowed[0][0].rows.name, values))
        ways = [
            Every((share.rows, AsClass(share.entity, decision)))
            for share, decision in narrowed
            if not isinstance(decision, bool)
        ]
        return both(own, Some((others, *ways)) if ways else others)

    def __repr__(self) -> str:
        return f"{self._own!r} and that of each row's resource"


def with_shares(own: Policy, shares: Sequence[ClassShare]) -> Policy:
    """The policy of a base and of the rows of other resources; the base's itself where theirs never refuses."""
    narrowing = [share for share in shares if not (share.policy.is_constant and share.policy.decide(anonymous))]
    return own if is_nobody(own) or not narrowing else ClassPolicy(own, narrowing)
