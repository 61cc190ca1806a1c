"""The unit of work: the services that take part in one transaction, and what their default verbs do."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import inspect
from sqlalchemy.orm.exc import FlushError

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import RowCondition, owners
from gatepost.errors import ConfigurationError
from gatepost.models.conditions import BoundRule, bind_decision, holds
from gatepost.models.list_query import ListQuery
from gatepost.response_backlog import ResponseBacklog
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.drafts import known_values
from gatepost.services.service import Changes, Service
from gatepost.services.write_policies import depends_on, rule_of, with_field_rules

S = TypeVar("S", bound=Service[Any])
N = TypeVar("N")


class UnitOfWork:
    """The services of one transaction, made when they are first asked for: `unit[Orders]`, `unit.service(Order)`."""

    def __init__(
        self, transaction: Transaction, registry: "ServiceRegistry", backlog: ResponseBacklog | None = None
    ) -> None:
        """For a request, pages of large rows are reserved in the `backlog` until `release`."""
        self.transaction = transaction
        self._backlog = backlog
        self._reserved = 0
        self._registry = registry
        self._made: dict[type[Any], Service[Any]] = {}
        self._asked: tuple[Any, Mapping[str, RowCondition]] = (None, {})

    def of(self, service: type[S]) -> S:
        """The service of this class. Raises `ConfigurationError` for one that no resource names."""
        return cast("S", self.service(self._registry.model_of(service)))

    def service(self, model: type[N]) -> Service[N]:
        """The service of a served model."""
        made = self._made.get(model)
        if made is None:
            made = self._made[model] = self._registry.service_of(model)(self, model)
        return made

    def _compiled_of(self, row: object) -> CompiledVerbs:
        return self._registry.compiled_of(row.__class__)

    def enforce_field_rules(self, row: Any, rules: Mapping[str, RowCondition], names: Iterable[str]) -> None:
        """Enforce the rules of the fields that the body sets, on the row that the request names. Fields that a service
        sets, on this row or others, are not subject to them."""
        self._asked = (row, {name: rules[name] for name in names if name in rules})

    # What the default verbs of a service do

    async def find_row(self, model: type[N], id: Any, actor: Actor) -> N:
        """Load the row with this key, under the read rule."""
        return cast("N", await self._registry.compiled_of(model).reads.object(self.transaction, id, actor))

    async def find_rows(self, model: type[N], query: ListQuery, actor: Actor) -> Sequence[N]:
        """Load the rows of a query, one more than its limit, in its order. Raises 503 `overloaded` where they are large
        and too many response bytes are in memory."""
        reads = self._registry.compiled_of(model).reads
        if self._backlog is not None:
            size = await reads.bytes_of_objects(self.transaction, query, actor)
            if size:
                self._backlog.reserve(size)
                self._reserved += size
        return await reads.objects(self.transaction, query, actor)

    def release(self) -> None:
        """Give back what was reserved for rows: the request has its response."""
        if self._backlog is not None:
            self._backlog.release(self._reserved)
            self._reserved = 0

    async def insert(self, draft: Any, actor: Actor) -> None:
        """Add the draft to the session and write it, enforcing the create policy."""
        compiled = self._compiled_of(draft)
        if actor.id is not None:
            for name in owners(compiled.served.resource.policies["create"]):
                if getattr(draft, name) is None:
                    setattr(draft, name, actor.id)
        await self._check_candidate("create", draft, {}, actor)
        self.transaction.take_left_out()
        self.transaction.session.add(draft)
        try:
            await self.transaction.session.flush()
        except FlushError as error:
            if self.transaction.take_left_out():
                raise compiled.left_out() from error
            raise
        if self.transaction.take_left_out():
            raise compiled.left_out()
        await self._check_policy("create", draft, actor)

    async def update(self, row: Any, changes: Changes[Any], actor: Actor) -> None:
        """Apply the changes and write them, enforcing the update policy on the row before and after."""
        await self._check_policy("update", row, actor)
        decision = self._rule_of_written_row("update", row, actor).decision
        may_change_decision = depends_on(decision, changes, self._compiled_of(row).served)
        if may_change_decision:
            await self._check_candidate("update", row, changes, actor)
        changes.apply(row)
        await self.transaction.session.flush()
        if may_change_decision:
            await self._check_policy("update", row, actor)

    async def delete(self, row: Any, actor: Actor) -> None:
        """Delete the row, under the delete rule."""
        await self._check_policy("delete", row, actor)
        key = self._key_of(row)
        self.transaction.take_left_out()
        await self.transaction.session.delete(row)
        await self.transaction.session.flush()
        if self.transaction.take_left_out():
            compiled = self._compiled_of(row)
            if await compiled.satisfies(self.transaction, rule_of(compiled.served, "get", actor), key):
                raise compiled.left_out()

    def _rule_of_written_row(self, action: str, row: Any, actor: Actor) -> BoundRule:
        """What the row must satisfy once it is written: the policy, and the rules of the fields that the body set."""
        rule = rule_of(self._compiled_of(row).served, action, actor)
        asked, rules = self._asked
        if row is not asked or not rules or actor.is_system:
            return rule
        decision = with_field_rules(rule.decision, rules, rules)
        return bind_decision(decision, actor, self._compiled_of(row).served.entity)

    async def _check_candidate(self, action: str, row: Any, changes: Mapping[str, Any], actor: Actor) -> None:
        """Raise `Forbidden` where the policy does not hold for the row about to be written: before the write, because a
        unique violation would reveal another row. A policy that needs SQL is evaluated by a query."""
        is_new = action == "create"
        rule = self._rule_of_written_row(action, row, actor)
        outcome = holds(rule.decision, row, actor) if is_new else None
        if outcome is False:
            raise access_denied(actor)
        compiled = self._compiled_of(row)
        known = None if outcome else known_values(compiled.served.entity, row, changes, is_new=is_new)
        if known is not None:
            await compiled.check_candidate(self.transaction, known, rule)

    async def _check_policy(self, action: str, row: Any, actor: Actor) -> None:
        """Raise `Forbidden` unless the policy holds for an existing row; a policy that needs SQL is evaluated by a
        query."""
        rule = rule_of(self._compiled_of(row).served, action, actor)
        outcome = holds(rule.decision, row, actor)
        if outcome is False:
            raise access_denied(actor)
        if outcome is None:
            await self._compiled_of(row).enforce(self.transaction, rule, self._key_of(row))

    def _key_of(self, row: Any) -> Any:
        return self._compiled_of(row).served.entity.key.of(inspect(row).identity)


class ServiceRegistry:
    """Maps models to service classes and compiled verbs. Made once, when the app starts."""

    def __init__(
        self, compiled: Mapping[type[Any], CompiledVerbs], services: Mapping[type[Any], type[Service[Any]]]
    ) -> None:
        self._compiled = compiled
        self._services = services
        self._models = {service: model for model, service in services.items()}

    def model_of(self, service: type[Any]) -> type[Any]:
        """The model of a service class. Raises `ConfigurationError` for one that no resource names."""
        model = self._models.get(service)
        if model is None:
            raise ConfigurationError(
                f"no resource has service={service.__name__}.", location=service.__name__, hint="Name it in a Resource."
            )
        return model

    def service_of(self, model: type[Any]) -> type[Service[Any]]:
        """The service class of a model: `Service` itself where the resource names none."""
        self.compiled_of(model)
        return self._services.get(model, Service)

    def compiled_of(self, model: type[Any]) -> CompiledVerbs:
        """The compiled verbs of a model."""
        found = self._compiled.get(model)
        if found is None:
            raise ConfigurationError(f"{model.__name__} has no resource.", location="service()")
        return found
