"""Compiled reads: a row or a page is one compiled statement, cached by the shape of the request.

Policies are conditions of the statement, and PostgreSQL writes the rows as JSON. Plans of cacheable queries are kept
together with their arguments.
"""

import math
import time
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from asyncpg.exceptions import InvalidTextRepresentationError
from sqlalchemy import ScalarResult
from sqlalchemy.exc import DBAPIError

from gatepost.actor import Actor, system
from gatepost.bounded_cache import BoundedCache
from gatepost.call import Call
from gatepost.database.connection import Record
from gatepost.database.database import Database, driver_error
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.dtos.unknown_labels import unknown_labels
from gatepost.models.addresses import ReadAbove, ReadKey
from gatepost.models.conditions import Below, BoundRule, bind_decision
from gatepost.models.dto_members import DTOMembers
from gatepost.models.dto_selections import DTOSelection
from gatepost.models.entity import Key
from gatepost.models.list_query import ListQuery
from gatepost.models.reads import (
    KEY,
    SEPARATOR,
    CountBytes,
    LoadObject,
    LoadObjects,
    LoadPlan,
    PagePlan,
    ReadPage,
    ReadPlan,
    ReadRow,
    ReadRowsByKey,
    RowsPlan,
    loading_binds,
)
from gatepost.models.recipes import Bound, Recipe
from gatepost.models.row_size import MAY_BE_LARGE, unbounded_columns_below, unbounded_names
from gatepost.models.schema_names import qualified
from gatepost.models.selections import Expansion, RowSelection, Selection
from gatepost.models.served_model import ServedModel
from gatepost.models.unique_rows import LoadUnique
from gatepost.models.writes import record_key_reader
from gatepost.services.call_values import call_value
from gatepost.services.plans import Plans
from gatepost.services.verbs import Row, RowPage
from gatepost.services.write_policies import below, not_found, rule_of, rule_of_call
from gatepost.view import View


class Wanted(NamedTuple):
    """How rows are to be shown: some of the fields, with expansions, as a DTO."""

    fields: tuple[str, ...] | None = None
    expand: tuple[Expansion, ...] = ()
    dto: DTOMembers | None = None


ALL = Wanted()
"""Rows as the resource shows them."""

TABLE_MAY_BE_LARGE = Statement(MAY_BE_LARGE)

MAY_BE_LARGE_SECONDS = 10.0
"""How long the result counts: so long, large rows in a table that had none are loaded uncounted."""

PAGES_MAX = 1024
"""Cached queries per resource: the plan and its arguments."""


