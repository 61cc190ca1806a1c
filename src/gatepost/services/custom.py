"""Verbs that go through a service of the user's: one transaction, the service's methods, then what is shown.

A service decides what happens to which rows; what is shown of them is read by the same compiled statements as
everywhere else, so that fields, expansions and policies cannot be stepped around.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import inspect

from gatepost.auth.actor import Actor
from gatepost.auth.policies import decide
from gatepost.database.database import Database
from gatepost.database.transactions import Transaction
from gatepost.errors import NotFound
from gatepost.models.catalog import Served, View
from gatepost.models.conditions import bind_policy, holds
from gatepost.models.reads import KEY, Expansion, Query
from gatepost.services.derived import Derived
from gatepost.services.echoes import check_echoes, merge_documents
from gatepost.services.rules import Draft, explain, fill_owner, forbidden
from gatepost.services.service import Changes, Service
from gatepost.services.unit import Registry, Unit
from gatepost.services.verbs import Page, Row, Versions, Written

T = TypeVar("T")


class Custom:
    """The verbs of one resource through its service. Implements `Verbs`; unused for actions that are not overridden."""

    def __init__(
        self, served: Served, service: type[Service[Any]], derived: Derived, registry: Registry, database: Database
    ) -> None:
        self._served = served
        self._service = service
        self._model = served.entity.model
        self._derived = derived
        self._registry = registry
        self._database = database

    async def get(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> Row:
        """The row that the service's `get` returns, as the actor may see it."""

        async def work(unit: Unit) -> Row:
            row = await unit.service(self._model).get(key, actor)
            return await self._show(unit, self._key(row, "get"), actor, view, fields, expand)

        return await self._run(work)

    async def list(self, query: Query, actor: Actor, view: View) -> Page:
        """The rows that the service's `list` returns, as the actor may see them."""

        async def work(unit: Unit) -> Page:
            rows = await unit.service(self._model).list(query, actor)
            keys = [self._key(row, "list") for row in rows]
            return await self._derived.page_of_keys(unit.transaction, keys, query, actor, view)

        return await self._run(work)

    async def create(self, values: dict[str, Any], actor: Actor, view: View) -> Row:
        """What the service's `create` makes of the values."""

        async def work(unit: Unit) -> Row:
            filled = dict(values)
            fill_owner(self._served, filled, actor)
            permitted = decide(self._served.resource.policies["create"], actor)
            if holds(permitted, Draft(filled), actor) is False:
                raise forbidden(actor)
            references = self._derived.references
            await references.check(unit.transaction, filled, references.names(filled, actor, all=True), actor)
            row = await unit.service(self._model).create(self._model(**filled), actor)
            await unit.transaction.session.flush()
            key = self._key(row, "create")
            await self._hold(unit, "create", key, actor)
            return await self._show_or_nothing(unit, key, actor, view)

        return await self._run(work)

    async def update(self, key: Any, written: Written, actor: Actor, view: View, versions: Versions) -> Row:
        """What the service's `update` makes of the changes."""

        async def work(unit: Unit) -> Row:
            values = await self._look(unit, key, "update", written, actor, versions)
            references = self._derived.references
            await references.check(unit.transaction, values, references.names(values, actor, all=True), actor)
            row = await unit.transaction.session.get_one(self._model, key, populate_existing=True)
            row = await unit.service(self._model).update(row, Changes(values), actor)
            await unit.transaction.session.flush()
            await self._hold(unit, "update", key, actor)
            return await self._show_or_nothing(unit, self._key(row, "update"), actor, view)

        return await self._run(work)

    async def delete(self, key: Any, actor: Actor, versions: Versions) -> None:
        """What the service's `delete` makes of it."""

        async def work(unit: Unit) -> None:
            await self._look(unit, key, "delete", Written({}, {}), actor, versions)
            row = await unit.transaction.session.get_one(self._model, key, populate_existing=True)
            await unit.service(self._model).delete(row, actor)

        await self._run(work)

    async def _run(self, work: Callable[[Unit], Awaitable[T]]) -> T:
        async def in_unit(transaction: Transaction) -> T:
            return await work(Unit(transaction, self._registry))

        return await self._database.transact(
            in_unit, isolation=self._service.isolation, attempts=self._service.attempts
        )

    async def _look(
        self, unit: Unit, key: Any, action: str, written: Written, actor: Actor, versions: Versions
    ) -> dict[str, Any]:
        """Lock the row, refuse what has to be refused, and say which values the change comes to."""
        policies = self._served.resource.policies
        read = bind_policy(policies["get"], actor, self._served.entity)
        permitted = bind_policy(policies[action], actor, self._served.entity, "c")
        documents = self._derived.documents & set(written.values)
        plan = self._derived.locate((*written.echoes, *sorted(documents)), read, permitted, lock=True)
        records = await unit.transaction.fetch(plan.statement, {KEY: key, **read.values, **permitted.values})
        explain(records[0] if records else None, plan, versions, actor)
        check_echoes(self._served.entity, plan, records[0], written)
        return merge_documents(plan, records[0], written.values, documents)

    async def _hold(self, unit: Unit, action: str, key: Any, actor: Actor) -> None:
        """A service may write without `super()`: the row it leaves is held to the rule all the same."""
        rule = bind_policy(self._served.resource.policies[action], actor, self._served.entity, "c")
        if rule.decision is True:
            return
        plan = self._derived.locate((), rule, rule, lock=False)
        records = await unit.transaction.fetch(plan.statement, {KEY: key, **rule.values})
        if not records or not records[0][plan.permitted_index]:
            raise forbidden(actor)

    async def _show(
        self,
        unit: Unit,
        key: Any,
        actor: Actor,
        view: View,
        fields: tuple[str, ...] | None,
        expand: tuple[Expansion, ...],
    ) -> Row:
        plan, values = self._derived.one(key, actor, view, fields, expand)
        return self._derived.shown(plan, await unit.transaction.fetch(plan.statement, values), key)

    async def _show_or_nothing(self, unit: Unit, key: Any, actor: Actor, view: View) -> Row:
        try:
            return await self._show(unit, key, actor, view, None, ())
        except NotFound:
            return Row("", "", key)

    def _key(self, row: Any, verb: str) -> Any:
        """The key of a row that a service returned."""
        if not isinstance(row, self._model):
            name = f"{self._service.__name__}.{verb}"
            raise TypeError(f"{name} returned {type(row).__name__}, not {self._model.__name__}.")
        identity = inspect(row).identity
        if identity is None:
            raise TypeError(f"{self._service.__name__}.{verb} returned a row that was not written; call super().")
        return identity[0]
