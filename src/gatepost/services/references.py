"""References of a body: whether its foreign keys name rows that the actor may read.

Called by compiled verbs and services before they write, where the foreign key constraint alone would not be enough.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from asyncpg.exceptions import ForeignKeyViolationError

from gatepost.actor import Actor
from gatepost.database.failures import is_referred_to
from gatepost.database.transactions import Transaction
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.catalog import Catalog
from gatepost.models.conditions import bind_decision
from gatepost.models.recipes import Bound
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import FindReference
from gatepost.services.composite_references import CompositeReferences
from gatepost.services.foreign_keys import ForeignKey, foreign_keys_of
from gatepost.services.plans import Plans


class References:
    """Checks that the foreign keys of a body refer to rows that the actor may read."""

    def __init__(self, served: ServedModel, catalog: Catalog, plans: Plans) -> None:
        self._plans = plans
        keys = list(foreign_keys_of(served, catalog))
        self.composites = CompositeReferences(served, [key for key in keys if key.is_composite], plans)
        self._single: dict[str, list[ForeignKey]] = {}
        for key in keys:
            # One that the path says was looked up before.
            for name in () if key.is_composite else [each for each in key.names if not served.is_in_path(each)]:
                self._single.setdefault(name, []).append(key)
        # The others need no lookup: the foreign key constraint refuses the same values.
        self._ruled = frozenset(name for name, found in self._single.items() if not all(key.is_open for key in found))
        self.ruled = self._ruled | self.composites.ruled

    def names(self, actor: Actor, values: Mapping[str, Any], *, all: bool) -> list[str]:
        """The references in `values` to look up. Where the actor may refer to every row of the target, the foreign key
        constraint refuses the same values, so those are left out unless `all` is set."""
        composite = self.composites.names(actor, values) if self.composites.ruled else []
        # Whether the others are looked up or left to the constraint must not depend on a hidden composite reference.
        all = all or bool(composite)
        single = [
            name
            for name in (self._single if all else self._ruled)
            if self._single[name][0].given(values, actor)
            and (all or any(not key.admits_all(actor, [name]) for key in self._single[name]))
        ]
        return [*single, *(name for name in composite if name not in single)]

    async def check(
        self, actor: Actor, transaction: Transaction, values: Mapping[str, Any], names: Sequence[str]
    ) -> None:
        """Look up the references of `names`. If one is missing or hidden, look up the others as well and raise
        `Unprocessable` with all that are."""
        errors: list[FieldError] = []
        others = (name for name in self.names(actor, values, all=True) if errors and name not in names)
        for name in chain(names, others):
            keys = self._single.get(name, ())
            found = [await self._is_found(actor, transaction, key, name, values[name]) for key in keys]
            if not all(found):
                errors.append(FieldError(f"/{name}", "not_found", "No row that you may read has this key."))
        if errors:
            raise Unprocessable("reference_not_found", "A referenced row does not exist.", errors=sorted(errors))

    async def _is_found(self, actor: Actor, transaction: Transaction, key: ForeignKey, name: str, value: Any) -> bool:
        by, decision = key.names[name], key.decision(actor, [name])
        if by is None or decision is False:
            return False
        recipe = FindReference(key.target, bind_decision(decision, actor, key.target.entity), Bound(value), by)
        statement = self._plans.get(recipe)
        return bool(await transaction.read(statement, recipe.binds(statement)))

    def raise_composite(self, actor: Actor, error: BaseException, values: Mapping[str, Any]) -> None:
        """Raise the refusal of composite references where the violated constraint may be one of them; otherwise return.
        The other references were looked up before."""
        is_ours = isinstance(error, ForeignKeyViolationError) and not is_referred_to(error)
        if is_ours and self.composites.names(actor, values):
            raise self.composites.refusal(actor, values) from error

    async def check_all(self, actor: Actor, transaction: Transaction, values: Mapping[str, Any]) -> None:
        """As `check`, for all references, after a policy has refused the row: a policy that follows a reference to a
        missing row refuses as well, and the missing row is what the client has to fix."""
        await self.check(actor, transaction, values, self.names(actor, values, all=True))
