"""References of a body: whether its foreign keys name rows that the actor may read.

Called by compiled verbs and services before they write, where the foreign key constraint alone would not be enough.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from asyncpg.exceptions import ForeignKeyViolationError

from gatepost.actor import Actor, anonymous
from gatepost.database.failures import is_referred_to
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, both, decide, owners
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.models.conditions import bind_decision
from gatepost.models.entity import Attribute
from gatepost.models.mapping import table_key
from gatepost.models.recipes import Bound
from gatepost.models.writes import FindReference
from gatepost.services.composite_references import CompositeReferences, is_composite
from gatepost.services.plans import Plans


class Reference(msgspec.Struct, frozen=True, eq=False):
    """A foreign key to a served table. `by` is the target's attribute that it refers to, or None where the target's
    class does not map that column: then no client can see it."""

    target: ServedModel
    by: Attribute | None

    @property
    def is_open(self) -> bool:
        """Whether every actor may read every row of the target, and sees the attribute that the key refers to."""
        if self.by is None:
            return False
        rules = (self.target.resource.policies["get"], self.target.rules[self.by.name].read)
        return all(rule.is_constant and decide(rule, anonymous) is True for rule in rules)

    def decision(self, actor: Actor) -> Decision:
        """Which rows the actor may refer to: those that the actor may read and whose referred attribute is shown.
        Otherwise a hidden value could be guessed, because only the right guess would be accepted."""
        if self.by is None:
            return False
        readable = decide(self.target.resource.policies["get"], actor)
        return both(readable, decide(self.target.rules[self.by.name].read, actor))


class References:
    """Checks that the foreign keys of a body refer to rows that the actor may read."""

    def __init__(self, served: ServedModel, catalog: Catalog, plans: Plans) -> None:
        self._plans = plans
        self._owned = owners(served.resource.policies["create"])
        self._references: dict[str, tuple[Reference, ...]] = {
            attribute.name: found
            for attribute in served.entity.attributes.values()
            if (found := tuple(_references_of(attribute, catalog)))
        }
        self.composites = CompositeReferences(served, catalog, plans)
        # The others need no lookup: the foreign key constraint refuses the same values.
        self._ruled = frozenset(
            name for name, found in self._references.items() if not all(reference.is_open for reference in found)
        )
        self.ruled = self._ruled | self.composites.ruled

    def names(self, values: Mapping[str, Any], actor: Actor, *, all: bool) -> list[str]:
        """The references in `values` to look up. Where the actor may refer to every row of the target, the foreign key
        constraint refuses the same values, so those are left out unless `all` is set. An owner column that holds the
        actor's own id is left out: actors may refer to themselves even where they cannot read users."""
        composite = self.composites.names(values, actor) if self.composites.ruled else []
        # Whether the others are looked up or left to the constraint must not depend on a hidden composite reference.
        all = all or bool(composite)
        single = [
            name
            for name in (self._references if all else self._ruled)
            if values.get(name) is not None
            and not (name in self._owned and values[name] == actor.id)
            and (all or any(reference.decision(actor) is not True for reference in self._references[name]))
        ]
        return [*single, *(name for name in composite if name not in single)]

    async def check(
        self, transaction: Transaction, values: Mapping[str, Any], names: Sequence[str], actor: Actor
    ) -> None:
        """Look up the references of `names`. If one is missing or hidden, look up the others as well and raise
        `Unprocessable` with all that are."""
        errors: list[FieldError] = []
        others = (name for name in self.names(values, actor, all=True) if errors and name not in names)
        for name in chain(names, others):
            singles = self._references.get(name, ())
            found = [await self._is_found(transaction, item, values[name], actor) for item in singles]
            if not all(found):
                errors.append(FieldError(f"/{name}", "not_found", "No row that you may read has this key."))
        if errors:
            raise Unprocessable("reference_not_found", "A referenced row does not exist.", errors=sorted(errors))

    async def _is_found(self, transaction: Transaction, reference: Reference, value: Any, actor: Actor) -> bool:
        target, by, decision = reference.target, reference.by, reference.decision(actor)
        if by is None or decision is False:
            return False
        rule = bind_decision(decision, actor, target.entity)
        recipe = FindReference(target, rule, Bound(value), by.name)
        statement = self._plans.get(recipe)
        return bool(await transaction.read(statement, recipe.binds(statement)))

    def raise_composite(self, error: BaseException, values: Mapping[str, Any], actor: Actor) -> None:
        """Raise the refusal of composite references where the violated constraint may be one of them; otherwise return.
        The other references were looked up before."""
        is_ours = isinstance(error, ForeignKeyViolationError) and not is_referred_to(error)
        if is_ours and self.composites.names(values, actor):
            raise self.composites.refusal(values, actor) from error

    async def check_all(self, transaction: Transaction, values: Mapping[str, Any], actor: Actor) -> None:
        """As `check`, for all references, after a policy has refused the row: a policy that follows a reference to a
        missing row refuses as well, and the missing row is what the client has to fix."""
        await self.check(transaction, values, self.names(values, actor, all=True), actor)


def _references_of(attribute: Attribute, catalog: Catalog) -> Iterator[Reference]:
    """Every foreign key of this column alone whose target is a served table."""
    for key in sorted(attribute.column.foreign_keys, key=lambda key: key.target_fullname):
        if is_composite(key.constraint):
            continue
        target = catalog.by_table.get(table_key(key.column.table))
        if target is not None:
            yield Reference(target, target.entity.attribute_of(key.column))
