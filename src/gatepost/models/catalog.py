"""The catalog: every served model with its declaration, and which of its fields an actor sees and sets.

Built once, when the app is. Layers ask it for a model, a table or a path; it holds nothing of a request.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from gatepost.actor import Actor, anonymous
from gatepost.declaring.policies import Decision, Policy, RowCondition, decide, is_nobody, nobody, owners
from gatepost.declaring.resource import ACTIONS, PATH, Field, Resource, hidden
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.base import FIELD
from gatepost.models.entity import Attribute, Entity, Relation, entity_of
from gatepost.models.mapping import TableKey, table_key
from gatepost.sources import location_of
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


class ServedModel:
    """One model on the wire: its declaration, its entity, and the views of its fields.

    `only_view` is the view of every request, where no field's rule depends on the actor; otherwise None. `required` are
    the fields that the body of a creation has to have; an owner's key is filled in.
    """

    def __init__(self, resource: Resource[Any], entity: Entity) -> None:
        self.resource = resource
        self.entity = entity
        self.path = resource.path or str(entity.table.name)
        self.relations: dict[str, tuple[Relation, ServedModel]] = {}
        self.fields: dict[str, Field] = {
            name: resource.fields.get(name) or default_field(attribute) for name, attribute in entity.attributes.items()
        }
        self.rules = {name: _rules(attribute, self.fields[name]) for name, attribute in entity.attributes.items()}
        owned = owners(resource.policies["create"])
        self.required = frozenset(
            name for name, attribute in entity.attributes.items() if attribute.is_required and name not in owned
        )
        policies = [policy for rules in self.rules.values() for policy in (rules.read, rules.create, rules.update)]
        # One policy may be the rule of many fields; it is decided once per request.
        self._actor_policies = tuple({id(policy): policy for policy in policies if not policy.is_constant}.values())
        self._views: dict[tuple[Any, ...], View] = {}
        self._system_view: View | None = None
        self.only_view = None if self._actor_policies else self._make_view(anonymous)

    @property
    def writable(self) -> list[Attribute]:
        """The attributes that some actor may set by a body."""
        return [
            attribute
            for attribute in self.entity.attributes.values()
            if any(self.is_open(attribute, action) for action in ("create", "update"))
        ]

    def is_open(self, attribute: Attribute, action: str) -> bool:
        """Whether some actor may set an attribute when a row is created, or updated."""
        if attribute.managed or (attribute.primary_key and action == "update"):
            return False
        rules = self.rules[attribute.name]
        rule = rules.create if action == "create" else rules.update
        return not (is_nobody(self.resource.policies[action]) or is_nobody(rule))

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


def _rules(attribute: Attribute, field: Field) -> FieldRules:
    """The declared rules; a column whose own default is closed is opened only where the resource says so."""
    default = default_field(attribute)
    create, update = (
        default.policy(action) if (said := field.declared_policy(action)) is None else said
        for action in ("create", "update")
    )
    return FieldRules(field.read, create, update)


def _only_rules(decisions: Mapping[str, Decision]) -> dict[str, RowCondition]:
    return {name: decision for name, decision in decisions.items() if isinstance(decision, RowCondition)}


class Catalog:
    """All served models of an app, except those whose mistakes keep them from being read."""

    def __init__(
        self, resources: Iterable[Resource[Any]], mistakes: Mistakes, *, bigint_as_string: bool = False
    ) -> None:
        self.served: list[ServedModel] = []
        self.by_model: dict[type[Any], ServedModel] = {}
        self.by_path: dict[str, ServedModel] = {}
        self.by_table: dict[TableKey, ServedModel] = {}
        for resource in resources:
            model = resource.model
            with mistakes.check(partial(location_of, model), model.__name__):
                entity = entity_of(model, bigint_as_string=bigint_as_string)
                with mistakes.check(resource.source):
                    self._enter(ServedModel(resource, entity))
        for item in self.served:
            with mistakes.check(item.resource.source):
                self._check(item)
            item.relations = {
                name: (relation, self.by_model[relation.target])
                for name, relation in item.entity.relations.items()
                if relation.target in self.by_model
            }

    def _enter(self, item: ServedModel) -> None:
        location = f"Resource({item.entity.name})"
        self.served.append(item)
        if item.entity.model in self.by_model:
            raise ConfigurationError("the model has two resources.", location=location, hint="Keep one.")
        if item.path in self.by_path or item.path in ("auth", "batch"):
            raise ConfigurationError(
                f"the path {item.path!r} is taken.", location=location, hint="Choose another path=."
            )
        if not PATH.fullmatch(item.path):
            hint = 'Write path= with letters, digits, "-", "_", "." and "~", without a slash at its ends.'
            raise ConfigurationError(f"{item.path!r} is not a path.", location=location, hint=hint)
        table = table_key(item.entity.table)
        if table in self.by_table:
            raise two_classes(self.by_table[table].entity, item.entity)
        self.by_model[item.entity.model] = self.by_path[item.path] = item
        self.by_table[table] = item

    def _check(self, item: ServedModel) -> None:
        location = f"Resource({item.entity.name})"
        for action in ("create", "update", "delete"):
            if item.entity.key.is_composite and item.resource.policies[action] is not nobody:
                raise ConfigurationError(
                    f"opens {action}, but rows with a composite primary key ({', '.join(item.entity.key.names)}) can "
                    "only be read.",
                    location=location,
                    hint="Leave out write=, create=, update= and delete=. A service of another resource can write such "
                    "rows by its session.",
                )
        clash = set(item.entity.relations) & set(item.entity.attributes)
        if clash:
            raise ConfigurationError(f"{sorted(clash)} are both a column and a relation.", location=location)
        assert set(item.resource.policies) == set(ACTIONS)  # noqa: S101 - of our own making


def two_classes(first: Entity, second: Entity) -> ConfigurationError:
    """The error for two classes over one table: each would bypass the policies and hidden fields of the other."""
    names = [entity.table.fullname for entity in (first, second)]
    mapped = f"the table {names[0]!r} is mapped to {first.name} and to {second.name}, and the app serves both."
    if names[0] != names[1]:
        mapped = (
            f"{names[0]!r} of {first.name} and {names[1]!r} of {second.name} are one table on the default search_path, "
            "and the app serves both."
        )
    return ConfigurationError(
        mapped,
        location=f"Resource({second.name})",
        hint="Serve the table by one class; show other clients less of it with policies and Field(read=...).",
    )
