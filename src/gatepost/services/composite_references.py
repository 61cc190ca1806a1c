"""Foreign keys of several columns: the row that they refer to together must be one that the actor may read.

Checked once the row is written, because the database and the model may fill in some of the columns. A violated foreign
key constraint and this check have the same response; a difference would reveal whether a hidden row exists.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Column, ForeignKeyConstraint

from gatepost.actor import Actor, anonymous
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, both, decide, owners
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.models.conditions import bind_decision
from gatepost.models.mapping import table_key
from gatepost.models.recipes import Bound
from gatepost.models.writes import FindCompositeReference
from gatepost.services.plans import Plans


class CompositeReference(msgspec.Struct, frozen=True, eq=False):
    """A foreign key to a served table: `pairs` of the columns here and there, and by the name of each mapped attribute
    here the name of the one there, None where the target's class maps no such column."""

    target: ServedModel
    pairs: tuple[tuple[Column[Any], Column[Any]], ...]
    names: Mapping[str, str | None]

    def decision(self, actor: Actor, given: Collection[str]) -> Decision:
        """Which rows the actor may refer to by these attributes: those that the actor may read and that show each of
        them."""
        found = decide(self.target.resource.policies["get"], actor)
        for name in given:
            by = self.names[name]
            found = False if by is None else both(found, decide(self.target.rules[by].read, actor))
        return found

    @property
    def is_open(self) -> bool:
        """Whether every actor may read every row of the target, and sees the attributes that the key refers to."""
        rules = [self.target.resource.policies["get"]]
        rules += [self.target.rules[by].read for by in self.names.values() if by is not None]
        is_constant = all(rule.is_constant for rule in rules)
        return is_constant and self.decision(anonymous, self.names) is True


class CompositeReferences:
    """Checks those of one resource. `ruled` are the attributes whose values have to be looked up for some actors."""

    def __init__(self, served: ServedModel, catalog: Catalog, plans: Plans) -> None:
        self._served = served
        self._plans = plans
        self._owned = owners(served.resource.policies["create"])
        # The others need no lookup: the foreign key constraint refuses the same values.
        self._ruled = tuple(found for found in _composites_of(served, catalog) if not found.is_open)
        self.ruled = frozenset(name for found in self._ruled for name in found.names)

    def names(self, values: Mapping[str, Any], actor: Actor) -> list[str]:
        """The attributes in `values` that are part of a reference to look up."""
        return sorted({name for found, _ in self._touched(values, actor) for name in found.names if name in values})

    async def check(self, transaction: Transaction, values: Mapping[str, Any], key: Any, actor: Actor) -> None:
        """Look up the references of the written row that `values` are part of; raises `refusal`."""
        for found, given in self._touched(values, actor):
            rule = bind_decision(found.decision(actor, given), actor, found.target.entity)
            recipe = FindCompositeReference(self._served, rule, Bound(key), found.target, found.pairs)
            statement = self._plans.get(recipe)
            if not await transaction.read(statement, recipe.binds(statement)):
                raise self.refusal(values, actor)

    def refusal(self, values: Mapping[str, Any], actor: Actor) -> Unprocessable:
        """The same for every missing reference, whether the constraint or the check found it."""
        errors = [
            FieldError(f"/{name}", "not_found", "No row that you may read has these keys together.")
            for name in self.names(values, actor)
        ]
        return Unprocessable("reference_not_found", "A referenced row does not exist.", errors=errors)

    def _touched(self, values: Mapping[str, Any], actor: Actor) -> Iterator[tuple[CompositeReference, list[str]]]:
        for found in self._ruled:
            given = [
                name
                for name in found.names
                if values.get(name) is not None and not (name in self._owned and values[name] == actor.id)
            ]
            if given and found.decision(actor, given) is not True:
                yield found, given


def is_composite(constraint: ForeignKeyConstraint | None) -> bool:
    """Whether a foreign key has several columns."""
    return constraint is not None and len(constraint.elements) > 1


def _composites_of(served: ServedModel, catalog: Catalog) -> Iterator[CompositeReference]:
    entity = served.entity
    constraints = [item for item in entity.table.foreign_key_constraints if is_composite(item)]
    for constraint in sorted(constraints, key=lambda item: str(item.name)):
        target = catalog.by_table.get(table_key(constraint.referred_table))
        if target is None:
            continue
        pairs = tuple((element.parent, element.column) for element in constraint.elements)
        names: dict[str, str | None] = {}
        for here, there in pairs:
            attribute, by = entity.attribute_of(here), target.entity.attribute_of(there)
            if attribute is not None:
                names[attribute.name] = None if by is None else by.name
        yield CompositeReference(target, pairs, names)
