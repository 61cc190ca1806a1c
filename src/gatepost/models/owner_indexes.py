"""Columns by which lists find the rows of an owner: without an index each list reads the whole table.

Outside the request path: the start and `gatepost doctor` warn where the models declare none, `gatepost db advise` where
the database has none.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import Decision, Every, Owned, Some, decide, role_names
from gatepost.models.entity import Attribute, Entity, entity_of
from gatepost.models.index_uses import Use, uses_of
from gatepost.models.served_model import ServedModel


class OwnerWarning(NamedTuple):
    """A column of an `owner()` without an index: the policy, the attribute, and what to write."""

    policy: str
    field: str
    hint: str


class OwnerColumn(NamedTuple):
    """A column of an `owner()`: the policy, the entity that has the attribute, and the attribute."""

    policy: str
    entity: Entity
    attribute: Attribute

    @property
    def hint(self) -> str:
        """What to write, so that it has an index."""
        return f"Write {self.attribute.name}: Mapped[...] = mapped_column(..., index=True)."


def owner_warnings(served: Iterable[ServedModel]) -> list[OwnerWarning]:
    """The columns without an index by which lists of these resources find the rows of an actor."""
    found: dict[tuple[str, str], OwnerWarning] = {}
    for column in owner_columns(served):
        policy, entity, attribute = column
        if Use.EQUAL not in uses_of(entity.table, attribute.column):
            field = f"{entity.name}.{attribute.name}"
            found.setdefault((entity.name, attribute.name), OwnerWarning(policy, field, column.hint))
    return list(found.values())


def owner_columns(served: Iterable[ServedModel]) -> Iterator[OwnerColumn]:
    """The columns by which lists of these resources find the rows of an actor."""
    for item in served:
        for path in _paths(item):
            entity, attribute = _end(item.entity, path)
            if not (attribute.is_expression or entity.is_view):
                yield OwnerColumn(f"{item.entity.name}.list: owner({'.'.join(path)!r})", entity, attribute)


def _paths(served: ServedModel) -> Iterator[tuple[str, ...]]:
    policy = served.resource.policies["list"]
    for actor in actors_of_every_kind(role_names(policy)):
        yield from _owned(decide(policy, actor))


def _owned(decision: Decision) -> Iterator[tuple[str, ...]]:
    """The paths to owners that a list looks up. Under `~` an index would not help."""
    if isinstance(decision, Owned):
        yield decision.path
    elif isinstance(decision, Every | Some):
        for part in decision.rules:
            yield from _owned(part)


def _end(entity: Entity, path: tuple[str, ...]) -> tuple[Entity, Attribute]:
    for name in path[:-1]:
        entity = entity_of(entity.relations[name].target)
    return entity, entity.attributes[path[-1]]
