"""Foreign keys of several columns: the row that they refer to together must be one that the actor may read.

Checked once the row is written, because the database and the model may fill in some of the columns. A violated foreign
key constraint and this check have the same response; a difference would reveal whether a hidden row exists.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gatepost.actor import Actor
from gatepost.database.transactions import Transaction
from gatepost.errors import FieldError, Unprocessable
from gatepost.models.conditions import bind_decision
from gatepost.models.recipes import Bound
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import FindCompositeReference
from gatepost.services.foreign_keys import ForeignKey
from gatepost.services.plans import Plans


class CompositeReferences:
    """Checks those of one resource. `ruled` are the attributes whose values have to be looked up for some actors."""

    def __init__(self, served: ServedModel, keys: Iterable[ForeignKey], plans: Plans) -> None:
        self._served = served
        self._plans = plans
        # The others need no lookup: the foreign key constraint refuses the same values.
        self._ruled = tuple(key for key in keys if not key.is_open)
        self.ruled = frozenset(name for key in self._ruled for name in key.names)

    def names(self, actor: Actor, values: Mapping[str, Any]) -> list[str]:
        """The attributes in `values` that are part of a reference to look up."""
        return sorted({name for key, _ in self._touched(actor, values) for name in key.names if name in values})

    async def check(self, actor: Actor, transaction: Transaction, values: Mapping[str, Any], key: Any) -> None:
        """Look up the references of the written row that `values` are part of; raises `refusal`."""
        for found, given in self._touched(actor, values):
            rule = bind_decision(found.decision(actor, given), actor, found.target.entity)
            recipe = FindCompositeReference(self._served, rule, Bound(key), found.target, found.pairs)
            statement = self._plans.get(recipe)
            if not await transaction.read(statement, recipe.binds(statement)):
                raise self.refusal(actor, values)

    def refusal(self, actor: Actor, values: Mapping[str, Any]) -> Unprocessable:
        """The same for every missing reference, whether the constraint or the check found it."""
        errors = [
            FieldError(f"/{name}", "not_found", "No row that you may read has these keys together.")
            for name in self.names(actor, values)
        ]
        return Unprocessable("reference_not_found", "A referenced row does not exist.", errors=errors)

    def _touched(self, actor: Actor, values: Mapping[str, Any]) -> Iterator[tuple[ForeignKey, list[str]]]:
        for key in self._ruled:
            given = key.given(values, actor)
            if given and not key.admits_all(actor, given):
                yield key, given
