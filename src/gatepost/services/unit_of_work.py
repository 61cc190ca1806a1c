"""The unit of work: the services that take part in one transaction, and what their default verbs do."""

from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar, cast, overload

import asyncpg
from sqlalchemy import Select, inspect, null
from sqlalchemy.exc import PendingRollbackError, StatementError
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.exc import FlushError, StaleDataError

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.call import Call
from gatepost.database.database import driver_error
from gatepost.database.failures import still_referenced, version_conflict
from gatepost.database.guards import TransactionAborted
from gatepost.database.transactions import Transaction
from gatepost.declaring.attributes import Attr
from gatepost.declaring.policies import RowCondition
from gatepost.errors import Forbidden, Problem
from gatepost.models.conditions import BoundRule, bind_decision, holds
from gatepost.models.list_query import ListQuery
from gatepost.models.object_loading import select_under
from gatepost.response_backlog import ResponseBacklog
from gatepost.services.accounts import AccountOperations, Accounts, accounts_in
from gatepost.services.asked_references import NOTHING, AskedReferences, moved
from gatepost.services.changes import Changes
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.drafts import known_values
from gatepost.services.long_values import is_too_long
from gatepost.services.misfit_values import misfit_of
from gatepost.services.refusals_about import RefusalsAbout
from gatepost.services.refused_values import refused_value
from gatepost.services.service import Service
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.unique_rows import UniqueRows
from gatepost.services.write_policies import depends_on, rule_of, with_field_rules

S = TypeVar("S", bound=Service[Any])
N = TypeVar("N")


