"""A served model: its declaration, its entity, and which of its fields an actor sees and sets.

Made once for each resource, when the app is built, by `catalog.py`. Layers read it; it holds nothing of a request.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.declaring.dto import declared_of
from gatepost.declaring.policies import (
    Decision,
    OneOf,
    Policy,
    RowCondition,
    decide,
    is_nobody,
    nobody,
    owners,
)
from gatepost.declaring.resource import Field, Resource, hidden
from gatepost.models.base import FIELD, PERSONAL
from gatepost.models.class_policies import ClassShare, with_shares
from gatepost.models.entity import Attribute, Entity, Relation
from gatepost.models.nesting import Nesting, template_of
from gatepost.models.restrictions import policies_of
from gatepost.view import View

DEFAULT_FIELD = Field()


def default_field(attribute: Attribute) -> Field:
    """The rules of a field where a resource declares none: those of its column, if it has any. An attribute that
    Python's convention makes private is hidden."""
    return attribute.column.info.get(FIELD) or (hidden if attribute.name.startswith("_") else DEFAULT_FIELD)


class FieldRules(msgspec.Struct, frozen=True, eq=False):
    """Who reads one field, who sets it when a row is created, and who changes it afterwards."""

    read: Policy
    create: Policy
    update: Policy


_CLOSED = FieldRules(nobody, nobody, nobody)


class ClassRows(NamedTuple):
    """The rows among those of a class that belong to the resource of another, a subclass: by their discriminators."""

    rows: OneOf
    resource: Resource[Any]
    entity: Entity

    @property
    def model(self) -> type[Any]:
        """The other class."""
        return self.entity.model

    def share(self, policy: Policy) -> ClassShare:
        """These rows under a policy of their resource."""
        return ClassShare(self.entity, self.rows, policy)


