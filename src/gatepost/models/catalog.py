"""The catalog: every served model (`served_model.py`), and what leads to which.

Built once, when the app is. Layers ask it for a model, a table or a path; it holds nothing of a request.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
from sqlalchemy import Table, inspect
from sqlalchemy.orm import Mapper

from gatepost.declaring.policies import (
    OneOf,
    Policy,
    anyone,
    is_nobody,
    nobody,
)
from gatepost.declaring.resource import ACTIONS, PATH, Resource
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.entity import Entity, Relation, entity_of
from gatepost.models.hierarchy import identities_of, nearest_common
from gatepost.models.mapping import TableKey, table_key
from gatepost.models.nesting import Nesting, nesting_of
from gatepost.models.served_model import ClassRows, ServedModel
from gatepost.sources import location_of

RESERVED = ("auth", "batch")
"""Paths that no resource has."""


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


def _class_rows(resource: Resource[Any], entity: Entity, identities: Sequence[Any]) -> ClassRows:
    assert entity.discriminator is not None  # noqa: S101 - it has identities
    return ClassRows(OneOf(entity.discriminator.name, tuple(identities)), resource, entity)


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
