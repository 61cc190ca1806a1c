"""Verbs that go through a user's service: one transaction, the service's methods, then the read for the response.

A service decides what happens to which rows. The response is read by the same compiled statements as everywhere else,
so that a service cannot bypass fields, expansions or policies.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.database.database import Database, driver_error
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, decide
from gatepost.errors import NotFound
from gatepost.exact_json import natural
from gatepost.models.catalog import ServedModel
from gatepost.models.conditions import BoundRule, bind_decision, bind_policy, holds
from gatepost.models.list_query import ListQuery
from gatepost.models.row_size import row_bytes_max
from gatepost.models.selections import Expansion
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.service import Changes, Service
from gatepost.services.unit_of_work import ServiceRegistry, UnitOfWork
from gatepost.services.verbs import ChangeSet, Row, RowPage, Versions
from gatepost.services.write_policies import ProposedRow, fill_owner, refused_fields, with_field_rules
from gatepost.view import View

T = TypeVar("T")


class ServiceVerbs:
    """The verbs of one resource through its service. Implements `Verbs`; not used for actions that the service does not
    override."""

    def __init__(
        self,
        served: ServedModel,
        service: type[Service[Any]],
        compiled: CompiledVerbs,
        registry: ServiceRegistry,
        database: Database,
    ) -> None:
        self._served = served
        self._service = service
        self._model = served.entity.model
        self._compiled = compiled
        self._registry = registry
        self._database = database
        self._is_unbounded = row_bytes_max(served, served.entity.attributes) is None
        shapes = {name: attribute.shape for name, attribute in served.entity.attributes.items()}
        self._documents = {name for name, shape in shapes.items() if (shape.items or shape).is_document}

    async def get(
        self, key: Any, actor: Actor, view: View, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]
    ) -> Row:
        """The row that the service's `get` returns, as the actor may see it."""

        async def work(unit: UnitOfWork) -> Row:
            self._check_backlog()
            row = await unit.service(self._model).get(key, actor)
            return await self._show(unit, self._key(row, "get"), actor, view, fields, expand)

        return await self._run(work, may_write=False)

    async def list(self, query: ListQuery, actor: Actor, view: View) -> RowPage:
        """The rows that the service's `list` returns, as the actor may see them."""

        async def work(unit: UnitOfWork) -> RowPage:
            self._check_backlog()
            rows = await unit.service(self._model).list(query, actor)
            keys = [self._key(row, "list") for row in rows]
            return await self._compiled.reads.page_of_keys(unit.transaction, keys, query, actor, view)

        return await self._run(work, may_write=False)

    async def create(self, values: dict[str, Any], actor: Actor, view: View) -> Row:
        """The row that the service's `create` makes from the values."""

        async def work(unit: UnitOfWork) -> Row:
            filled = dict(values)
            decision = decide(self._served.resource.policies["create"], actor)
            permitted = with_field_rules(decision, view.create_rules, values)
            fill_owner(self._served, filled, actor)
            proposed = ProposedRow(filled)
            if holds(permitted, proposed, actor) is False:
                fields = refused_fields(view.create_rules, values, proposed, actor)
                raise access_denied(actor, fields=fields)
            references = self._compiled.references
            await references.check(unit.transaction, filled, references.names(filled, actor, all=True), actor)
            draft = self._model(**self._natural(filled))
            unit.enforce_field_rules(draft, view.create_rules, values)
            row = await self._written(unit, unit.service(self._model).create(draft, actor), values, actor)
            key = self._key(row, "create")
            await references.composites.check(unit.transaction, values, key, actor)
            await self._enforce_policy(unit, permitted, key, actor)
            return await self._show_or_nothing(unit, key, actor, view)

        return await self._run(work)

    async def update(self, key: Any, changes: ChangeSet, actor: Actor, view: View, versions: Versions) -> Row:
        """The row as the service's `update` leaves it."""

        async def work(unit: UnitOfWork) -> Row:
            references = self._compiled.references
            names = references.names(changes.values, actor, all=True)
            rule = self._rule("update", actor)
            values, moved = await self._lock_for_update(unit, key, rule, changes, names, actor, view, versions)
            await references.check(unit.transaction, moved, [name for name in names if name in moved], actor)
            permitted = with_field_rules(rule.decision, view.update_rules, values)
            row = await unit.transaction.session.get_one(self._model, key, populate_existing=True)
            unit.enforce_field_rules(row, view.update_rules, values)
            changed = unit.service(self._model).update(row, Changes(self._natural(values)), actor)
            row = await self._written(unit, changed, moved, actor)
            await references.composites.check(unit.transaction, moved, key, actor)
            await self._enforce_policy(unit, permitted, key, actor)
            return await self._show_or_nothing(unit, self._key(row, "update"), actor, view)

        return await self._run(work)

    async def delete(self, key: Any, actor: Actor, versions: Versions) -> None:
        """Delete through the service."""

        async def work(unit: UnitOfWork) -> None:
            view = self._served.view(actor)
            await self._lock_for_update(
                unit, key, self._rule("delete", actor), ChangeSet({}, {}), (), actor, view, versions
            )
            row = await unit.transaction.session.get_one(self._model, key, populate_existing=True)
            await unit.service(self._model).delete(row, actor)

        await self._run(work)

    async def _written(
        self, unit: UnitOfWork, writing: Awaitable[Any], references: Mapping[str, Any], actor: Actor
    ) -> Any:
        """The row that the service returns, once everything is sent to the database."""
        try:
            row = await writing
            await unit.transaction.session.flush()
        except IntegrityError as error:
            self._compiled.references.raise_composite(driver_error(error), references, actor)
            raise
        return row

    async def _run(self, work: Callable[[UnitOfWork], Awaitable[T]], *, may_write: bool = True) -> T:
        async def in_transaction(transaction: Transaction) -> T:
            unit = UnitOfWork(transaction, self._registry, self._database.backlog)
            try:
                return await work(unit)
            finally:
                unit.release()

        return await self._database.transact(
            in_transaction, isolation=self._service.isolation, attempts=self._service.attempts, may_write=may_write
        )

    async def unseen(self, key: Any, names: frozenset[str], actor: Actor, view: View) -> frozenset[str]:
        """Those of `names` that the actor neither sees on the row nor may write there; none where the actor cannot read
        the row."""
        return await self._compiled.unseen(key, names, actor, view)

    def _rule(self, action: str, actor: Actor) -> BoundRule:
        return bind_policy(self._served.resource.policies[action], actor, self._served.entity)

    async def _lock_for_update(
        self,
        unit: UnitOfWork,
        key: Any,
        permitted: BoundRule,
        changes: ChangeSet,
        references: Sequence[str],
        actor: Actor,
        view: View,
        versions: Versions,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As `CompiledVerbs.lock_for_update`, in the transaction of the service."""
        return await self._compiled.lock_for_update(
            unit.transaction, key, changes, references, permitted, view, versions
        )

    async def _enforce_policy(self, unit: UnitOfWork, decision: Decision, key: Any, actor: Actor) -> None:
        """Raise where the written row violates the policy: a service that does not call `super()` is no exception."""
        if decision is True:
            return
        rule = bind_decision(decision, actor, self._served.entity)
        if not await self._compiled.satisfies(unit.transaction, rule, key):
            raise access_denied(actor)

    async def _show(
        self,
        unit: UnitOfWork,
        key: Any,
        actor: Actor,
        view: View,
        fields: tuple[str, ...] | None,
        expand: tuple[Expansion, ...],
    ) -> Row:
        return await self._compiled.reads.row_in(unit.transaction, key, actor, view, fields, expand)

    async def _show_or_nothing(self, unit: UnitOfWork, key: Any, actor: Actor, view: View) -> Row:
        try:
            return await self._show(unit, key, actor, view, None, ())
        except NotFound:
            return Row("", "", key)

    def _check_backlog(self) -> None:
        """Raise 503 `overloaded` before reading rows of unbounded size while too many response bytes wait for
        clients."""
        if self._is_unbounded:
            self._database.backlog.check()

    def _natural(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values for a service's code: numbers in documents become floats where no precision is lost."""
        if self._documents.isdisjoint(values):
            return values
        return {name: natural(value) if name in self._documents else value for name, value in values.items()}

    def _key(self, row: Any, verb: str) -> Any:
        """The key of a row that a service returned."""
        if not isinstance(row, self._model):
            name = f"{self._service.__name__}.{verb}"
            raise TypeError(f"{name} returned {type(row).__name__}, not {self._model.__name__}.")
        identity = inspect(row).identity
        if identity is None:
            raise TypeError(f"{self._service.__name__}.{verb} returned a row that was not written; call super().")
        return identity[0]
