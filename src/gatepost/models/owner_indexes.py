"""Columns by which lists find the rows of an owner, and which have no index: each list reads the whole table then.

Outside the request path: the start and `gatepost doctor` warn of them.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import Decision, Every, Owned, Some, decide, role_names
from gatepost.models.catalog import ServedModel
from gatepost.models.entity import Attribute, Entity, entity_of
from gatepost.models.index_uses import Use, uses_of


class OwnerWarning(NamedTuple):
    """A column of an `owner()` without an index: the policy, the attribute, and what to write."""

    policy: str
    field: str
    hint: str


def owner_warnings(served: Iterable[ServedModel]) -> list[OwnerWarning]:
    """The columns without an index by which lists of these resources find the rows of an actor."""
    found: dict[tuple[str, str], OwnerWarning] = {}
    for item in served:
        for path in _paths(item):
            entity, attribute = _end(item.entity, path)
            is_comparable = not (attribute.is_expression or entity.is_view)
            if is_comparable and Use.EQUAL not in uses_of(entity.table, attribute.column):
                policy, field = f"{item.entity.name}.list: owner({'.'.join(path)!r})", f"{entity.name}.{attribute.name}"
                hint = f"Write {attribute.name}: Mapped[...] = mapped_column(..., index=True)."
                found.setdefault((entity.name, attribute.name), OwnerWarning(policy, field, hint))
    return list(found.values())


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
