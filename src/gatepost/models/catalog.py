"""The catalog: every served model with its declaration, and which of its fields an actor sees and sets.

Built once, when the app is. Layers ask it for a model, a table or a path; it holds nothing of a request.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from functools import cached_property, partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper

from gatepost.actor import Actor, anonymous
from gatepost.declaring.dto import declared_of
from gatepost.declaring.policies import (
    Decision,
    OneOf,
    Policy,
    RowCondition,
    anyone,
    decide,
    is_nobody,
    nobody,
    owners,
)
from gatepost.declaring.resource import ACTIONS, PATH, Field, Resource, hidden
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.base import FIELD, PERSONAL
from gatepost.models.class_policies import ClassShare, with_shares
from gatepost.models.entity import Attribute, Entity, Relation, entity_of
from gatepost.models.hierarchy import identities_of, nearest_common
from gatepost.models.mapping import TableKey, table_key
from gatepost.models.nesting import Nesting, nesting_of, template_of
from gatepost.models.restrictions import policies_of
from gatepost.sources import location_of
from gatepost.view import View

DEFAULT_FIELD = Field()

RESERVED = ("auth", "batch")
"""Paths that no resource has."""


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


def _class_rows(resource: Resource[Any], entity: Entity, identities: Sequence[Any]) -> ClassRows:
    assert entity.discriminator is not None  # noqa: S101 - it has identities
    return ClassRows(OneOf(entity.discriminator.name, tuple(identities)), resource, entity)


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


class Catalog:
    """All served models of an app, except those whose mistakes keep them from being read; and what relations and
    foreign keys lead to.

    A group of resources has a catalog of its own. Its models without a resource there are `inherited`: under the
    policies of the app's resources, and without routes. What relations, foreign keys and subclasses lead to is found in
    this catalog alone, so no other group has a say.
    """

    def __init__(  # noqa: PLR0913 - what a catalog is made of
        self,
        resources: Iterable[Resource[Any]],
        mistakes: Mistakes,
        *,
        bigint_as_string: bool = False,
        wire_name: WireName = str,
        group: str = "",
        inherited: Iterable[Resource[Any]] = (),
    ) -> None:
        """`inherited` are the resources of the app whose group, called `group`, this is the catalog of."""
        self.group = group
        self.bigint_as_string = bigint_as_string
        self.wire_name = wire_name
        self.served: list[ServedModel] = []
        self.inherited: list[ServedModel] = []
        self.by_model: dict[type[Any], ServedModel] = {}
        self.by_path: dict[str, ServedModel] = {}
        self._declared: dict[type[Any], tuple[Resource[Any], Entity]] = {}
        self._over: dict[TableKey, Entity] = {}
        self._narrowed: dict[type[Any], ServedModel] = {}
        read = self._read(resources, mistakes)
        of_app = self._read(inherited, mistakes)
        own = {resource.model for resource, _ in read}
        visible = [*(item for item in of_app if item[0].model not in own), *read]
        for resource, entity in read:
            with mistakes.check(resource.source):
                nesting = nesting_of(resource, entity, visible)
                self._enter(ServedModel(resource, entity, self._others(resource.model), nesting, group=group))
        for resource, entity in of_app:
            with mistakes.check(resource.source):
                self._inherit(resource, entity, nesting_of(resource, entity, of_app))
        for item in self.served:
            with mistakes.check(item.resource.source):
                self._check(item)
        for item in self.used:
            with mistakes.check(item.resource.source):
                _check_wire_names(item)
            with mistakes.check(item.resource.source):
                item.relations = self._relations(item.entity)
            item.above = None if item.nesting is None else self.by_model.get(item.nesting.model)

    def _read(self, resources: Iterable[Resource[Any]], mistakes: Mistakes) -> list[tuple[Resource[Any], Entity]]:
        """The resources whose models can be read."""
        found: list[tuple[Resource[Any], Entity]] = []
        for resource in resources:
            model = resource.model
            with mistakes.check(partial(location_of, model), model.__name__):
                entity = entity_of(
                    model, bigint_as_string=self.bigint_as_string, wire_name=self.wire_name, mistakes=mistakes
                )
                found.append((resource, msgspec.structs.replace(entity, read_policies=self)))
                self._declared.setdefault(model, found[-1])
        return found

    @property
    def used(self) -> list[ServedModel]:
        """The served models, then those that are inherited."""
        return [*self.served, *self.inherited]

    @property
    def narrowed(self) -> list[ServedModel]:
        """What relations lead to and no path: the rows of a class without a resource, as that of its nearest base shows
        them."""
        return list(self._narrowed.values())

    def find_owner(self, model: type[Any]) -> type[Any] | None:
        """The class whose resource the rows of a class belong to: itself, or its nearest base that has one."""
        mapper: Mapper[Any] = inspect(model)
        return next((item.class_ for item in mapper.iterate_to_root() if item.class_ in self._declared), None)

    def find_referred(self, table: "Table[Any]", targets: Iterable[type[Any]]) -> ServedModel | None:
        """The rows that a foreign key to a table may refer to: those of the class that its relationships lead to
        (`targets`), of the nearest one above them all, or of the root over the table. None where every row will do."""
        over = self._over.get(table_key(table))
        if over is None:
            return None
        root = _root_of(over.model)
        mappers: list[Mapper[Any]] = [inspect(target) for target in targets if _root_of(target) is root]
        model = nearest_common(mappers, root).class_
        found = self.find_served(model)
        if found is None:
            entity, others = entity_of(model, wire_name=self.wire_name), self._others(model)
            found = ServedModel(Resource(model, read=anyone), entity, others) if entity.scope or others else None
        return found

    def find_read(self, model: type[Any]) -> tuple[Policy, Entity] | None:
        """The policy of `get` for the rows of a class, and its entity: those of its resource, or of the resource of its
        nearest base. None where there is neither."""
        found = self.find_served(model)
        return None if found is None else (found.policies["get"], found.entity)

    def find_served(self, model: type[Any]) -> ServedModel | None:
        """What relations to a class lead to, and `readable()` asks about; None where neither the class nor a base of it
        has a resource."""
        owner = self.find_owner(model)
        if owner is None or owner is model:
            return self.by_model.get(model)
        if model not in self._narrowed:
            resource, entity = self._declared[owner]
            entity = msgspec.structs.replace(entity, scope=entity_of(model).scope)
            base = self.by_model.get(owner)
            narrowed = ServedModel(
                resource,
                entity,
                self._others(model),
                group=self.group,
                is_inherited=base is not None and base.is_inherited,
            )
            self._narrowed[model] = narrowed
            narrowed.relations = self._relations(entity)
        return self._narrowed[model]

    def find_stranger(self, entity: Entity) -> Entity | None:
        """The served class over the same table, where it is in no hierarchy with this one."""
        over = self._over.get(table_key(entity.table), entity)
        return None if _root_of(over.model) is _root_of(entity.model) else over

    def _others(self, model: type[Any]) -> list[ClassRows]:
        """The rows of a class that belong to the resources of its subclasses."""
        found: dict[type[Any], list[Any]] = {}
        for identity, of in identities_of(inspect(model)).items():
            owner = self.find_owner(of)
            if owner is not None and owner is not model and issubclass(owner, model):
                found.setdefault(owner, []).append(identity)
        return [_class_rows(*self._declared[owner], identities) for owner, identities in found.items()]

    def _relations(self, entity: Entity) -> dict[str, tuple[Relation, ServedModel]]:
        found = {name: (item, self.find_served(item.target)) for name, item in entity.relations.items()}
        return {name: (relation, target) for name, (relation, target) in found.items() if target is not None}

    def _enter(self, item: ServedModel) -> None:
        location = f"Resource({item.entity.name})"
        self.served.append(item)
        if item.entity.model in self.by_model:
            raise ConfigurationError("the model has two resources.", location=location, hint="Keep one.")
        if item.has_routes and (item.path in self.by_path or item.path in RESERVED):
            raise ConfigurationError(
                f"the path {item.path!r} is taken.", location=location, hint="Choose another path=."
            )
        if any(item.name == other.name for other in self.served[:-1] if other.has_routes and item.has_routes):
            raise ConfigurationError(
                f"the name {item.name!r} is taken.", location=location, hint="Choose another name=."
            )
        if item.has_routes and not PATH.fullmatch(item.path):
            hint = 'Write path= with letters, digits, "-", "_", "." and "~", without a slash at its ends.'
            raise ConfigurationError(f"{item.path!r} is not a path.", location=location, hint=hint)
        self._admit(item)
        if item.has_routes:
            self.by_path[item.path] = item

    def _inherit(self, resource: Resource[Any], entity: Entity, nesting: Nesting | None) -> None:
        """Use a resource of the app where the group has none of the model."""
        if resource.model not in self.by_model:
            others = self._others(resource.model)
            item = ServedModel(resource, entity, others, nesting, group=self.group, is_inherited=True)
            self.inherited.append(item)
            self._admit(item)

    def _admit(self, item: ServedModel) -> None:
        stranger = self.find_stranger(item.entity)
        if stranger is not None:
            raise two_classes(stranger, item.entity)
        self._over[table_key(item.entity.table)] = item.entity
        self.by_model[item.entity.model] = item

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
        create = item.resource.policies["create"]
        if not (item.entity.is_creatable or is_nobody(create) or create is item.resource.write):
            raise ConfigurationError(
                "has no polymorphic_identity, so no row can be made of it.",
                location=f"Resource({item.entity.name}, create=...)",
                hint="Leave create= out, or give the class a polymorphic_identity in its __mapper_args__.",
            )
        assert set(item.resource.policies) == set(ACTIONS)  # noqa: S101 - of our own making


def _check_wire_names(item: ServedModel) -> None:
    """Raise `ConfigurationError` for two names that clients would know by one."""
    entity, known = item.entity, dict[str, str]()
    shown = [(name, each.wire_name) for name, each in entity.attributes.items() if not item.fields[name].hidden]
    for name, wire_name in (*shown, *((name, each.wire_name) for name, each in entity.relations.items())):
        other = known.setdefault(wire_name, name)
        if other != name:
            raise ConfigurationError(
                f"{other!r} and {name!r} are both {wire_name!r} for clients.",
                location=f"Resource({entity.name})",
                hint=f'Rename one of them, or hide it: fields={{"{name}": hidden}}.',
            )


def _root_of(model: type[Any]) -> "Mapper[Any]":
    """The mapper at the root of a class's hierarchy: its own where there is none."""
    mapper: Mapper[Any] = inspect(model)
    return mapper.base_mapper


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
