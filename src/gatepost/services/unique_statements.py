"""The statements of `ensure` and `discard`, and what they mean where a second row has the same unique values."""

from collections.abc import Iterable
from typing import Any, cast

from asyncpg.exceptions import UniqueViolationError

from gatepost.database.connection import Record
from gatepost.database.transactions import Transaction
from gatepost.errors import Problem
from gatepost.models.conditions import BoundRule
from gatepost.models.constraint_violations import already_exists
from gatepost.models.recipes import Bound
from gatepost.models.served_model import ServedModel
from gatepost.models.unique_keys import is_guarded_by, unique_keys
from gatepost.models.unique_rows import FindTaken, InsertUnique
from gatepost.services.plans import Plans


class UniqueStatements:
    """The rows of one resource by their unique values; `keys` are the attributes of its unique constraints."""

    def __init__(self, served: ServedModel, plans: Plans) -> None:
        self._served = served
        self._plans = plans
        self.keys = unique_keys(served.entity)

    async def insert(
        self, transaction: Transaction, rule: BoundRule, values: dict[str, Any], unique: tuple[str, ...]
    ) -> tuple[Record | None, Any]:
        """Insert a row, unless one has the same values of `unique`; the record that tells whether the rule holds for
        it, and what paths have as its key."""
        recipe = InsertUnique(self._served.addressed, rule, tuple(values), unique, Bound(values))
        plan = self._plans.get(recipe)
        records = await transaction.insert(plan.statement, recipe.binds(plan.statement))
        return (records[0], plan.key_of(records[0])) if records else (None, None)

    async def is_taken(self, transaction: Transaction, values: dict[str, Any]) -> bool:
        """Whether any row has these values, hidden from the actor or not."""
        recipe = FindTaken(self._served, tuple(values), Bound(values))
        statement = self._plans.get(recipe)
        return bool(await transaction.read(statement, recipe.binds(statement)))

    def is_violated(self, names: Iterable[str], error: UniqueViolationError) -> bool:
        """Whether the error is about a second row with the same values of these attributes, and of no others."""
        reply = cast("Any", error)
        is_here = reply.table_name == self._served.entity.table.name
        return is_here and is_guarded_by(self._served.entity, tuple(names), reply.constraint_name)

    def already_exists(self, names: Iterable[str]) -> Problem:
        """The refusal of a second row with the same values of these attributes."""
        return already_exists({name: self._served.entity.attributes[name].wire_name for name in names})
