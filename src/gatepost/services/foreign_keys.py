"""Foreign keys to served tables, and the rows that an actor may refer to by them."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column

from gatepost.actor import Actor, anonymous
from gatepost.declaring.policies import Decision, both, decide
from gatepost.models.catalog import Catalog
from gatepost.models.served_model import ServedModel


class ForeignKey(msgspec.Struct, frozen=True, eq=False):
    """A foreign key to a served table: `pairs` of the columns here and there, and by the name of each mapped attribute
    here the name of the one there, None where the target's class maps no such column: then no client can see it.
    `owned` are the attributes that hold the actor's id, by the policy of creations."""

    target: ServedModel
    pairs: tuple[tuple[Column[Any], Column[Any]], ...]
    names: Mapping[str, str | None]
    owned: frozenset[str]

    @property
    def is_composite(self) -> bool:
        """Whether it has several columns."""
        return len(self.pairs) > 1

    @property
    def is_open(self) -> bool:
        """Whether every actor may read every row of the table, and sees the attributes that the key refers to."""
        rules = [self.target.policies["get"]]
        rules += [self.target.rules[by].read for by in self.names.values() if by is not None]
        return all(rule.is_constant for rule in rules) and self.admits_all(anonymous, self.names)

    def admits_all(self, actor: Actor, given: Collection[str]) -> bool:
        """Whether the actor may refer to every row of the table by these attributes: the constraint refuses the others,
        and nothing has to be looked up."""
        return self.target.entity.scope is None and self.decision(actor, given) is True

    def decision(self, actor: Actor, given: Collection[str]) -> Decision:
        """Which rows the actor may refer to by these attributes: those that the actor may read and that show each of
        them. Otherwise a hidden value could be guessed, because only the right guess would be accepted."""
        found = decide(self.target.policies["get"], actor)
        for name in given:
            by = self.names[name]
            found = False if by is None else both(found, decide(self.target.rules[by].read, actor))
        return found

    def given(self, values: Mapping[str, Any], actor: Actor) -> list[str]:
        """Its attributes that `values` set. One that holds the actor's own id is left out: actors may refer to
        themselves even where they cannot read users."""
        return [
            name
            for name in self.names
            if values.get(name) is not None and not (name in self.owned and values[name] == actor.id)
        ]


def foreign_keys_of(served: ServedModel, catalog: Catalog) -> Iterator[ForeignKey]:
    """The foreign keys of mapped attributes whose target is a served table."""
    entity, owned = served.entity, frozenset(served.owned)
    constraints = entity.table.foreign_key_constraints
    for constraint in sorted(constraints, key=lambda item: (item.referred_table.fullname, str(item.name))):
        pairs = tuple((element.parent, element.column) for element in constraint.elements)
        target = catalog.find_referred(constraint.referred_table, entity.targets_by(pairs))
        if target is None:
            continue
        names: dict[str, str | None] = {}
        for here, there in pairs:
            attribute, by = entity.attribute_of(here), target.entity.attribute_of(there)
            if attribute is not None:
                names[attribute.name] = None if by is None else by.name
        yield ForeignKey(target, pairs, names, owned)
