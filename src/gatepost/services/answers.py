"""What own endpoints return of served models, as the actor may see it: read again, in the same transaction, by the same
compiled statements as everywhere else, so that no endpoint can bypass fields, expansions or policies."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin

import sqlalchemy as sa

from gatepost.call import Call
from gatepost.errors import NotFound
from gatepost.models.catalog import ServedModel
from gatepost.models.list_query import ListQuery, Order
from gatepost.models.object_lookups import FindObject
from gatepost.models.reads import loading_binds
from gatepost.models.recipes import Bound
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.plans import Plans
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import Row, RowPage
from gatepost.services.write_policies import not_found, rule_of


class RowAnswers:
    """Finds the rows of one served model that paths name, and renders those that endpoints return."""

    def __init__(self, compiled: CompiledVerbs, plans: Plans) -> None:
        self.served: ServedModel = compiled.served
        self._reads = compiled.reads
        self._plans = plans
        self._order = tuple(Order(name, descending=False) for name in self.served.entity.key.names)

    async def find(self, call: Call, unit: UnitOfWork, name: str, value: Any, *, is_locking: bool) -> Any:
        """The row whose attribute has this value. Raises `NotFound`, also where the actor may not read it."""
        recipe = FindObject(self.served, rule_of(self.served, "get", call.actor), name, Bound(value), is_locking)
        if is_locking:
            await unit.transaction.begin()
        plan = self._plans.get(recipe)
        found = (await unit.transaction.load(plan.statement, loading_binds(plan, recipe))).one_or_none()
        if found is None:
            raise not_found()
        return found

    async def show(self, call: Call, unit: UnitOfWork, row: Any) -> Row | None:
        """A row as the actor may read it; None where it is hidden or gone."""
        call.view = self.served.view(call.actor)
        key = await self.key_of(unit, row)
        try:
            return await self._reads.row_in(call, unit.transaction, key)
        except NotFound:
            return None

    async def show_all(self, call: Call, unit: UnitOfWork, rows: Sequence[Any]) -> RowPage:
        """Those of the rows that the actor may list, in their order."""
        call.view = self.served.view(call.actor)
        keys = [await self.key_of(unit, row) for row in rows]
        return await self._reads.page_of_keys(call, unit.transaction, keys, ListQuery(self._order, len(keys)))

    async def key_of(self, unit: UnitOfWork, row: Any) -> Any:
        """The key of a row that an endpoint returned. One that is not written yet is written first."""
        state: Any = sa.inspect(row)
        if state.identity is None:
            await unit.transaction.session.flush()
        if state.identity is None:
            raise TypeError(f"the endpoint returned a row of {type(row).__name__} that was never added to a session.")
        return self.served.entity.key.of(state.identity)


def selected_of(annotation: Any) -> Any:
    """What an annotation `Select[...]` selects; None for any other annotation."""
    return get_args(annotation)[0] if get_origin(annotation) is sa.Select else None
