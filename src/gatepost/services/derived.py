"""Derived verbs: what no service overrides is one compiled statement, from the policy to the row that is shown.

A transaction is opened only where one statement cannot tell: references under a rule, a merge into JSON, a read-only
field that was sent back, a rule that the change itself may break.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import JSON, Column

from gatepost.auth.actor import Actor
from gatepost.database.database import Database
from gatepost.database.pool import Record
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.errors import Unprocessable
from gatepost.models.catalog import Catalog, Served, View
from gatepost.models.conditions import BoundRule, bind_decision, bind_policy, holds
from gatepost.models.reads import (
    KEY,
    KEYS,
    SEPARATOR,
    Expansion,
    PagePlan,
    Query,
    ReadPlan,
    RowsPlan,
    expansion_values,
    keys_statement,
    one_plan,
    page_plan,
    query_shape,
    query_values,
    ruled_shape,
    ruled_values,
)
from gatepost.models.writes import (
    VERSIONS,
    LocatePlan,
    WritePlan,
    bind_name,
    delete_statement,
    insert_plan,
    locate_plan,
    update_plan,
)
from gatepost.services.echoes import check_echoes, merge_documents, unchanged
from gatepost.services.plans import Plans
from gatepost.services.rules import (
    Draft,
    References,
    depends_on,
    explain,
    fill_owner,
    forbidden,
    not_found,
    with_field_rules,
)
from gatepost.services.verbs import Page, Row, Versions, Written


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _fillers(served: Served, default_of: Callable[[Column[Any]], Any]) -> tuple[tuple[str, Callable[[], Any]], ...]:
    """Python-side defaults of columns, which a compiled statement does not apply by itself."""
    found: list[tuple[str, Callable[[], Any]]] = []
    for name, attribute in served.entity.attributes.items():
        default = default_of(attribute.column)
        if default is None or default.is_clause_element or default.is_sequence:
            continue
        call = cast("Callable[[Any], Any]", default.arg)
        found.append((name, (lambda call=call: call(None)) if default.is_callable else _constant(default.arg)))  # type: ignore[misc]
    return tuple(found)


PAGES_MAX = 1024
"""Recurring pages kept per resource: the statement and its arguments."""


class Derived:
    """The verbs of one resource as compiled statements. Implements `Verbs`."""

    def __init__(self, served: Served, catalog: Catalog, database: Database, plans: Plans) -> None:
        self.served = served
        self._entity = served.entity
        self._policies = served.resource.policies
        self._database = database
        self._plans = plans
        self.references = References(served, catalog, plans)
        self._defaults = _fillers(served, lambda column: column.default)
        self._on_update = _fillers(served, lambda column: column.onupdate)
        # Where the policy is the same for everybody, the statement depends on the view alone. (A policy that is
        # merely decided for this actor, an administrator say, must not lend its statement to the next one.)
        self._is_plain = self._policies["get"].is_constant
        self._plain: dict[View, ReadPlan] = {}
        self._lists_plainly = self._policies["list"].is_constant
        self._pages: dict[tuple[Query, View], tuple[PagePlan | RowsPlan, list[Any]]] = {}
        self.documents = frozenset(
            name for name, attribute in served.entity.attributes.items() if isinstance(attribute.column.type, JSON)
        )

    # Reading

    async def get(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> Row:
        """One row by its key."""
        if fields is None and not expand and (plain := self._plain.get(view)) is not None:
            return self.shown(plain, await self._database.read(plain.statement, [key]), key)
        plan, values = self.one(key, actor, view, fields, expand)
        if self._is_plain and fields is None and not expand and plan.statement.takes_only(KEY):
            self._plain[view] = plan
        records = await self._database.read(plan.statement, plan.statement.arguments(values))
        return self.shown(plan, records, key)

    async def list(self, query: Query, actor: Actor, view: View) -> Page:
        """A page of rows."""
        kept = self._pages.get((query, view))
        if kept is None:
            plan, values = self._page(query, actor, view)
            kept = plan, plan.statement.arguments(values)
            if query.recurs and self._lists_plainly and not view.ruled:
                if len(self._pages) >= PAGES_MAX:
                    self._pages.clear()
                self._pages[query, view] = kept
        plan, arguments = kept
        records = await self._database.read(plan.statement, arguments)
        return gathered(plan, query, records[0]) if isinstance(plan, PagePlan) else paged(plan, query, records)

    async def keys(self, transaction: Transaction, query: Query, actor: Actor) -> Sequence[Any]:
        """The keys of a query's rows, one more than its limit, in the order they are read in."""
        rule = bind_policy(self._policies["list"], actor, self._entity)
        statement = self._plans.get(
            ("keys", self.served, rule.shape, query_shape(query)), lambda: keys_statement(self.served, rule, query)
        )
        records = await transaction.fetch(statement, {**query_values(query), **rule.values})
        return [record[0] for record in records]

    async def page_of_keys(
        self, transaction: Transaction, keys: Sequence[Any], query: Query, actor: Actor, view: View
    ) -> Page:
        """The page that shows exactly these rows, as far as the actor may list them, in this order."""
        chosen = msgspec.structs.replace(query, filters=(), position=None, limit=0, keys=True)
        plan, values = self._page(chosen, actor, view)
        records = await transaction.fetch(plan.statement, {**values, KEYS: list(keys)})
        assert isinstance(plan, RowsPlan)  # noqa: S101 - a plan for keys is made so
        return paged(plan, query, in_order(plan, records, keys))

    def _page(self, query: Query, actor: Actor, view: View) -> tuple[PagePlan | RowsPlan, dict[str, Any]]:
        rule = bind_policy(self._policies["list"], actor, self._entity)
        plan = self._plans.get(
            ("page", self.served, view, ruled_shape(view, rule, self.served), rule.shape, query_shape(query)),
            lambda: page_plan(self.served, view, rule, query, bigint_as_string=self._plans.bigint_as_string),
        )
        values = query_values(query)
        if rule.values or view.ruled:
            values.update(rule.values)
            values.update(ruled_values(view, rule, self.served))
        return plan, values

    def one(
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
            lambda: one_plan(self.served, view, rule, fields, expand, bigint_as_string=self._plans.bigint_as_string),
        )
        values = {KEY: key, **rule.values}
        if expand:
            values.update(expansion_values(expand))
        if view.ruled:
            values.update(ruled_values(view, rule, self.served))
        return plan, values

    @staticmethod
    def shown(plan: ReadPlan, records: Sequence[Record], key: Any) -> Row:
        """The row of a record; raises `NotFound` where there is none."""
        if not records:
            raise not_found()
        record = records[0]
        return Row(plan.build(record), str(record[plan.version_index]), key)

    # Writing

    async def create(self, values: dict[str, Any], actor: Actor, view: View) -> Row:
        """Insert one row."""
        permitted = bind_policy(self._policies["create"], actor, self._entity, "c")
        if view.guarded:
            permitted = bind_decision(with_field_rules(permitted.decision, view, values), actor, self._entity, "c")
        fill_owner(self.served, values, actor)
        outcome = holds(permitted.decision, Draft(values), actor)
        if outcome is False:
            raise forbidden(actor)
        looked_up = self.references.names(values, actor, all=False)
        for name, make in self._defaults:
            if name not in values:
                values[name] = make()
        plan, binds = self._insert(values, permitted, actor, view)
        if outcome is True and not looked_up:
            records = await self._write(plan.statement, binds, values, actor)
            return self._written(plan, records[0])

        async def work(transaction: Transaction) -> Row:
            await self.references.check(transaction, values, looked_up, actor)
            record = (await transaction.fetch(plan.statement, binds))[0]
            if not record[plan.permitted_index]:
                raise forbidden(actor)
            return self._written(plan, record)

        return await self._database.transact(work)

    async def update(self, key: Any, written: Written, actor: Actor, view: View, versions: Versions) -> Row:
        """Change one row."""
        values = written.values
        permitted = bind_policy(self._policies["update"], actor, self._entity, "c")
        if permitted.decision is False:
            raise forbidden(actor)
        looked_up = self.references.names(values, actor, all=False)
        for name, make in self._on_update:
            if name not in values and values:
                values[name] = make()
        is_plain = values and not written.echoes and self.documents.isdisjoint(values) and not looked_up
        if (
            is_plain
            and view.guarded.keys().isdisjoint(values)
            and not depends_on(permitted.decision, values, self.served)
        ):
            plan, binds = self._update(key, values, permitted, actor, view, versions)
            records = await self._write(plan.statement, binds, values, actor)
            if records:
                return self._written(plan, records[0])

        async def work(transaction: Transaction) -> Row:
            return await self._update_carefully(transaction, key, written, looked_up, permitted, actor, view, versions)

        return await self._database.transact(work)

    async def delete(self, key: Any, actor: Actor, versions: Versions) -> None:
        """Delete one row."""
        read = bind_policy(self._policies["get"], actor, self._entity)
        permitted = bind_policy(self._policies["delete"], actor, self._entity, "c")
        if permitted.decision is False:
            raise forbidden(actor)
        statement = self._plans.get(
            ("delete", self.served, read.shape, permitted.shape, versions is None),
            lambda: delete_statement(self.served, read, permitted, versioned=versions is not None),
        )
        values = {KEY: key, VERSIONS: versions, **read.values, **permitted.values}
        if not await self._database.write(statement, statement.arguments(values)):
            plan = self.locate((), read, permitted, lock=False)
            binds = {KEY: key, **read.values, **permitted.values}
            records = await self._database.read(plan.statement, plan.statement.arguments(binds))
            explain(records[0] if records else None, plan, versions, actor)
            raise not_found()

    async def _update_carefully(
        self,
        transaction: Transaction,
        key: Any,
        written: Written,
        looked_up: Sequence[str],
        permitted: BoundRule,
        actor: Actor,
        view: View,
        versions: Versions,
    ) -> Row:
        read = bind_policy(self._policies["get"], actor, self._entity)
        plan, record = await self.look(transaction, key, written, read, permitted, actor, view, versions)
        values = merge_documents(plan, record, written.values, self.documents)
        if not view.guarded.keys().isdisjoint(values):
            same = unchanged(self._entity, plan, record, values, view.guarded.keys() & values.keys())
            values = {name: value for name, value in values.items() if name not in same}
            permitted = bind_decision(with_field_rules(permitted.decision, view, values), actor, self._entity, "c")
        await self.references.check(transaction, values, looked_up, actor)
        if not values:
            one, binds = self.one(key, actor, view, None, ())
            return self.shown(one, await transaction.fetch(one.statement, binds), key)
        update, binds = self._update(key, values, permitted, actor, view, None)
        changed = await transaction.fetch(update.statement, binds)
        if not changed or not changed[0][update.permitted_index]:
            raise forbidden(actor)
        return self._written(update, changed[0])

    async def look(
        self,
        transaction: Transaction,
        key: Any,
        written: Written,
        read: BoundRule,
        permitted: BoundRule,
        actor: Actor,
        view: View,
        versions: Versions,
    ) -> tuple[LocatePlan, Record]:
        """Lock the row that is to be changed and read what the change has to be compared with; raises what refuses."""
        values = written.values.keys()
        names = (*written.echoes, *sorted((self.documents | view.guarded.keys()) & values))
        plan = self.locate(names, read, permitted, lock=True, view=view)
        binds = {KEY: key, **read.values, **permitted.values, **ruled_values(view, read, self.served)}
        records = await transaction.fetch(plan.statement, binds)
        explain(records[0] if records else None, plan, versions, actor)
        check_echoes(self.served, plan, records[0], written)
        return plan, records[0]

    async def _write(
        self, statement: Statement, binds: dict[str, Any], values: dict[str, Any], actor: Actor
    ) -> Sequence[Record]:
        """Run a writing statement by itself. PostgreSQL names one broken reference; the answer names all."""
        try:
            return await self._database.write(statement, statement.arguments(binds))
        except Unprocessable as problem:
            if problem.code == "reference_not_found":
                names = self.references.names(values, actor, all=True)
                await self._database.transact(lambda work: self.references.check(work, values, names, actor))
            raise

    # Plans

    def locate(
        self, names: tuple[str, ...], read: BoundRule, permitted: BoundRule, *, lock: bool, view: View | None = None
    ) -> LocatePlan:
        """The plan that looks at a row before it is changed, or after it was not."""
        ruled = () if view is None else (view, ruled_shape(view, read, self.served))
        return self._plans.get(
            ("locate", self.served, names, read.shape, permitted.shape, lock, ruled),
            lambda: locate_plan(self.served, names, read, permitted, lock=lock, view=view),
        )

    def _insert(
        self, values: dict[str, Any], permitted: BoundRule, actor: Actor, view: View
    ) -> tuple[WritePlan, dict[str, Any]]:
        read = bind_policy(self._policies["get"], actor, self._entity)
        names = tuple(values)
        plan = self._plans.get(
            ("insert", self.served, view, ruled_shape(view, read, self.served), names, read.shape, permitted.shape),
            lambda: insert_plan(
                self.served, view, names, read, permitted, bigint_as_string=self._plans.bigint_as_string
            ),
        )
        return plan, self._binds(values, read, permitted, view)

    def _update(
        self, key: Any, values: dict[str, Any], permitted: BoundRule, actor: Actor, view: View, versions: Versions
    ) -> tuple[WritePlan, dict[str, Any]]:
        read = bind_policy(self._policies["get"], actor, self._entity)
        names = tuple(values)
        versioned = versions is not None
        plan = self._plans.get(
            (
                "update",
                self.served,
                view,
                ruled_shape(view, read, self.served),
                names,
                read.shape,
                permitted.shape,
                versioned,
            ),
            lambda: update_plan(
                self.served,
                view,
                names,
                read,
                permitted,
                versioned=versioned,
                bigint_as_string=self._plans.bigint_as_string,
            ),
        )
        return plan, {KEY: key, VERSIONS: versions, **self._binds(values, read, permitted, view)}

    def _binds(self, values: dict[str, Any], read: BoundRule, permitted: BoundRule, view: View) -> dict[str, Any]:
        binds = {bind_name(name): value for name, value in values.items()}
        binds.update(read.values)
        binds.update(permitted.values)
        if view.ruled:
            binds.update(ruled_values(view, read, self.served))
        return binds

    @staticmethod
    def _written(plan: WritePlan, record: Record) -> Row:
        data = plan.build(record) if record[plan.readable_index] else ""
        return Row(data, str(record[plan.version_index]), record[plan.key_index])


