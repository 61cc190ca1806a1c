"""Verbs that go through a user's service: one transaction, the service's methods, then the read for the response.

A service decides what happens to which rows. The response is read by the same compiled statements as everywhere else,
so that a service cannot bypass fields, expansions or policies.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar, cast

import msgspec
from asyncpg.exceptions import DataError, InvalidTextRepresentationError, PostgresError
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError, StatementError
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.exc import FlushError

from gatepost.auth.denials import access_denied
from gatepost.call import Call
from gatepost.database.database import driver_error
from gatepost.declaring.policies import Decision, decide
from gatepost.errors import NotFound, Unprocessable
from gatepost.models.conditions import Below, bind_decision, holds
from gatepost.models.constructors import Construct, constructor_of
from gatepost.models.list_query import ListQuery
from gatepost.models.row_size import row_bytes_max
from gatepost.models.selections import Expansion
from gatepost.services.body_values import defaulted_names
from gatepost.services.call_transactions import CallTransactions
from gatepost.services.changes import Changes
from gatepost.services.compiled_reads import Wanted, refuse_labels
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.long_values import is_too_long
from gatepost.services.misfit_values import MisfitValue, misfit_of
from gatepost.services.own_values import OwnValues
from gatepost.services.refused_values import refused_by_validator
from gatepost.services.row_writes import RowChange
from gatepost.services.service import Service, overridden, transaction_of
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import ChangeSet, Row, RowPage, Versions
from gatepost.services.write_policies import ProposedRow, fill_owner, refused_fields, rule_of, with_field_rules

T = TypeVar("T")


class ServiceVerbs:
    """The verbs of one resource through its service. Implements `Verbs`; not used for actions that are not overridden.

    `services` are its own, then those of subclasses with resources: a row that belongs to one of them is changed by the
    service of that one, where it overrides the action.
    """

    def __init__(
        self, services: Sequence[type[Service[Any]]], compiled: CompiledVerbs, registry: ServiceRegistry
    ) -> None:
        self._served = served = compiled.served
        self._service, self._has_others = services[0], len(services) > 1
        # What a write needs is known only once the row is: the strictest that one of them declares.
        self._isolation, self._attempts = transaction_of(services)
        self._model = served.entity.model
        self._overridden = {action for item in services for action in overridden(item)}
        self._make_draft = constructor_of(served.entity) if served.is_possible("create") else None
        self._compiled = compiled
        self._references = compiled.references
        self._registry = registry
        self._database = compiled.database
        self._transactions = CallTransactions(compiled.database, registry)
        self._is_unbounded = row_bytes_max(served, served.entity.attributes) is None
        mapper: Mapper[Any] = inspect(self._model)
        self._defaulted = defaulted_names(served.entity)
        self._deferred = [prop.key for prop in mapper.column_attrs if prop.deferred]
        self._own_values = OwnValues(served.entity.attributes.values()).of
        self.key_above = compiled.reads.key_above
        self.unseen = compiled.unseen
        self.shown = compiled.shown

    async def get(self, call: Call, key: Any, fields: tuple[str, ...] | None, expand: tuple[Expansion, ...]) -> Row:
        """The row that the service's `get` returns, as the actor may see it."""

        async def work(unit: UnitOfWork) -> Row:
            self._check_backlog()
            primary_key = await self._compiled.reads.primary_key(unit.transaction, key, call.actor)
            row = await unit.get(self._model, primary_key, call.actor, is_read_again=True)
            wanted = Wanted(fields, expand)
            return await self._compiled.reads.row_in(call, unit.transaction, self._key(row, "get"), wanted)

        return await self._run(call, work, may_write=False)

    async def get_above(self, call: Call, above: Below) -> None:
        """Ask the service's `get` for a row that stands above others. Raises `NotFound`."""

        async def work(unit: UnitOfWork) -> None:
            reads, name = self._compiled.reads, above.nesting.entity.key.names[0]
            key = await reads.key_by(unit.transaction, name, above.value.value, call.actor, above.rule.below)
            await unit.get(self._model, key, call.actor, is_read_again=True)

        await self._run(call, work, may_write=False)

    async def list(self, call: Call, query: ListQuery) -> RowPage:
        """The rows that the service's `list` returns, as the actor may see them."""

        async def work(unit: UnitOfWork) -> RowPage:
            self._check_backlog()
            try:
                rows = await unit.list(self._model, query, call.actor)
            except DBAPIError as error:
                if isinstance(driver_error(error), InvalidTextRepresentationError):
                    refuse_labels(query)
                raise
            keys = [self._key(row, "list") for row in rows]
            return await self._compiled.reads.page_of_keys(call, unit.transaction, keys, query)

        return await self._run(call, work, may_write=False)

    async def create(self, call: Call, values: dict[str, Any]) -> Row:
        """The row that the service's `create` makes from the values."""
        actor, rules = call.actor, call.view.create_rules

        async def work(unit: UnitOfWork) -> Row:
            filled = dict(values)
            decision = decide(self._served.policies["create"], actor)
            permitted = with_field_rules(decision, rules, values)
            fill_owner(self._served, filled, actor)
            proposed = ProposedRow(filled)
            if holds(permitted, proposed, actor) is False:
                raise access_denied(actor, fields=refused_fields(rules, values, proposed, actor))
            names = self._references.names(call.actor, filled, all=True)
            await self._references.check(call.actor, unit.transaction, filled, names)
            draft = cast("Construct", self._make_draft)(self._own_values(filled))
            unit.checks.enforce_field_rules(draft, rules, values)
            unit.checks.keep_nulls(draft, [name for name in self._defaulted if name in values and values[name] is None])
            row = await self._written(call, "create", unit.service(self._model).create(draft, actor), values)
            key = self._key(row, "create")
            is_guarded = "create" in self._registry.own_writes(self._model)
            await self._check_written(call, key, None if is_guarded else permitted, values)
            return await self._show(call, key)

        return await self._run(call, work)

    async def update(self, call: Call, key: Any, changes: ChangeSet, versions: Versions) -> Row:
        """The row as the service's `update` leaves it."""
        actor, rules = call.actor, call.view.update_rules

        async def work(unit: UnitOfWork) -> Row:
            names = self._references.names(call.actor, changes.values, all=True)
            change = RowChange(key, changes, rule_of(self._served, "update", actor), versions, names)
            values, moved = await self._compiled.lock_for_update(call, unit.transaction, change)
            permitted = with_field_rules(change.permitted.decision, rules, values)
            # With the deferred columns that change: of one that is not loaded, a flush cannot tell whether it does.
            loading = tuple(name for name in self._deferred if name in values)
            row = await self._compiled.reads.object_anew(unit.transaction, key, loading)
            unit.checks.enforce_field_rules(row, rules, values)
            primary_key = self._key(row, "update")
            unit.checks.permit("update", row, actor)
            owner = self._owner(row, "update")
            # A row of a subclass with a resource is guarded by the policies of that; those of this one hold as well.
            is_ours = self._registry.compiled_of(row.__class__) is self._compiled
            is_guarded = is_ours and "update" in self._registry.own_writes(owner)
            changed = unit.service(owner).update(row, Changes(self._own_values(values), model=row.__class__), actor)
            row = await self._written(call, "update", changed, moved)
            await self._check_written(call, primary_key, None if is_guarded else permitted, moved)
            return await self._show(call, self._key(row, "update"))

        return await self._run(call, work)

    async def delete(self, call: Call, key: Any, versions: Versions) -> None:
        """Delete through the service."""

        async def work(unit: UnitOfWork) -> None:
            change = RowChange(key, ChangeSet({}, {}), rule_of(self._served, "delete", call.actor), versions)
            await self._compiled.lock_for_update(call, unit.transaction, change)
            row = await self._compiled.reads.object_anew(unit.transaction, key)
            unit.checks.permit("delete", row, call.actor)
            await unit.service(self._owner(row, "delete")).delete(row, call.actor)

        await self._run(call, work)

    async def _run(self, call: Call, work: Callable[[UnitOfWork], Awaitable[T]], *, may_write: bool = True) -> T:
        """The result of the work, in a transaction as the service declares it, or what a value that a model or the
        database does not take means."""

        async def explained(unit: UnitOfWork) -> T:
            try:
                return await work(unit)
            except ValueError as error:
                problem = refused_by_validator(error, self._served, call.view)
                if problem is None:
                    raise
                raise problem from error
            except StatementError as error:
                misfit = misfit_of(error, self._model)
                if misfit is None:
                    raise
                raise misfit from error

        if (schema := self._database.schema).changed:
            await schema.look_again((self._served.entity.table.fullname,))
        isolation, attempts = self._service.isolation, self._service.attempts
        if may_write and self._has_others:
            isolation, attempts = self._isolation, self._attempts
        return await self._transactions.run(
            call, explained, isolation=isolation, attempts=attempts, may_write=may_write
        )

    def _owner(self, row: Any, action: str) -> type[Any]:
        """The model whose service writes a row: the one that the row belongs to, where its service overrides the
        action."""
        return self._registry.overriding(row.__class__, action) or self._model

    async def _written(self, call: Call, action: str, writing: Awaitable[Any], values: Mapping[str, Any]) -> Any:
        """The row that the service returns, once everything is sent to the database."""
        transaction = call.unit.transaction
        try:
            row = await writing
            await transaction.session.flush()
        except FlushError as error:
            if not transaction.take_unmet():
                raise
            raise await self._compiled.suppressed(transaction) from error
        except (DBAPIError, Unprocessable, MisfitValue) as error:
            is_own = isinstance(error, MisfitValue) and error.name is not None and error.name not in values
            reply = driver_error(cast("BaseException", error.__cause__) if isinstance(error, MisfitValue) else error)
            self._references.raise_composite(call.actor, reply, values)
            is_derived = isinstance(reply, DataError) and action not in self._overridden and not is_own
            if not isinstance(error, Unprocessable) and (is_derived or is_too_long(reply)):
                self._compiled.raise_refused(cast("PostgresError", reply), values)
            raise
        return row

    async def _check_written(
        self, call: Call, key: Any, decision: Decision | None, references: Mapping[str, Any]
    ) -> None:
        """Raise where the written row refers to rows that the actor may not read, or violates the policy, where that is
        not checked already (None): a service that does not call `super()` is no exception."""
        transaction = call.unit.transaction
        await self._references.composites.check(call.actor, transaction, references, key)
        if decision is not None:
            rule = bind_decision(decision, call.actor, self._served.entity)
            await self._compiled.checks.enforce(transaction, rule, key)

    async def _show(self, call: Call, key: Any) -> Row:
        """The written row, without data where the actor may not read it."""
        reads, transaction = self._compiled.reads, call.unit.transaction
        address = await reads.address(transaction, key)
        try:
            row = await reads.row_in(call, transaction, key)
        except NotFound:
            return Row("", None, address)
        return msgspec.structs.replace(row, key=address)

    def _check_backlog(self) -> None:
        """Raise 503 `overloaded` before reading rows of unbounded size while too many response bytes wait for
        clients."""
        if self._is_unbounded:
            self._database.backlog.check()

    def _key(self, row: Any, verb: str) -> Any:
        """The key of a row that a service returned."""
        if not isinstance(row, self._model):
            name = f"{self._service.__name__}.{verb}"
            raise TypeError(f"{name} returned {type(row).__name__}, not {self._model.__name__}.")
        identity = inspect(row).identity
        if identity is None:
            raise TypeError(f"{self._service.__name__}.{verb} returned a row that was not written; call super().")
        return self._served.entity.key.of(identity)
