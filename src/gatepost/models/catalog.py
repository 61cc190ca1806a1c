"""The catalog: every served model with its declaration, and which of its fields an actor sees and sets.

Built once, when the app is. Layers ask it for a model, a table or a path; it holds nothing of a request.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from gatepost.auth.actor import Actor
from gatepost.auth.policies import Rule, decide, nobody
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Attribute, Entity, Relation, entity_of
from gatepost.resource import ACTIONS, PATH, Field, Resource

RESERVED = ("sort", "fields", "expand", "limit", "after", "before", "count", "q")
"""Parameters of lists; a column of the same name is filtered by `name[eq]=`."""

DEFAULT_FIELD = Field()


class View(msgspec.Struct, frozen=True, eq=False):
    """The fields one kind of actor sees and sets. The same decisions give the same object, so it can be a key.

    `names` are seen on every row, `ruled` where their rule holds; both together, in order, are what the wire shows.
    Only `names` can be filtered and sorted by: anything else would leak what it hides. `guarded` are those of the
    writable ones that can be set only on rows for which their rule holds.
    """

    names: tuple[str, ...]
    ruled: Mapping[str, Rule]
    creatable: frozenset[str]
    updatable: frozenset[str]
    guarded: Mapping[str, Rule]

    @property
    def readable(self) -> frozenset[str]:
        """Every name that this kind of actor knows of."""
        return frozenset(self.names) | frozenset(self.ruled)


class Served:
    """One model on the wire: its declaration, its entity, and the views of its fields.

    `only_view` is the one view of all who make requests, where no field's rule depends on who asks.
    """

    def __init__(self, resource: Resource[Any], entity: Entity) -> None:
        self.resource = resource
        self.entity = entity
        self.path = resource.path or str(entity.table.name)
        self.relations: dict[str, tuple[Relation, Served]] = {}
        self.fields = {name: resource.fields.get(name, DEFAULT_FIELD) for name in entity.attributes}
        self._weighed = tuple(
            (name, field)
            for name, field in self.fields.items()
            if not (field.read.is_constant and field.write.is_constant)
        )
        self._views: dict[tuple[Any, ...], View] = {}
        self.only_view = None if self._weighed else self._make_view({})

    @property
    def writable(self) -> list[Attribute]:
        """What somebody or other may set by a body, where the resource takes bodies."""
        policies = self.resource.policies
        if policies["create"] is nobody and policies["update"] is nobody:
            return []
        return [
            attribute
            for name, attribute in self.entity.attributes.items()
            if not (attribute.managed or self._is_closed(self.fields[name]))
        ]

    @staticmethod
    def _is_closed(field: Field) -> bool:
        return field.write.is_constant and field.write.decide(_NOBODY) is False

    def __repr__(self) -> str:
        return f"Served({self.entity.name} at {self.path})"

    def view(self, actor: Actor) -> View:
        """What this actor sees and sets."""
        if self.only_view is not None and not actor.is_system:
            return self.only_view
        decided = {
            name: (decide(field.read, actor), decide(field.write, actor))
            for name, field in (self.fields.items() if actor.is_system else self._weighed)
        }
        key = (actor.is_system, *decided.values())
        view = self._views.get(key)
        if view is None:
            view = self._views[key] = self._make_view(decided)
        return view

    def _make_view(self, decided: Mapping[str, tuple[bool | Rule, bool | Rule]]) -> View:
        names: list[str] = []
        ruled: dict[str, Rule] = {}
        creatable: set[str] = set()
        updatable: set[str] = set()
        guarded: dict[str, Rule] = {}
        for name, attribute in self.entity.attributes.items():
            field = self.fields[name]
            read, write = decided.get(name) or (field.read.decide(_NOBODY), field.write.decide(_NOBODY))
            if isinstance(read, Rule):
                ruled[name] = read
            elif read:
                names.append(name)
            if write is not False and not attribute.managed:
                if isinstance(write, Rule):
                    guarded[name] = write
                creatable.add(name)
                if not (field.write_once or attribute.primary_key):
                    updatable.add(name)
        return View(tuple(names), ruled, frozenset(creatable), frozenset(updatable), guarded)


_NOBODY = Actor()


class Catalog:
    """All served models of an app."""

    def __init__(self, resources: Iterable[Resource[Any]]) -> None:
        self.served: list[Served] = [Served(resource, entity_of(resource.model)) for resource in resources]
        self.by_model: dict[type[Any], Served] = {}
        self.by_path: dict[str, Served] = {}
        self.by_table: dict[str, Served] = {}
        for item in self.served:
            self._enter(item)
        for item in self.served:
            self._check(item)
            item.relations = {
                name: (relation, self.by_model[relation.target])
                for name, relation in item.entity.relations.items()
                if relation.target in self.by_model
            }

    def _enter(self, item: Served) -> None:
        place = f"Resource({item.entity.name})"
        if item.entity.model in self.by_model:
            raise ConfigurationError("the model has two resources.", place=place, cure="Keep one.")
        if item.path in self.by_path or item.path in ("auth", "batch"):
            raise ConfigurationError(f"the path {item.path!r} is taken.", place=place, cure="Choose another path=.")
        if not PATH.fullmatch(item.path):
            cure = 'Write path= with letters, digits, "-", "_", "." and "~", without a slash at its ends.'
            raise ConfigurationError(f"{item.path!r} is no path.", place=place, cure=cure)
        table = item.entity.table.fullname
        if table in self.by_table:
            raise two_classes(table, self.by_table[table].entity, item.entity)
        self.by_model[item.entity.model] = self.by_path[item.path] = item
        self.by_table[table] = item

    def _check(self, item: Served) -> None:
        place = f"Resource({item.entity.name})"
        clash = set(item.entity.relations) & set(item.entity.attributes)
        if clash:
            raise ConfigurationError(f"{sorted(clash)} are both a column and a relation.", place=place)
        assert set(item.resource.policies) == set(ACTIONS)  # noqa: S101 - of our own making


def two_classes(table: str, first: Entity, second: Entity) -> ConfigurationError:
    """The refusal of two classes over one table: each would be a way past the policies and hidden fields of the
    other."""
    return ConfigurationError(
        f"the table {table!r} is mapped to {first.name} and to {second.name}, and the app serves both.",
        place=f"Resource({second.name})",
        cure="Serve the table by one class; show others less of it by policies and Field(read=...).",
    )
