"""Who a document is for: which fields, relations and operations it may name.

An actor's document names what the API itself would tell this actor. The owner's names everything that some client can
see; a field that is hidden from every client is in none.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from gatepost.actor import Actor
from gatepost.declaring.policies import Policy, decide, is_everyone, is_nobody
from gatepost.models.dto_members import DTOMembers, RelatedMember
from gatepost.models.relation_steps import RelationStep, find_expandable, find_step
from gatepost.models.served_model import ServedModel
from gatepost.openapi.described import DescribedAPI


class VisibleFields(NamedTuple):
    """The fields of a resource that an audience sees and sets, as names of attributes. Those in `always` are shown on
    every row, those in `compared` can be filtered and sorted by."""

    shown: tuple[str, ...]
    always: frozenset[str]
    compared: frozenset[str]
    creatable: frozenset[str]
    updatable: frozenset[str]


class Audience(Protocol):
    """What one document may name. `note` is what it says of that to its readers."""

    note: str

    def fields(self, served: ServedModel) -> VisibleFields:
        """The fields of a resource."""
        ...

    def may_see(self, policy: Policy) -> bool | None:
        """Whether what has this read policy is shown: on every row, on none, or (None) on some."""
        ...

    def may_call(self, policy: Policy) -> bool:
        """Whether an operation with this policy is one for the audience."""
        ...

    def relation(self, served: ServedModel, name: str, *, expands: bool) -> ServedModel | None:
        """What a relation leads to that can be expanded, or filtered over; None where there is none."""
        ...


class ActorAudience:
    """An actor. Anonymous ones are told of the operations that signing in would open to a user without roles, `then`;
    what only roles open, nobody learns before having them."""

    def __init__(self, actor: Actor, then: Actor | None) -> None:
        self._actor = actor
        self._then = then
        self.note = "Users with roles see more when they are signed in." if actor.is_anonymous else ""

    def fields(self, served: ServedModel) -> VisibleFields:
        view = served.view(self._actor)
        return VisibleFields(view.shown, frozenset(view.names), frozenset(view.names), view.creatable, view.updatable)

    def may_see(self, policy: Policy) -> bool | None:
        decision = decide(policy, self._actor)
        return decision if isinstance(decision, bool) else None

    def may_call(self, policy: Policy) -> bool:
        return decide(policy, self._actor) is not False or self._would_open(policy)

    def _would_open(self, policy: Policy) -> bool:
        """Whether signing in would help."""
        if self._then is None:
            return False
        try:
            return decide(policy, self._then) is not False
        except Exception:  # a user who is made up has not everything that a policy of the application's may ask for
            return False

    def relation(self, served: ServedModel, name: str, *, expands: bool) -> ServedModel | None:
        find = find_expandable if expands else _find_filterable
        step = find(served, name, self._actor)
        return None if step is None else step.target


def _find_filterable(served: ServedModel, name: str, actor: Actor) -> RelationStep | None:
    return find_step(served, name, actor, enumerates=True)


class OwnerAudience:
    """The owner of the API, who sees what any client can see."""

    note = ""

    def fields(self, served: ServedModel) -> VisibleFields:
        attributes, rules = served.entity.attributes.values(), served.rules
        shown = tuple(item.name for item in attributes if not is_nobody(rules[item.name].read))
        return VisibleFields(
            shown,
            frozenset(name for name in shown if is_everyone(rules[name].read)),
            frozenset(shown),
            frozenset(item.name for item in attributes if served.is_open(item, "create")),
            frozenset(item.name for item in attributes if served.is_open(item, "update")),
        )

    def may_see(self, policy: Policy) -> bool | None:
        return policy.decide(ANYBODY) is True if policy.is_constant else None

    def may_call(self, policy: Policy) -> bool:
        return not is_nobody(policy)

    def relation(self, served: ServedModel, name: str, *, expands: bool) -> ServedModel | None:
        relation, target = served.relations.get(name, (None, None))
        if relation is None or target is None or (expands and relation.many):
            return None
        here, there = served.entity.attribute_of(relation.local), target.entity.attribute_of(relation.remote)
        is_seen = (
            here is not None
            and there is not None
            and here.name in self.fields(served).compared
            and there.name in self.fields(target).compared
        )
        is_listed = not is_nobody(target.policies["get"]) and (expands or not is_nobody(target.policies["list"]))
        return target if is_seen and is_listed else None


ANYBODY = Actor()
"""For policies that decide alike for everybody."""


def deciding_policies(api: DescribedAPI) -> Sequence[Policy]:
    """The policies on which it depends what a document names: actors for whom all decide alike have one document."""
    return [*{id(policy): policy for policy in _policies(api) if not policy.is_constant}.values()]


def _policies(api: DescribedAPI) -> Iterable[Policy]:
    for served in api.served:
        yield from served.policies.values()
        for rules in served.rules.values():
            yield from (rules.read, rules.create, rules.update)
        yield from _member_policies([each for each in (served.answers, served.lists) if each is not None])
    for verb in api.verbs:
        yield verb.operation.allow
    for endpoint in api.endpoints:
        yield endpoint.operation.allow
        yield from _member_policies([] if endpoint.dto is None else [endpoint.dto])


def _member_policies(dtos: Iterable[DTOMembers]) -> Iterable[Policy]:
    for dto in dtos:
        for member in dto.members:
            yield member.read
            if isinstance(member, RelatedMember):
                yield from _member_policies([member.shown])
