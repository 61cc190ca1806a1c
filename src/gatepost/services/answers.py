"""What own endpoints return of served models, as the actor may see it: read again, in the same transaction, by the same
compiled statements as everywhere else, so that no endpoint can bypass fields, expansions or policies."""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.sql import visitors

from gatepost.call import Call
from gatepost.declaring.row_expressions import CallValue
from gatepost.errors import NotFound
from gatepost.models.catalog import ServedModel
from gatepost.models.chosen_rows import ChosenRows
from gatepost.models.conditions import Below
from gatepost.models.dto_members import DTOMembers
from gatepost.models.list_query import ListQuery, Order
from gatepost.models.object_lookups import FindObject
from gatepost.models.reads import loading_binds
from gatepost.models.recipes import Bound
from gatepost.models.select_orders import has_limit, order_of
from gatepost.services.call_values import call_value
from gatepost.services.compiled_reads import Wanted
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.plans import Plans
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import Row, RowPage
from gatepost.services.write_policies import below, not_found, rule_of


class RowLookup(NamedTuple):
    """The row that a path names: by the value of an attribute, below another row."""

    name: str
    value: Any
    above: Below | None
    is_locking: bool


class RowAnswers:
    """Finds the rows of one served model that paths name, and renders those that endpoints return."""

    def __init__(
        self, compiled: CompiledVerbs, plans: Plans, dto: DTOMembers | None = None, *, asks_service: bool
    ) -> None:
        """`dto` is what rows are shown as; without one, as their resource shows them. A service that overrides `get` is
        asked for single rows (`asks_service`)."""
        self.served: ServedModel = compiled.served
        self.asks_service = asks_service
        self._dto = dto
        self._compiled = compiled
        self._reads = compiled.reads
        self._plans = plans
        self._order = tuple(Order(name, descending=False) for name in self.served.entity.key.names)

    def shown_as(self, dto: DTOMembers | None) -> "RowAnswers":
        """The same, for an endpoint that shows rows as this DTO."""
        return self if dto is None else RowAnswers(self._compiled, self._plans, dto, asks_service=self.asks_service)

    def reader(self, name: str) -> Callable[[Call, Any], Coroutine[Any, Any, Row]]:
        """Reads and shows the row with a value of this attribute, outside of a transaction. Raises `NotFound`."""
        reads, dto = self._reads.by(name), self._dto

        def read(call: Call, value: Any) -> Coroutine[Any, Any, Row]:
            return reads.get(call, value, None, (), dto)

        return read

    async def find(self, call: Call, unit: UnitOfWork, lookup: RowLookup) -> Any:
        """The row that a path names. Raises `NotFound`, also where the actor may not read it."""
        name, value, above, is_locking = lookup
        if self.asks_service:
            key = await self._reads.key_by(unit.transaction, name, value, call.actor, above)
            return await unit.get(self.served.entity.model, key, call.actor, lock=is_locking)
        rule = below(rule_of(self.served, "get", call.actor), above)
        recipe = FindObject(self.served, rule, name, Bound(value), is_locking)
        if is_locking:
            await unit.transaction.begin()
        plan = self._plans.get(recipe)
        found = (await unit.transaction.load(plan.statement, loading_binds(plan, recipe))).one_or_none()
        if found is None:
            raise not_found()
        return found

    async def show(self, call: Call, unit: UnitOfWork, row: Any) -> Row | None:
        """A row as the actor may read it, as the DTO or as the resource shows it; None where it is hidden or gone."""
        call.view = self.served.view(call.actor)
        key = await self.key_of(unit, row)
        try:
            if self.asks_service and not unit.has_got(row, call.actor):
                key = await self.key_of(unit, await unit.get(self.served.entity.model, key, call.actor))
            return await self._reads.row_in(call, unit.transaction, key, Wanted(dto=self._dto))
        except NotFound:
            return None

    async def show_all(self, call: Call, unit: UnitOfWork, rows: Sequence[Any]) -> RowPage:
        """Those of the rows that the actor may list, in their order."""
        call.view = self.served.view(call.actor)
        keys = [await self.key_of(unit, row) for row in rows]
        return await self._reads.page_of_keys(
            call, unit.transaction, keys, ListQuery(self._order, len(keys)), self._dto
        )

    def order_of(self, selected: sa.Select[Any]) -> tuple[Order, ...] | None:
        """The order of a Select, where it is plain columns and the rows are not limited, so that they can be paged;
        None for a Select with a limit of its own, which has an order of its own.

        Raises `TypeError` for a Select that policies and pages cannot be compiled around.
        """
        order = order_of(selected, self.served.entity)
        if has_limit(selected):
            return None
        if order is None:
            raise TypeError("The Select is ordered by expressions, so it needs a limit of its own: `.limit(100)`.")
        return order

    async def show_selected(self, call: Call, unit: UnitOfWork, selected: sa.Select[Any], query: ListQuery) -> RowPage:
        """Those of the rows of a Select that the actor may list, as the query wants them."""
        call.view = self.served.view(call.actor)
        chosen = ChosenRows.of(selected, partial(call_value, call))
        query = msgspec.structs.replace(query, chosen=chosen)
        return await self._reads.page_in(call, unit.transaction, query, self._dto)

    async def address(self, call: Call, unit: UnitOfWork, row: Any) -> Any | None:
        """What the path of a row has as its key; None where it is not below the row that the path of the call says."""
        key = await self.key_of(unit, row)
        if self.served.nesting is None:
            return await self._reads.address(unit.transaction, key)
        try:
            return await self._reads.address_below(unit.transaction, key, call)
        except NotFound:
            return None

    async def key_of(self, unit: UnitOfWork, row: Any) -> Any:
        """The key of a row that an endpoint returned. One that is not written yet is written first."""
        state: Any = sa.inspect(row)
        if state.identity is None:
            await unit.transaction.session.flush()
        if state.identity is None:
            raise TypeError(f"the endpoint returned a row of {type(row).__name__} that was never added to a session.")
        return self.served.entity.key.of(state.identity)


async def select_plainly(call: Call, unit: UnitOfWork, selected: sa.Select[Any]) -> list[Any]:
    """What a Select of columns and expressions gives: values, or a dict per row where there are several. It is the
    application's own SQL, without policies and pages. Raises `TypeError` where it has no limit."""
    if not has_limit(selected):
        raise TypeError("A Select of columns needs a limit of its own: `.limit(1_000)`.")
    sources = {part.source for part in visitors.iterate(selected) if isinstance(part, CallValue)}
    values = {f"call.{source}": call_value(call, source) for source in sources}
    found = await unit.transaction.session.execute(selected, values)
    if len(selected.selected_columns) == 1:
        return list(found.scalars())
    return [dict(row) for row in found.mappings()]


def is_select(result: Any) -> bool:
    """Whether an endpoint returned a Select."""
    return isinstance(result, sa.Select)


def is_select_type(annotation: Any) -> bool:
    """Whether an annotation is that of a Select. At run time SQLAlchemy forgets what is in its brackets."""
    return isinstance(annotation, type) and issubclass(annotation, sa.Select)
