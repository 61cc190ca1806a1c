"""The unit of work: the services that take part in one transaction, and what their default verbs do."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, TypeVar, cast, overload

from sqlalchemy import Select

from gatepost.actor import Actor
from gatepost.call import Call
from gatepost.database.transactions import Transaction
from gatepost.declaring.attributes import Attr
from gatepost.declaring.row_expressions import Readable
from gatepost.models.list_query import ListQuery
from gatepost.models.object_loading import select_under, with_readable_rows
from gatepost.response_backlog import ResponseBacklog
from gatepost.services.accounts import AccountOperations, Accounts, accounts_in
from gatepost.services.changes import Changes
from gatepost.services.guarded_verbs import GuardedVerbs
from gatepost.services.service import Service
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.unique_rows import UniqueRows
from gatepost.services.write_checks import WriteChecks
from gatepost.services.write_policies import below, rule_of

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
        self.checks = WriteChecks(transaction, registry.compiled_of)
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
        if verbs := self._registry.own_verbs(of):
            guarded = GuardedVerbs(made, of, self.checks)
            for verb in verbs:
                setattr(made, verb, getattr(guarded, verb))
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

    async def get(
        self, model: type[N], key: Any, actor: Actor, *, lock: bool = False, is_read_again: bool = False
    ) -> N:
        """The row that the service of a model returns for a key. The caller may say that it reads the row again, under
        its policy, before anything of it is shown."""
        service = self.service(model)
        get = partial(type(service).get, service) if is_read_again else service.get
        row = await get(key, actor, lock=lock)
        if not isinstance(row, model):
            raise TypeError(f"{type(service).__name__}.get returned {type(row).__name__}, not {model.__name__}.")
        self._got[id(row)] = (row, actor)
        return row

    async def list(self, model: type[N], query: ListQuery, actor: Actor) -> Sequence[N]:
        """The rows that the service of a model lists. The caller reads them again, under their policy, before anything
        of them is shown."""
        service = self.service(model)
        return await type(service).list(service, query, actor)

    def has_got(self, row: Any, actor: Actor) -> bool:
        """Whether `get` has returned this row for the actor."""
        return self._got.get(id(row), (row, None))[1] is actor

    # What the default verbs of a service do

    def select(self, model: type[N], actor: Actor, action: str = "list", query: ListQuery | None = None) -> Select[N]:
        """A SELECT of the rows that the actor may list, or do something else with, as a query wants them."""
        served = self._registry.compiled_of(model).served
        rule = rule_of(served, action, actor)
        if query is None:
            return select_under(served.entity, rule)
        return select_under(served.entity, below(rule, query.below), query.rows)

    def with_readable_rows(self, selected: Select[Any], readables: Iterable[Readable], actor: Actor) -> Select[Any]:
        """A Select of the application's own, with the policies for an actor in place of these `readable()`. Raises
        `TypeError` for a model without a resource."""
        for part in readables:
            compiled = self._registry.find_compiled(part.model)
            if compiled is None:
                raise TypeError(f"The Select asks whether {part.model.__name__} is readable, which has no resource.")
            selected = with_readable_rows(selected, actor, compiled.served.entity)
        return selected

    async def find_row(self, model: type[N], id: Any, actor: Actor, *, lock: bool = False) -> N:
        """Load the row with this key, under the read rule, and lock it where that is asked."""
        reads = self._registry.compiled_of(model).reads
        with self.checks.problems(model):
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
        with self.checks.problems(model):
            return await reads.objects(self.transaction, query, actor)

    def release(self) -> None:
        """Give back what was reserved for rows: the request has its response."""
        if self._backlog is not None:
            self._backlog.release(self._reserved)
            self._reserved = 0

    async def ensure(self, service: Service[Any], draft: Any, actor: Actor, unique: Sequence[Attr]) -> Any:
        """The row with the unique values of the draft, which the service creates where there is none."""
        with self.checks.problems(draft.__class__, draft.__dict__):
            return await self._unique_rows(service, draft).ensure(draft, actor, unique, service.create)

    async def discard(self, service: Service[Any], draft: Any, actor: Actor, unique: Sequence[Attr]) -> bool:
        """Whether there was a row with the unique values of the draft, which the service deletes."""
        with self.checks.problems(draft.__class__):
            return await self._unique_rows(service, draft).discard(
                draft, actor, unique, partial(self._discard, service)
            )

    async def _discard(self, service: Service[Any], row: Any, actor: Actor) -> None:
        """Delete a row through the service that is in charge of it."""
        owner = self._registry.overriding(row.__class__, "delete")
        await (service if owner is None else self.service(owner)).delete(row, actor)

    def _unique_rows(self, service: Service[Any], draft: Any) -> UniqueRows:
        compiled = self._registry.compiled_of(draft.__class__)
        # A service may be given drafts of subclasses, which have another service or none. What a body asks for is held
        # to more rules than the policy.
        is_plain = (
            service is self._made.get(draft.__class__)
            and self._registry.is_compiled(draft.__class__, "create")
            and not self.checks.has_sent(draft)
        )
        model = compiled.served.entity.model
        get = partial(self.get, model) if "get" in self._registry.overridden(model) else None
        return UniqueRows(self.transaction, compiled, is_plain=is_plain, get=get)

    async def insert(self, draft: Any, actor: Actor) -> None:
        """Add the draft to the session and write it, enforcing the create policy."""
        async with self.checks.creating(draft, actor):
            self.transaction.session.add(draft)

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> None:
        """Apply the changes and write them, enforcing the update policy on the row before and after."""
        async with self.checks.updating(row, changes, actor):
            changes.apply(row)

    async def delete(self, row: Any, actor: Actor) -> None:
        """Delete the row, under the delete rule."""
        async with self.checks.deleting(row, actor):
            await self.transaction.session.delete(row)
