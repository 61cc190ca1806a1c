"""Compiled reads: a row or a page is one compiled statement, cached by the shape of the request.

Policies are conditions of the statement, and PostgreSQL writes the rows as JSON. Plans of cacheable queries are kept
together with their arguments.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache
from gatepost.database.connection import Record
from gatepost.database.database import Database
from gatepost.database.transactions import Transaction
from gatepost.models.catalog import ServedModel, View
from gatepost.models.conditions import bind_policy
from gatepost.models.reads import (
    KEY,
    KEYS,
    SEPARATOR,
    Expansion,
    ListQuery,
    PagePlan,
    ReadPlan,
    RowsPlan,
    expansion_values,
    object_select,
    objects_select,
    page_plan,
    query_shape,
    query_values,
    row_plan,
    ruled_shape,
    ruled_values,
)
from gatepost.services.plans import Plans
from gatepost.services.verbs import Row, RowPage
from gatepost.services.write_policies import not_found

PAGES_MAX = 1024
"""Cached queries per resource: the plan and its arguments."""


class CompiledReads:
    """The verbs `get` and `list` of one resource, and the reads that services do inside their transactions."""

    def __init__(self, served: ServedModel, database: Database, plans: Plans) -> None:
        self.served = served
        self._entity = served.entity
        self._policies = served.resource.policies
        self._database = database
        self._plans = plans
        # Where the policy is the same for every actor, the statement depends on the view alone. (A policy that is
        # decided for this actor only, such as an administrator's, must not share its statement with others.)
        self.is_open = self._policies["get"].is_constant
        self._fast_reads: dict[View, ReadPlan] = {}
        self._is_list_open = self._policies["list"].is_constant
        self._pages = BoundedCache[tuple[ListQuery, View], tuple[PagePlan | RowsPlan, list[Any]]](PAGES_MAX)

    async def get(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> Row:
        """One row by its key."""
        if fields is None and not expand and (fast := self._fast_reads.get(view)) is not None:
            run = self._database.run_unbounded if fast.is_unbounded else self._database.run
            records = await run(fast.statement, [key])
            if not records:
                raise not_found()
            record = records[0]
            return Row(fast.build(record), str(record[fast.version_index]), key)
        plan, values = self.plan_row(key, actor, view, fields, expand)
        if self.is_open and fields is None and not expand and plan.statement.plain_names == (KEY,):
            self._fast_reads[view] = plan
        run = self._database.run_unbounded if plan.is_unbounded else self._database.run
        return self.render(plan, await run(plan.statement, plan.statement.arguments(values)), key)

    async def list(self, query: ListQuery, actor: Actor, view: View) -> RowPage:
        """A page of rows."""
        kept = self._pages.get((query, view))
        if kept is None:
            plan, values = self._plan_page(query, actor, view)
            kept = plan, plan.statement.arguments(values)
            if query.is_cacheable and self._is_list_open and not view.ruled:
                self._pages[query, view] = kept
        plan, arguments = kept
        run = self._database.run_unbounded if plan.is_cut else self._database.run
        records = await run(plan.statement, arguments)
        return (
            page_of_record(plan, query, records[0])
            if isinstance(plan, PagePlan)
            else page_of_records(plan, query, records)
        )

    async def object(self, transaction: Transaction, key: Any, actor: Actor) -> Any:
        """Load the row with this key. Raises `NotFound`, also where the actor may not read it."""
        rule = bind_policy(self._policies["get"], actor, self._entity)
        statement = self._plans.get(("object", self.served, rule.shape), lambda: object_select(self.served, rule))
        found = (await transaction.load(statement, {KEY: key, **rule.values})).one_or_none()
        if found is None:
            raise not_found()
        return found

    async def objects(self, transaction: Transaction, query: ListQuery, actor: Actor) -> Sequence[Any]:
        """Load the rows of a query, one more than its limit, in the order they are read in."""
        rule = bind_policy(self._policies["list"], actor, self._entity)
        statement = self._plans.get(
            ("objects", self.served, rule.shape, query_shape(query)), lambda: objects_select(self.served, rule, query)
        )
        return (await transaction.load(statement, {**query_values(query), **rule.values})).all()

    async def page_of_keys(
        self, transaction: Transaction, keys: Sequence[Any], query: ListQuery, actor: Actor, view: View
    ) -> RowPage:
        """The page that shows exactly these rows, as far as the actor may list them, in this order."""
        chosen = msgspec.structs.replace(query, filters=(), position=None, limit=0, by_keys=True)
        plan, values = self._plan_page(chosen, actor, view)
        records = await transaction.read(plan.statement, {**values, KEYS: list(keys)})
        assert isinstance(plan, RowsPlan)  # noqa: S101 - a plan for keys is made so
        return page_of_records(plan, query, in_order(plan, records, keys))

    def _plan_page(self, query: ListQuery, actor: Actor, view: View) -> tuple[PagePlan | RowsPlan, dict[str, Any]]:
        rule = bind_policy(self._policies["list"], actor, self._entity)
        plan = self._plans.get(
            ("page", self.served, view, ruled_shape(view, rule, self.served), rule.shape, query_shape(query)),
            lambda: page_plan(
                self.served,
                view,
                rule,
                query,
                bigint_as_string=self._plans.bigint_as_string,
                bytes_max=self._plans.page_bytes_max,
            ),
        )
        values = query_values(query)
        if rule.values or view.ruled:
            values.update(rule.values)
            values.update(ruled_values(view, rule, self.served))
        return plan, values

    def plan_row(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> tuple[ReadPlan, dict[str, Any]]:
        """The plan and the values that read one row."""
        rule = bind_policy(self._policies["get"], actor, self._entity)
        plan = self._plans.get(
            (
                "get",
                self.served,
                view,
                ruled_shape(view, rule, self.served),
                rule.shape,
                fields,
                *(item.shape for item in expand),
            ),
            lambda: row_plan(self.served, view, rule, fields, expand, bigint_as_string=self._plans.bigint_as_string),
        )
        values = {KEY: key, **rule.values}
        if expand:
            values.update(expansion_values(expand))
        if view.ruled:
            values.update(ruled_values(view, rule, self.served))
        return plan, values

    @staticmethod
    def render(plan: ReadPlan, records: Sequence[Record], key: Any) -> Row:
        """The row of a record; raises `NotFound` where there is none."""
        if not records:
            raise not_found()
        record = records[0]
        return Row(plan.build(record), str(record[plan.version_index]), key)


def page_of_record(plan: PagePlan, query: ListQuery, record: Record) -> RowPage:
    """The page of a `PagePlan`, whose rows PostgreSQL joined into one text.

    The statement reads one row more than the limit, which only shows that there are more: its text is cut off at a
    `SEPARATOR`. JSON that PostgreSQL writes holds no line feed (those in texts are escaped), so the separator, a comma
    and a line feed, stands between rows only. A backward page was read in reverse and joined in the query's order:
    there the extra row comes first.
    """
    text: str = record[0] or ""
    count: int = record[1]
    if not count:
        return RowPage("", None, None, False)
    terms = 3 if plan.is_cut else 2
    first = tuple(record[terms + 2 * index] for index in range(plan.terms))
    last = tuple(record[terms + 1 + 2 * index] for index in range(plan.terms))
    if plan.is_cut:
        ends = (last, first) if query.position is not None and query.position.backward else (first, last)
        return RowPage(text, *ends, more=record[2] > count)
    more = count > query.limit
    if query.position is None or not query.position.backward:
        return RowPage(text[: text.rindex(SEPARATOR)] if more else text, first, last, more)
    return RowPage(text[text.index(SEPARATOR) + len(SEPARATOR) :] if more else text, last, first, more)


def page_of_records(plan: RowsPlan, query: ListQuery, records: Sequence[Record]) -> RowPage:
    """The page of a `RowsPlan`, whose rows are one record each; a backward page is reversed here."""
    kept = records[: query.limit]
    if plan.fits_index is not None:
        kept = [record for record in kept if record[plan.fits_index]]
    more = len(records) > len(kept)
    if query.position is not None and query.position.backward:
        kept = kept[::-1]
    if not kept:
        return RowPage("", None, None, more)
    first, last = (tuple(record[index] for index in plan.order_indexes) for record in (kept[0], kept[-1]))
    return RowPage(SEPARATOR.join([plan.build(record) for record in kept]), first, last, more)


def in_order(plan: RowsPlan, records: Sequence[Record], keys: Sequence[Any]) -> list[Record]:
    """The records in the order of these keys; the key is the last term of every order."""
    by_key = {record[plan.order_indexes[-1]]: record for record in records}
    return [by_key[key] for key in keys if key in by_key]
