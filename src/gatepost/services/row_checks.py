"""What services ask of PostgreSQL about the rows that they write, inside their transactions."""

from typing import Any

from gatepost.actor import system
from gatepost.auth.denials import access_denied
from gatepost.database.transactions import Transaction
from gatepost.models.candidates import CheckCandidate
from gatepost.models.conditions import BoundRule, bind_decision
from gatepost.models.recipes import Bound
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import ReadStatus
from gatepost.services.drafts import KnownValues
from gatepost.services.plans import Plans
from gatepost.services.verbs import Versions
from gatepost.services.write_policies import denied, raise_refusal


class RowChecks:
    """Whether rows of one resource satisfy rules."""

    def __init__(self, served: ServedModel, plans: Plans) -> None:
        self._served = served
        self._plans = plans

    async def satisfies(self, transaction: Transaction, rule: BoundRule, key: Any) -> bool:
        """Whether there is a row with this key that satisfies the rule."""
        recipe = ReadStatus(self._served, rule, Bound(key), rule)
        plan = self._plans.get(recipe)
        records = await transaction.read(plan.statement, recipe.binds(plan.statement))
        return bool(records and records[0][plan.permitted_index])

    async def exists(self, transaction: Transaction, key: Any) -> bool:
        """Whether there is a row with this key, hidden from the actor or not; also after a flush has failed."""
        rule = bind_decision(True, system, self._served.entity)
        recipe = ReadStatus(self._served, rule, Bound(key), rule)
        plan = self._plans.get(recipe)
        return bool(await transaction.read_written(plan.statement, recipe.binds(plan.statement)))

    async def enforce(self, transaction: Transaction, rule: BoundRule, key: Any) -> None:
        """Raise `Forbidden` unless the row with this key satisfies the rule."""
        if rule.decision is not True and not await self.satisfies(transaction, rule, key):
            raise denied(rule)

    async def check_candidate(
        self, transaction: Transaction, known: KnownValues, rule: BoundRule, *, is_flushing: bool = False
    ) -> None:
        """Raise `Forbidden` where a row that the ORM is about to write violates the rule, as far as that can be known
        before. What is pending is written before, unless the row itself is."""
        recipe = CheckCandidate(self._served.entity, rule, tuple(known.values), known.unknown, Bound(known.values))
        statement = self._plans.get(recipe)
        read = transaction.read_written if is_flushing else transaction.read
        if statement is not None and not await read(statement, recipe.binds(statement)):
            raise denied(rule)

    async def check_version(self, transaction: Transaction, key: Any, versions: Versions) -> None:
        """Raise `PreconditionFailed` where the row with this primary key has none of these versions."""
        rule = bind_decision(True, system, self._served.entity)
        recipe = ReadStatus(self._served, rule, Bound(key), rule)
        plan = self._plans.get(recipe)
        records = await transaction.fetch(plan.statement, recipe.binds(plan.statement))
        raise_refusal(records[0] if records else None, plan, versions, system)

    async def check_new(self, transaction: Transaction, rule: BoundRule, values: dict[str, Any]) -> None:
        """Raise `Forbidden` where a new row of these values violates the rule, as far as that can be known before."""
        if rule.decision is False:
            raise access_denied(rule.actor)
        if rule.decision is not True:
            await self.check_candidate(transaction, KnownValues(values, frozenset()), rule)