class UnitOfWork:
    """The services of one transaction, made when they are first asked for."""

    def __init__(
        self,
        transaction: Transaction,
        registry: ServiceRegistry,
        backlog: ResponseBacklog | None = None,
        call: Call | None = None,
    ) -> None:
        """For a request, `call` is its call, and pages of large rows are reserved in the `backlog` until `release`."""
        self.transaction = transaction
        self.call = call
        self._backlog = backlog
        self._reserved = 0
        self._registry = registry
        self._made: dict[type[Any], Service[Any]] = {}
        # By identity of the row, which is kept with them.
        self._asked: dict[int, tuple[Any, Mapping[str, RowCondition]]] = {}
        self._nulls: dict[int, tuple[Any, Sequence[str]]] = {}
        self._sent: dict[int, tuple[Any, Mapping[str, Any]]] = {}
        self._got: dict[int, tuple[Any, Actor]] = {}

    @overload
    def service(self, of: type[S]) -> S: ...
    @overload
    def service(self, of: type[N]) -> Service[N]: ...
    def service(self, of: type[Any]) -> Any:
        """The service of this class, or that of a served model. Raises `ConfigurationError` where no resource has
        it."""
        made = self._made.get(of)
        if made is None:
            made = self._made[of] = self._make(of)
        return made

    def _make(self, of: type[Any]) -> Service[Any]:
        if issubclass(of, Service):
            return self.service(self._registry.model_of(cast("type[Any]", of)))
        made = self._registry.service_of(of)(self, of)
        self._registry.inject(made)
        return made

    @property
    def accounts(self) -> Accounts:
        """The users who sign in."""
        return accounts_in(self)

    @property
    def account_operations(self) -> AccountOperations:
        """What `accounts` does."""
        return self._registry.accounts

    def act_as(self, actor: Actor, token: str | None) -> None:
        """Make another one the actor of the rest of the call, with this token; outside of calls nothing changes."""
        if self.call is not None:
            self.call.actor = actor
            self.call.issued_token = token

    async def add(self, row: Any, actor: Actor) -> None:
        """Write a new row through the service that it belongs to, if a resource has its model, else as it is."""
        compiled = self._registry.find_compiled(row.__class__)
        if compiled is not None:
            await self.service(compiled.served.entity.model).create(row, actor)
        else:
            self.transaction.session.add(row)
        await self.transaction.session.flush()

    def _compiled_of(self, row: object) -> CompiledVerbs:
        return self._registry.compiled_of(row.__class__)

    def enforce_field_rules(self, row: Any, rules: Mapping[str, RowCondition], names: Iterable[str]) -> None:
        """Enforce the rules of the fields that the body sets, on the row that the request names. Fields that a service
        sets, on this row or others, are not subject to them."""
        self._asked[id(row)] = (row, {name: rules[name] for name in names if name in rules})

    def keep_nulls(self, draft: Any, names: Sequence[str]) -> None:
        """Store NULL in these columns of the draft, unless a service gives them another value."""
        self._nulls[id(draft)] = (draft, names)

    def check_references(self, draft: Any, values: Mapping[str, Any]) -> None:
        """Look up the rows that these values of a body refer to when the draft is written."""
        self._sent[id(draft)] = (draft, values)

    async def get(self, model: type[N], key: Any, actor: Actor, *, lock: bool = False) -> N:
        """The row that the service of a model returns for a key."""
        service = self.service(model)
        row = await service.get(key, actor, lock=lock)
        if not isinstance(row, model):
            raise TypeError(f"{type(service).__name__}.get returned {type(row).__name__}, not {model.__name__}.")
        self._got[id(row)] = (row, actor)
        return row

    def has_got(self, row: Any, actor: Actor) -> bool:
        """Whether `get` has returned this row for the actor."""
        return self._got.get(id(row), (row, None))[1] is actor

    # What the default verbs of a service do

    def select(self, model: type[N], actor: Actor) -> Select[N]:
        """A SELECT of the rows that the actor may list."""
        served = self._registry.compiled_of(model).served
        return select_under(served.entity, rule_of(served, "list", actor))

    async def find_row(self, model: type[N], id: Any, actor: Actor, *, lock: bool = False) -> N:
        """Load the row with this key, under the read rule, and lock it where that is asked."""
        reads = self._registry.compiled_of(model).reads
        with self.problems(model):
            return cast("N", await reads.object(self.transaction, id, actor, is_locking=lock))

    async def find_rows(self, model: type[N], query: ListQuery, actor: Actor) -> Sequence[N]:
        """Load the rows of a query, one more than its limit, in its order. Raises 503 `overloaded` where they are large
        and too many response bytes are in memory."""
        reads = self._registry.compiled_of(model).reads
        if self._backlog is not None:
            size = await reads.bytes_of_objects(self.transaction, query, actor)
            if size:
                self._backlog.reserve(size)
                self._reserved += size
        with self.problems(model):
            return await reads.objects(self.transaction, query, actor)

    def release(self) -> None:
        """Give back what was reserved for rows: the request has its response."""
        if self._backlog is not None:
            self._backlog.release(self._reserved)
            self._reserved = 0

    async def ensure(self, service: Service[Any], draft: Any, actor: Actor, unique: Sequence[Attr]) -> Any:
        """The row with the unique values of the draft, which the service creates where there is none."""
        with self.problems(draft.__class__, draft.__dict__):
            return await self._unique_rows(service, draft).ensure(draft, actor, unique, service.create)

    async def discard(self, service: Service[Any], draft: Any, actor: Actor, unique: Sequence[Attr]) -> bool:
        """Whether there was a row with the unique values of the draft, which the service deletes."""
        with self.problems(draft.__class__):
            return await self._unique_rows(service, draft).discard(
                draft, actor, unique, partial(self._discard, service)
            )

    async def _discard(self, service: Service[Any], row: Any, actor: Actor) -> None:
        """Delete a row through the service that is in charge of it."""
        owner = self._registry.overriding(row.__class__, "delete")
        await (service if owner is None else self.service(owner)).delete(row, actor)

    def _unique_rows(self, service: Service[Any], draft: Any) -> UniqueRows:
        compiled = self._compiled_of(draft)
        # A service may be given drafts of subclasses, which have another service or none. What a body asks for is held
        # to more rules than the policy.
        is_plain = (
            service is self._made.get(draft.__class__)
            and self._registry.is_compiled(draft.__class__, "create")
            and id(draft) not in self._sent
        )
        model = compiled.served.entity.model
        get = partial(self.get, model) if "get" in self._registry.overridden(model) else None
        return UniqueRows(self.transaction, compiled, is_plain=is_plain, get=get)

    async def insert(self, draft: Any, actor: Actor) -> None:
        """Add the draft to the session and write it, enforcing the create policy."""
        compiled = self._compiled_of(draft)
        compiled.defaults.complete_owner(draft, actor)
        _, sent = self._sent.get(id(draft), (draft, NOTHING))
        references = AskedReferences(compiled.references, actor, sent)
        await references.check(self.transaction)
        await self._check_candidate("create", draft, {}, actor)
        nulls = self._write_nulls(draft)
        self.transaction.session.add(draft)
        with references.written():
            has_met_none = await self._flush(compiled, draft.__dict__)
        if has_met_none:
            raise await compiled.suppressed(self.transaction)
        for name in nulls:
            set_committed_value(draft, name, None)
        await references.check_written(self.transaction, self._key_of(draft))
        await self._check_rule(self._rule_of_written_row("create", draft, actor), draft, actor)

    def _write_nulls(self, draft: Any) -> list[str]:
        """Let the flush write NULL where the body sent null, and the column has a default: to the ORM, None means the
        default. Returns the names."""
        _, names = self._nulls.get(id(draft), (draft, ()))
        values = draft.__dict__
        nulls = [name for name in names if name in values and values[name] is None]
        values.update(dict.fromkeys(nulls, null()))
        return nulls

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> None:
        """Apply the changes and write them, enforcing the update policy on the row before and after, with the rules of
        the fields that a request asks for."""
        compiled = self._compiled_of(row)
        if changes.asked:
            self.enforce_field_rules(row, compiled.served.view(actor).update_rules, changes.asked)
            await self._check_rule(self._rule_of_written_row("update", row, actor), row, actor)
        await self._check_policy("update", row, actor)
        asked = {name: changes[name] for name in changes.asked}
        references = AskedReferences(compiled.references, actor, moved(compiled.served, row, asked, actor))
        await references.check(self.transaction)
        decision = self._rule_of_written_row("update", row, actor).decision
        may_change_decision = depends_on(decision, changes, compiled.served.entity)
        if may_change_decision:
            await self._check_candidate("update", row, changes, actor)
        changes.apply(row)
        key = self._key_of(row)
        with references.written():
            has_met_none = await self._flush(compiled, changes)
        if has_met_none:
            raise await self._refusal_of_unmet(compiled, key) or version_conflict()
        await references.check_written(self.transaction, key)
        if may_change_decision:
            await self._check_rule(self._rule_of_written_row("update", row, actor), row, actor)

    async def delete(self, row: Any, actor: Actor) -> None:
        """Delete the row, under the delete rule."""
        await self._check_policy("delete", row, actor)
        compiled = self._compiled_of(row)
        key = self._key_of(row)
        await self.transaction.session.delete(row)
        try:
            has_met_none = await self._flush(compiled, {})
        except Problem as problem:
            # A relationship sets the foreign keys of other rows to NULL, and these cannot be NULL.
            if problem.__cause__ and isinstance(driver_error(problem.__cause__), asyncpg.NotNullViolationError):
                raise still_referenced() from problem.__cause__
            raise
        if has_met_none and (refusal := await self._refusal_of_unmet(compiled, key)):
            raise refusal

    @contextmanager
    def problems(self, model: type[Any], values: Mapping[str, Any] | None = None) -> Generator[None]:
        """Raise what PostgreSQL refuses in this block as the problem that it means, here and now, or as `MisfitValue`;
        `values` are what was written of the model. The transaction is not usable afterwards, unless a savepoint was
        made before: then `TransactionAborted` is raised."""
        try:
            yield
        except PendingRollbackError as error:
            raise TransactionAborted from error
        except (StatementError, asyncpg.PostgresError) as error:
            problem = self._problem(model, error, values)
            if problem is None:
                raise
            raise problem from error

    def _problem(self, model: type[Any], error: BaseException, values: Mapping[str, Any] | None) -> Exception | None:
        compiled, reply = self._registry.compiled_of(model), driver_error(error)
        if values is not None and is_too_long(reply):
            emit = compiled.database.emit_refused
            return refused_value(reply, compiled.served, values, emit)
        return compiled.database.explain(self.transaction, error) or misfit_of(error, model)

    async def _flush(self, compiled: CompiledVerbs, values: Mapping[str, Any]) -> bool:
        """Write what is pending; whether a part of it met no row, which is gone then, or a trigger suppressed it."""
        self.transaction.take_unmet()
        with self.problems(compiled.served.entity.model, values):
            try:
                await self.transaction.session.flush()
            except (FlushError, StaleDataError):
                if not self.transaction.take_unmet():
                    raise
                return True
        return self.transaction.take_unmet()

    async def _refusal_of_unmet(self, compiled: CompiledVerbs, key: Any) -> Problem | None:
        """Why an UPDATE or DELETE met no row; None where there is none any more. A version that SQLAlchemy keeps is
        part of the condition, and another request may have changed it."""
        if compiled.has_version_of_mapper:
            return version_conflict()
        return (
            await compiled.suppressed(self.transaction) if await compiled.checks.exists(self.transaction, key) else None
        )

    def _rule_of_written_row(self, action: str, row: Any, actor: Actor) -> BoundRule:
        """What the row must satisfy once it is written: the policy, and the rules of the fields that the body set."""
        rule = rule_of(self._compiled_of(row).served, action, actor)
        _, rules = self._asked.get(id(row), (row, {}))
        if not rules or actor.is_system:
            return rule
        decision = with_field_rules(rule.decision, rules, rules)
        return bind_decision(decision, actor, self._compiled_of(row).served.entity)

    async def _check_candidate(self, action: str, row: Any, changes: Mapping[str, Any], actor: Actor) -> None:
        """Raise `Forbidden` where the policy does not hold for the row about to be written: before the write, because a
        unique violation would reveal another row. A policy that needs SQL is evaluated by a query."""
        is_new = action == "create"
        rule = self._rule_of_written_row(action, row, actor)
        outcome = holds(rule.decision, row, actor) if is_new else None
        compiled = self._compiled_of(row)
        with RefusalsAbout(compiled.served.row_name, Forbidden):
            if outcome is False:
                raise access_denied(actor)
            session = self.transaction.session.sync_session
            known = None if outcome else known_values(compiled.served.entity, row, changes, session, is_new=is_new)
            if known is not None:
                await compiled.checks.check_candidate(self.transaction, known, rule)

    async def _check_policy(self, action: str, row: Any, actor: Actor) -> None:
        """Raise `Forbidden` unless the policy holds for an existing row; a policy that needs SQL is evaluated by a
        query."""
        await self._check_rule(rule_of(self._compiled_of(row).served, action, actor), row, actor)

    async def _check_rule(self, rule: BoundRule, row: Any, actor: Actor) -> None:
        outcome = holds(rule.decision, row, actor)
        if outcome:
            return
        compiled = self._compiled_of(row)
        with RefusalsAbout(compiled.served.row_name, Forbidden):
            if outcome is False:
                raise access_denied(actor)
            await compiled.checks.enforce(self.transaction, rule, self._key_of(row))

    def _key_of(self, row: Any) -> Any:
        return self._compiled_of(row).served.entity.key.of(inspect(row).identity)