class CompiledReads:
    """The verbs `get` and `list` of one resource, and the reads that services do inside their transactions."""

    def __init__(
        self, served: ServedModel, database: Database, plans: Plans, addressed: ServedModel | None = None
    ) -> None:
        """`addressed` says by which column paths name rows, in place of the resource."""
        self.served = served
        self._addressed = addressed or served.addressed
        self._database = database
        self._plans = plans
        # Where the policy is the same for every actor, the statement depends on the view alone. (A policy that is
        # decided for this actor only, such as an administrator's, must not share its statement with others.)
        policies = served.policies
        self.is_open = policies["get"].is_same_for_all
        self._fast_reads: dict[View | tuple[View, DTOMembers], ReadPlan] = {}
        plans.clear_too(self._fast_reads)
        self._is_list_open = policies["list"].is_same_for_all
        self._unbounded = unbounded_names(served)
        self._unbounded_below = unbounded_columns_below(served.entity)
        self._table_name = qualified(served.entity.table.name, served.entity.table.schema)
        self._is_large = True
        self._asked_at = -math.inf
        self._pages = BoundedCache[tuple[ListQuery, View, DTOMembers | None], tuple[PagePlan | RowsPlan, list[Any]]](
            PAGES_MAX
        )

    async def get(
        self,
        call: Call,
        key: Any,
        fields: tuple[str, ...] | None,
        expand: tuple[Expansion, ...],
        dto: DTOMembers | None = None,
    ) -> Row:
        """One row by the key in its path, as `dto` or as the resource shows it."""
        dto = dto or self.served.answers
        is_plain = fields is None and not expand and call.below is None
        kept = call.view if dto is None else (call.view, dto)
        plan = self._fast_reads.get(kept) if is_plain else None
        arguments = [key]
        if plan is None:
            recipe = self._recipe(call, key, Wanted(fields, expand, dto), self._addressed)
            plan = self._plans.get(recipe)
            arguments = plan.statement.arguments(recipe.binds(plan.statement))
            is_open = self.is_open and (dto is None or dto.is_open)
            if is_open and is_plain and plan.statement.plain_names == (KEY,):
                self._fast_reads[kept] = plan
        records = await self._run(call, plan.statement, arguments, is_unbounded=plan.is_unbounded)
        if not records:
            raise not_found()
        return _row_of(plan, records[0], key)

    def by(self, name: str) -> "CompiledReads":
        """The reads of rows that paths name by this attribute."""
        return CompiledReads(self.served, self._database, self._plans, self.served.addressed_by(name))

    async def list(self, call: Call, query: ListQuery, dto: DTOMembers | None = None) -> RowPage:
        """A page of rows, as `dto` or as the resource shows them."""
        view, dto = call.view, dto or self.served.lists
        kept = self._pages.get((query, view, dto))
        if kept is None:
            selection = self._selection("list", call, Wanted(query.fields, query.expand, dto))
            recipe = ReadPage(selection, query.rows, query.counts)
            plan = self._plans.get(recipe)
            kept = plan, plan.statement.arguments(recipe.binds(plan.statement))
            is_open = self._is_list_open and (dto is None or dto.is_open)
            if query.is_cacheable and call.below is None and is_open and not view.ruled:
                self._pages[query, view, dto] = kept
        plan, arguments = kept
        try:
            records = await self._run(call, plan.statement, arguments, is_unbounded=plan.is_cut)
        except InvalidTextRepresentationError:
            refuse_labels(query)
            raise
        return _page_of(plan, query, records)

    def _run(
        self, call: Call, statement: Statement, arguments: Sequence[Any], *, is_unbounded: bool
    ) -> Coroutine[Any, Any, Sequence[Record]]:
        """Run a read outside of a transaction. The one place that knows the call, the statement with the tables that it
        reads, and its arguments."""
        call.tables_read = statement.tables
        run = self._database.run_unbounded if is_unbounded else self._database.run
        return run(statement, arguments)  # no coroutine of its own: this is the hot path

    async def object(self, transaction: Transaction, key: Any, actor: Actor, *, is_locking: bool = False) -> Any:
        """Load the row with this key, and lock it where that is asked. Raises `NotFound`, also where the actor may not
        read it."""
        rule = rule_of(self.served, "get", actor)
        if is_locking:
            await transaction.begin()
        found = await self._one(transaction, LoadObject(self.served, rule, Bound(key), is_locking=is_locking))
        if is_locking:
            transaction.locked.add(found)
        return found

    async def object_with(
        self,
        transaction: Transaction,
        values: Mapping[str, Any],
        actor: Actor,
        *,
        above: Below | None = None,
        is_locking: bool = False,
    ) -> Any | None:
        """Load the row with these values of a unique constraint, below another row where one is given, and lock it
        where that is asked; None where the actor may read none."""
        rule = below(rule_of(self.served, "get", actor), above)
        if is_locking:
            await transaction.begin()
        recipe = LoadUnique(self.served, rule, tuple(values), Bound(values), is_locking=is_locking)
        found = (await self._load(transaction, recipe)).one_or_none()
        if is_locking and found is not None:
            transaction.locked.add(found)
        return found

    async def object_anew(self, transaction: Transaction, key: Any, loading: tuple[str, ...] = ()) -> Any:
        """Load the row with this key of a path, which was found before, with these deferred columns, and replace what
        the session has of it. Raises `NotFound`."""
        rule = bind_decision(True, system, self.served.entity)
        recipe = LoadObject(self._addressed, rule, Bound(key), is_anew=True, loading=loading)
        return await self._one(transaction, recipe)

    async def key_above(self, above: Below) -> Any:
        """What the foreign key of rows below this one holds. Raises `NotFound`, also where the actor may not read
        it."""
        recipe = ReadAbove(above)
        statement = self._plans.get(recipe)
        records = await self._database.run(statement, statement.arguments(recipe.binds(statement)))
        if not records:
            raise not_found()
        return record_key_reader(Key((above.nesting.referenced,)), (0,))(records[0])

    async def primary_key(self, transaction: Transaction, key: Any, actor: Actor) -> Any:
        """The primary key of the row with this key of a path. Raises `NotFound`, also where the actor may not read
        it."""
        if self._addressed is self.served:
            return key
        return await self._primary_key(transaction, self._addressed, key, rule_of(self.served, "get", actor))

    async def key_by(
        self, transaction: Transaction, name: str, value: Any, actor: Actor, above: Below | None = None
    ) -> Any:
        """The primary key of the row whose attribute `name` has this value, below another one where that is given.
        Where it has to be looked up, raises `NotFound`, also where the actor may not read the row."""
        if above is None and (name,) == self.served.entity.key.names:
            return value
        rule = below(rule_of(self.served, "get", actor), above)
        return await self._primary_key(transaction, self.served.addressed_by(name), value, rule)

    async def _primary_key(self, transaction: Transaction, addressed: ServedModel, key: Any, rule: BoundRule) -> Any:
        recipe = ReadKey(addressed, rule, Bound(key), self.served.entity.key.names)
        return await self._key(transaction, recipe, self.served)

    async def address(self, transaction: Transaction, key: Any) -> Any:
        """What the path of the row with this primary key has as its key."""
        if self._addressed is self.served:
            return key
        rule = bind_decision(True, system, self.served.entity)
        recipe = ReadKey(self.served, rule, Bound(key), self._addressed.entity.key.names)
        return await self._key(transaction, recipe, self._addressed)

    async def address_below(self, transaction: Transaction, key: Any, call: Call) -> Any:
        """As `address`. Raises `NotFound` for a row that is not below the one that the path of the call says."""
        rule = below(bind_decision(True, call.actor, self.served.entity), call.below)
        recipe = ReadKey(self.served, rule, Bound(key), self._addressed.entity.key.names)
        return await self._key(transaction, recipe, self._addressed)

    async def _key(self, transaction: Transaction, recipe: ReadKey, served: ServedModel) -> Any:
        statement = self._plans.get(recipe)
        records = await transaction.read(statement, recipe.binds(statement))
        if not records:
            raise not_found()
        return record_key_reader(served.entity.key, range(len(recipe.names)))(records[0])

    async def _one(self, transaction: Transaction, recipe: LoadObject) -> Any:
        found = (await self._load(transaction, recipe)).one_or_none()
        if found is None:
            raise not_found()
        return found

    async def objects(self, transaction: Transaction, query: ListQuery, actor: Actor) -> Sequence[Any]:
        """Load the rows of a query, one more than its limit, in the order they are read in."""
        recipe = LoadObjects(self.served, below(rule_of(self.served, "list", actor), query.below), query.rows)
        try:
            return (await self._load(transaction, recipe)).all()
        except DBAPIError as error:
            if isinstance(driver_error(error), InvalidTextRepresentationError):
                refuse_labels(query)
            raise

    async def bytes_of_objects(self, transaction: Transaction, query: ListQuery, actor: Actor) -> int:
        """How many bytes `objects` would load. 0 where rows are bounded, or small as the table has them: such pages
        pay for no other statement."""
        if not (self._unbounded or self._unbounded_below) or not await self._may_be_large(transaction):
            return 0
        rule = below(rule_of(self.served, "list", actor), query.below)
        recipe = CountBytes(self.served, rule, query.rows, self._unbounded, self._unbounded_below)
        statement = self._plans.get(recipe)
        return int((await transaction.read(statement, recipe.binds(statement)))[0][0])

    async def _may_be_large(self, transaction: Transaction) -> bool:
        now = time.monotonic()
        if now >= self._asked_at + MAY_BE_LARGE_SECONDS:
            self._asked_at = now  # before the reply: of many requests at once, one asks
            records = await transaction.read(TABLE_MAY_BE_LARGE, {"name": self._table_name})
            self._is_large = not records or records[0][0] is not False
        return self._is_large

    async def _load(self, transaction: Transaction, recipe: Recipe[LoadPlan]) -> ScalarResult[Any]:
        plan = self._plans.get(recipe)
        return await transaction.load(plan.statement, loading_binds(plan, recipe))

    async def page_in(
        self, call: Call, transaction: Transaction, query: ListQuery, dto: DTOMembers | None = None
    ) -> RowPage:
        """A page of rows, as the transaction sees them. Raises 503 `overloaded` as `list` does."""
        wanted = Wanted(query.fields, query.expand, dto or self.served.lists)
        recipe = ReadPage(self._selection("list", call, wanted), query.rows, query.counts)
        plan = self._plans.get(recipe)
        if plan.is_cut:
            self._database.backlog.check()
        records = await transaction.read(plan.statement, recipe.binds(plan.statement))
        return _page_of(plan, query, records)

    async def page_of_keys(
        self,
        call: Call,
        transaction: Transaction,
        keys: Sequence[Any],
        query: ListQuery,
        dto: DTOMembers | None = None,
    ) -> RowPage:
        """The page that shows exactly these rows, as far as the actor may list them, in this order."""
        selection = self._selection("list", call, Wanted(query.fields, query.expand, dto or self.served.lists))
        recipe = ReadRowsByKey(selection, query.order, Bound(list(keys)))
        plan = self._plans.get(recipe)
        records = await transaction.read(plan.statement, recipe.binds(plan.statement))
        return page_of_records(plan, query, records)

    async def row_in(self, call: Call, transaction: Transaction, key: Any, wanted: Wanted = ALL) -> Row:
        """One row by its primary key, as the transaction sees it. Raises `NotFound`."""
        found = wanted if wanted.dto is not None else wanted._replace(dto=self.served.answers)
        return await self._row(transaction, self._recipe(call, key, found, self.served))

    async def row_at(self, call: Call, transaction: Transaction, key: Any) -> Row:
        """As `row_in`, by the key in the row's path."""
        return await self._row(transaction, self._recipe(call, key, Wanted(dto=self.served.answers), self._addressed))

    async def fields_of(self, call: Call, key: Any, names: tuple[str, ...]) -> Row:
        """The fields of a row by the key in its path, whatever a DTO makes of them. Raises `NotFound`."""
        recipe = self._recipe(call, key, Wanted(names), self._addressed)
        plan = self._plans.get(recipe)
        arguments = plan.statement.arguments(recipe.binds(plan.statement))
        records = await self._run(call, plan.statement, arguments, is_unbounded=plan.is_unbounded)
        if not records:
            raise not_found()
        return _row_of(plan, records[0], key)

    async def _row(self, transaction: Transaction, recipe: ReadRow) -> Row:
        plan = self._plans.get(recipe)
        records = await transaction.read(plan.statement, recipe.binds(plan.statement))
        if not records:
            raise not_found()
        return _row_of(plan, records[0], recipe.key.value)

    def _recipe(self, call: Call, key: Any, wanted: Wanted, served: ServedModel) -> ReadRow:
        selection = self._selection("get", call, wanted, served)
        has_whole = wanted.fields is not None and selection.has_tag
        whole = self._selection("get", call, Wanted(dto=wanted.dto), served) if has_whole else None
        return ReadRow(selection, Bound(key), whole)

    def _selection(self, action: str, call: Call, wanted: Wanted, served: ServedModel | None = None) -> RowSelection:
        rule, served, dto = rule_of_call(self.served, action, call), served or self.served, wanted.dto
        if dto is not None:
            return DTOSelection.of(dto, rule, partial(call_value, call), wanted.fields, served)
        return Selection.of(served, call.view, rule, wanted.fields, wanted.expand)

    def shown_by(self, call: Call, dto: DTOMembers) -> RowSelection:
        """What a statement that writes a row returns of it, where it is shown as a DTO."""
        rule = rule_of_call(self.served, "get", call)
        if not dto.is_flat:
            return Selection(self._addressed, rule, (), ())
        return DTOSelection.of(dto, rule, partial(call_value, call), None, self._addressed)