def gathered(plan: PagePlan, query: Query, record: Record) -> Page:
    """A page that PostgreSQL joined: the row beyond the limit only tells that there are more, and is cut off."""
    text: str = record[0] or ""
    count: int = record[1]
    if not count:
        return Page("", None, None, False)
    more = count > query.limit
    first = tuple(record[2 + 2 * index] for index in range(plan.terms))
    last = tuple(record[3 + 2 * index] for index in range(plan.terms))
    if query.position is None or not query.position.backward:
        return Page(text[: text.rindex(SEPARATOR)] if more else text, first, last, more)
    return Page(text[text.index(SEPARATOR) + len(SEPARATOR) :] if more else text, last, first, more)


def paged(plan: RowsPlan, query: Query, records: Sequence[Record]) -> Page:
    """A page of records, in the direction they were read in."""
    more = len(records) > query.limit
    kept = records[: query.limit] if more else records
    if query.position is not None and query.position.backward:
        kept = kept[::-1]
    if not kept:
        return Page("", None, None, more)
    first, last = (tuple(record[index] for index in plan.order_indexes) for record in (kept[0], kept[-1]))
    return Page(SEPARATOR.join([plan.build(record) for record in kept]), first, last, more)


def in_order(plan: RowsPlan, records: Sequence[Record], keys: Sequence[Any]) -> list[Record]:
    """Records in the order of the keys that chose them; the key is the last term of every order."""
    by_key = {record[plan.order_indexes[-1]]: record for record in records}
    return [by_key[key] for key in keys if key in by_key]