class ServedModel:
    """One model on the wire: its declaration, its entity, and the views of its fields.

    `policies` and `rules` are those that hold for its rows: the declared ones (`own_rules`), and for the rows in
    `others` those of their own resources as well. `only_view` is the view of every request, where no field's rule
    depends on the actor; otherwise None. `attribute_names` and `relation_names` lead from the names that clients know
    to those of the model. `required` are the fields that the body of a creation has to have; those that are `owned` are
    filled with the actor's id. `name` is what operations and rate limits are called by; in a `group` it begins with the
    name of the group, and so does `full_path`, by which statements and cursors are called. One that `is_inherited` is
    the app's resource as a group uses it, without routes. Rows that are nested belong to a row of `above`. `answers` is
    the DTO that a row is shown as, `lists` that of the rows of a list: None for the fields themselves. `row_name` is
    what dialects call a row, None where they have no name for it.
    """

    def __init__(  # noqa: PLR0913 - what a model is served by
        self,
        resource: Resource[Any],
        entity: Entity,
        others: Sequence[ClassRows] = (),
        nesting: Nesting | None = None,
        *,
        group: str = "",
        is_inherited: bool = False,
    ) -> None:
        self.nesting = nesting
        self.resource = resource
        self.entity = entity
        self.others = tuple(others)
        self.path = resource.path or str(entity.table.name)
        self.full_path = "/".join(filter(None, (group, self.path)))
        self.name = ".".join(filter(None, (group, resource.name or self.path)))
        self.group = group
        self.is_inherited = is_inherited
        self.has_routes = resource.routes and not is_inherited
        self.above: ServedModel | None = None
        self.row_name: str | None = None if resource.answers is None else declared_of(resource.answers).name
        self.answers: Any = None  # `DTOMembers`, which are read against the catalog
        self.lists: Any = None
        self.relations: dict[str, tuple[Relation, ServedModel]] = {}
        self.relation_names = {each.wire_name: name for name, each in entity.relations.items()}
        self.fields = {name: _field(resource, attribute) for name, attribute in entity.attributes.items()}
        for name, attribute in entity.attributes.items():
            if self.fields[name].personal:
                attribute.column.info[PERSONAL] = True
        policies = policies_of(resource, entity)
        shared = [(item, policies_of(item.resource, item.entity)) for item in others]
        shown = {name: each for name, each in entity.attributes.items() if not self.fields[name].hidden}
        self.wire_names = {name: each.wire_name for name, each in entity.attributes.items()}
        self.attribute_names = {each.wire_name: name for name, each in shown.items()}
        self.policies = {
            action: with_shares(policy, [item.share(theirs[action]) for item, theirs in shared])
            for action, policy in policies.items()
        }
        self.policies["create"] = policies["create"]  # makes a row of this very class
        self.own_rules = {name: _rules(resource, attribute) for name, attribute in entity.attributes.items()}
        if nesting is not None:  # the path says it
            read = self.own_rules[nesting.foreign_key].read
            self.own_rules[nesting.foreign_key] = FieldRules(read, nobody, nobody)
        self.rules = {
            name: _shared_rules(attribute, self.own_rules[name], others)
            for name, attribute in entity.attributes.items()
        }
        self.owned = owners(resource.policies["create"])
        self.required = frozenset(
            name
            for name, attribute in entity.attributes.items()
            if attribute.is_required and name not in self.owned and not self.is_in_path(name)
        )
        ruling = [policy for rules in self.rules.values() for policy in (rules.read, rules.create, rules.update)]
        # One policy may be the rule of many fields; it is decided once per request.
        self._actor_policies = tuple({id(policy): policy for policy in ruling if not policy.is_constant}.values())
        self.bodies: dict[str, Mapping[str, Attribute]] = {}
        """The members of the bodies of actions for which the resource declares a DTO."""
        self._views: dict[tuple[Any, ...], View] = {}
        self._system_view: View | None = None
        self.only_view = None if self._actor_policies else self._make_view(anonymous)

    @cached_property
    def addressed(self) -> "ServedModel":
        """The same, with the column by which paths name its rows as the key of the entity."""
        return self if self.resource.key is None else self.addressed_by(self.resource.key)

    def addressed_by(self, name: str) -> "ServedModel":
        """The same, with this unique attribute as the key of the entity."""
        if (name,) == self.entity.key.names:
            return self
        found = copy(self)
        found.entity = self.entity.with_key(name)
        return found

    def is_in_path(self, name: str) -> bool:
        """Whether the path of a row says the value of this attribute: the foreign key to the row above."""
        return self.nesting is not None and self.nesting.foreign_key == name

    @property
    def template(self) -> str:
        """The path of its rows below the prefix, with a parameter for each row above."""
        return template_of(self.resource, self.entity)

    @property
    def rows_above(self) -> "list[tuple[Nesting, ServedModel]]":
        """What stands above its rows, outermost first, each with the nesting of what is below it."""
        if self.nesting is None or self.above is None:
            return []
        return [*self.above.rows_above, (self.nesting, self.above)]

    @property
    def writable(self) -> list[Attribute]:
        """The attributes that some actor may set by a body."""
        return [
            attribute
            for attribute in self.entity.attributes.values()
            if any(self.is_open(attribute, action) for action in ("create", "update"))
        ]

    def offers(self, action: str) -> bool:
        """Whether the action has an endpoint: some actor may ask for it, and it can be done."""
        return self.resource.policies[action] is not nobody and (action != "create" or self.entity.is_creatable)

    @property
    def requires_version(self) -> bool:
        """Whether a write has to say of which version of the row it is: where one of the resources whose rows it may
        change says so."""
        return any(item.require_if_match for item in (self.resource, *(other.resource for other in self.others)))

    def is_possible(self, action: str) -> bool:
        """Whether an actor other than the system may do it, and it can be done."""
        return self.offers(action) and not is_nobody(self.policies[action])

    def is_open(self, attribute: Attribute, action: str) -> bool:
        """Whether some actor may set an attribute when a row is created, or updated."""
        if attribute.managed or (attribute.primary_key and action == "update"):
            return False
        rules = self.rules[attribute.name]
        rule = rules.create if action == "create" else rules.update
        return self.is_possible(action) and not is_nobody(rule)

    def __repr__(self) -> str:
        return f"ServedModel({self.entity.name} at {self.path})"

    def view(self, actor: Actor) -> View:
        """The view of this actor."""
        if actor.is_system:
            self._system_view = self._system_view or self._make_view(actor)
            return self._system_view
        if self.only_view is not None:
            return self.only_view
        key = tuple([policy.decide(actor) for policy in self._actor_policies])
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._make_view(actor)
        return view

    def _make_view(self, actor: Actor) -> View:
        names: list[str] = []
        ruled: dict[str, RowCondition] = {}
        creatable: dict[str, Decision] = {}
        updatable: dict[str, Decision] = {}
        for name, attribute in self.entity.attributes.items():
            rules = self.rules[name]
            read, create, update = (decide(rule, actor) for rule in (rules.read, rules.create, rules.update))
            if isinstance(read, RowCondition):
                ruled[name] = read
            elif read:
                names.append(name)
            if create is not False and not attribute.managed:
                creatable[name] = create
            if update is not False and not (attribute.managed or attribute.primary_key):
                updatable[name] = update
        create_rules = _only_rules(creatable)
        return View(
            tuple(names),
            ruled,
            (*names, *ruled),
            frozenset(creatable),
            frozenset(updatable),
            create_rules,
            _only_rules(updatable),
            maybe_unknown=frozenset((updatable.keys() | ruled.keys()) - set(names)),
            maybe_unknown_on_create=frozenset(create_rules.keys() - ruled.keys() - set(names)),
        )


def _field(resource: Resource[Any], attribute: Attribute) -> Field:
    return resource.fields.get(attribute.name) or default_field(attribute)


def _rules(resource: Resource[Any], attribute: Attribute) -> FieldRules:
    """The declared rules; a column whose own default is closed is opened only where the resource says so."""
    default = default_field(attribute)
    field = _field(resource, attribute)
    create, update = (
        default.policy(action) if (said := field.declared_policy(action)) is None else said
        for action in ("create", "update")
    )
    return FieldRules(field.read, create, update)


def _shared_rules(attribute: Attribute, own: FieldRules, others: Sequence[ClassRows]) -> FieldRules:
    """The rules of a field, together with those of the same column in the other resources."""
    rules = [(item, _rules_of(attribute, item)) for item in others]
    return FieldRules(
        with_shares(own.read, [item.share(theirs.read) for item, theirs in rules]),
        own.create,
        with_shares(own.update, [item.share(theirs.update) for item, theirs in rules]),
    )


def _rules_of(attribute: Attribute, other: ClassRows) -> FieldRules:
    same = other.entity.attributes.get(attribute.name)
    theirs = same if attribute.is_expression else other.entity.attribute_of(attribute.column)
    return _CLOSED if theirs is None else _rules(other.resource, theirs)


def _only_rules(decisions: Mapping[str, Decision]) -> dict[str, RowCondition]:
    return {name: decision for name, decision in decisions.items() if isinstance(decision, RowCondition)}