def _row_of(plan: ReadPlan, record: Record, key: Any) -> Row:
    tag = plan.tag
    return Row(plan.build(record), None if tag is None else tag(record), key)


def refuse_labels(query: ListQuery) -> None:
    """Raise the refusal of a label that the database does not know either."""
    for item in query.filters:
        for label in unknown_labels(item.operand.value if isinstance(item.operand, Bound) else None):
            raise label.refusal


def _page_of(plan: PagePlan | RowsPlan, query: ListQuery, records: Sequence[Record]) -> RowPage:
    if isinstance(plan, PagePlan):
        return page_of_record(plan, query, records[0])
    return page_of_records(plan, query, records)


def page_of_record(plan: PagePlan, query: ListQuery, record: Record) -> RowPage:
    """The page of a `PagePlan`, whose rows PostgreSQL joined into one text.

    The statement reads one row more than the limit, which only shows that there are more: its text is cut off at a
    `SEPARATOR`. JSON that PostgreSQL writes holds no line feed (those in texts are escaped), so the separator, a comma
    and a line feed, stands between rows only. A backward page was read in reverse and joined in the query's order:
    there the extra row comes first.
    """
    text: str = record[0] or ""
    count: int = record[1]
    total: int | None = None if plan.total_index is None else record[plan.total_index]
    if not count:
        return RowPage("", None, None, False, total=total)
    terms = 3 if plan.is_cut else 2
    first = tuple(record[terms + 2 * index] for index in range(plan.terms))
    last = tuple(record[terms + 1 + 2 * index] for index in range(plan.terms))
    if query.is_backward:
        first, last = last, first
    if plan.is_cut:
        return RowPage(text, first, last, record[2] > count, count, total)
    more = count > query.limit
    if more and query.is_backward:
        text = text[text.index(SEPARATOR) + len(SEPARATOR) :]
    elif more:
        text = text[: text.rindex(SEPARATOR)]
    return RowPage(text, first, last, more, min(count, query.limit), total)


def page_of_records(plan: RowsPlan, query: ListQuery, records: Sequence[Record]) -> RowPage:
    """The page of a `RowsPlan`, whose rows are one record each; a backward page is reversed here."""
    total: int | None = None
    if plan.total_index is not None:
        total = records[0][plan.total_index]
        records = [record for record in records if record[plan.total_index + 1] is not None]
    kept = records[: query.limit]
    if plan.fits_index is not None:
        kept = [record for record in kept if record[plan.fits_index]]
    more = len(records) > len(kept)
    if query.is_backward:
        kept = kept[::-1]
    if not kept:
        return RowPage("", None, None, more, total=total)
    first, last = (tuple(record[index] for index in plan.order_indexes) for record in (kept[0], kept[-1]))
    return RowPage(SEPARATOR.join([plan.build(record) for record in kept]), first, last, more, len(kept), total)
