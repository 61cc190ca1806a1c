"""What own endpoints return of served models, as the actor may see it: read again, in the same transaction, by the same
compiled statements as everywhere else, so that no endpoint can bypass fields, expansions or policies."""

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NamedTuple

import asyncpg
import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gatepost.call import Call
from gatepost.database.database import driver_error
from gatepost.database.own_binds import UnboundValueError
from gatepost.declaring.row_expressions import CallValue
from gatepost.errors import NotFound
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.chosen_rows import ChosenRows
from gatepost.models.conditions import Below
from gatepost.models.dto_members import DTOMembers
from gatepost.models.list_query import ListQuery, Order
from gatepost.models.select_orders import has_limit
from gatepost.models.select_shapes import ChosenSelect, SelectShapes, check_row_counts, read_select, row_counts
from gatepost.models.served_model import ServedModel
from gatepost.services.call_values import call_value
from gatepost.services.compiled_reads import Wanted
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.numbers_out_of_range import number_out_of_range
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import Row, RowPage, Versions
from gatepost.services.write_policies import not_found


class RowLookup(NamedTuple):
    """The row that a path names: by the value of an attribute, below another row; it must have one of the `versions`,
    where these are not None."""

    name: str
    value: Any
    above: Below | None
    is_locking: bool
    versions: Versions = None


class RowAnswers:
    """Finds the rows of one served model that paths name, and renders those that endpoints return."""

    def __init__(
        self,
        compiled: CompiledVerbs,
        dto: DTOMembers | None = None,
        *,
        asks_service: bool,
        actor_columns: ActorColumns | None,
    ) -> None:
        """`dto` is what rows are shown as; without one, as their resource shows them. A service that overrides `get` is
        asked for single rows (`asks_service`). `actor_columns` are those that a Select may name."""
        self.served: ServedModel = compiled.served
        self.asks_service = asks_service
        self._dto = dto
        self._actor_columns = actor_columns
        self._compiled = compiled
        self._reads = compiled.reads
        self._selects = SelectShapes(self.served.entity, actor_columns)
        self._order = tuple(Order(name, descending=False) for name in self.served.entity.key.names)

    def shown_as(self, dto: DTOMembers | None) -> "RowAnswers":
        """The same, for an endpoint that shows rows as this DTO."""
        if dto is None:
            return self
        return RowAnswers(self._compiled, dto, asks_service=self.asks_service, actor_columns=self._actor_columns)

    def reader(self, name: str) -> Callable[[Call, Any], Coroutine[Any, Any, Row]]:
        """Reads and shows the row with a value of this attribute, outside of a transaction. Raises `NotFound`."""
        reads, dto = self._reads.by(name), self._dto

        def read(call: Call, value: Any) -> Coroutine[Any, Any, Row]:
            return reads.get(call, value, None, (), dto)

        return read

    async def find(self, call: Call, unit: UnitOfWork, lookup: RowLookup) -> Any:
        """The row that a path names. Raises `NotFound`, also where the actor may not read it, and `PreconditionFailed`.
        A row whose version is compared is locked, so that it stays the same."""
        found = await self._found(call, unit, lookup)
        if lookup.versions is not None:
            key = await self.key_of(unit, found)
            await self._compiled.checks.check_version(unit.transaction, key, lookup.versions)
        return found

    async def _found(self, call: Call, unit: UnitOfWork, lookup: RowLookup) -> Any:
        name, value, above = lookup[:3]
        is_locking = lookup.is_locking or lookup.versions is not None
        if self.asks_service:
            key = await self._reads.key_by(unit.transaction, name, value, call.actor, above)
            return await unit.get(self.served.entity.model, key, call.actor, lock=is_locking)
        found = await self._reads.object_with(
            unit.transaction, {name: value}, call.actor, above=above, is_locking=is_locking
        )
        if found is None:
            raise not_found()
        return found

    async def show(self, call: Call, unit: UnitOfWork, row: Any) -> Row | None:
        """A row as the actor may read it, as the DTO or as the resource shows it; None where it is hidden or gone."""
        call.view = self.served.view(call.actor)
        key = await self.key_of(unit, row)
        try:
            if self.asks_service and not unit.has_got(row, call.actor):
                found = await unit.get(self.served.entity.model, key, call.actor, is_read_again=True)
                key = await self.key_of(unit, found)
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

    def choose(self, call: Call, selected: sa.Select[Any]) -> ChosenSelect:
        """The rows of a Select. Raises `TypeError` where policies and pages cannot be compiled around it, and
        `NumberOutOfRange`."""
        return self._selects.choose(selected, call.actor, partial(call_value, call))

    async def show_selected(self, call: Call, unit: UnitOfWork | None, chosen: ChosenRows, query: ListQuery) -> RowPage:
        """Those of the chosen rows that the actor may list, as the query wants them; without a unit of work, outside of
        a transaction. Raises `NumberOutOfRange`."""
        try:
            try:
                return await self._page(call, unit, msgspec.structs.replace(query, chosen=chosen))
            except UnboundValueError:
                again = self._selects.for_one_call(chosen.selected.value, call.actor, partial(call_value, call))
                return await self._page(call, unit, msgspec.structs.replace(query, chosen=again.rows))
        except asyncpg.DataError as error:
            raise number_out_of_range(error) or error from error

    def _page(self, call: Call, unit: UnitOfWork | None, query: ListQuery) -> Coroutine[Any, Any, RowPage]:
        if unit is None:
            return self._reads.list(call, query, self._dto)
        return self._reads.page_in(call, unit.transaction, query, self._dto)

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


async def select_plainly(
    call: Call, unit: UnitOfWork, selected: sa.Select[Any], actor_columns: ActorColumns | None
) -> list[Any]:
    """What a Select of columns and expressions gives: values, or a dict per row where there are several. It is the
    application's own SQL, without policies and pages. Raises `TypeError` where it has no limit, and where it names a
    column that actors do not have."""
    if not has_limit(selected):
        raise TypeError("A Select of columns needs a limit of its own: `.limit(1_000)`.")
    key = read_select(selected)
    binds, readables = key.binds, key.readables
    check_row_counts(binds[place].effective_value for place in row_counts(binds))
    if actor_columns is not None and (complaint := actor_columns.complaint(binds)) is not None:
        raise TypeError(f"The Select {complaint}")
    if readables:
        selected = unit.with_readable_rows(selected, readables, call.actor)
    values = {bind.key: call_value(call, bind.source) for bind in binds if isinstance(bind, CallValue)}
    try:
        found = await unit.transaction.session.execute(selected, values)
    except DBAPIError as error:
        raise number_out_of_range(driver_error(error)) or error from error
    if len(selected.selected_columns) == 1:
        return list(found.scalars())
    return [dict(row) for row in found.mappings()]


def is_select(result: Any) -> bool:
    """Whether an endpoint returned a Select."""
    return isinstance(result, sa.Select)


def is_select_type(annotation: Any) -> bool:
    """Whether an annotation is that of a Select. At run time SQLAlchemy forgets what is in its brackets."""
    return isinstance(annotation, type) and issubclass(annotation, sa.Select)
