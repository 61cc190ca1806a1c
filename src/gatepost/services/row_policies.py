"""What the policies say of the rows that services read and write, whichever verb does it: of a row as it is in the
database, as it is about to be written, and as it was written."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import inspect, tuple_

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, RowCondition
from gatepost.errors import Forbidden
from gatepost.models.conditions import BoundRule, bind_decision, holds
from gatepost.models.object_loading import select_under
from gatepost.services.changed_columns import by_columns, changed_columns
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.drafts import known_values
from gatepost.services.fresh_rows import lock_fresh
from gatepost.services.refusals_about import RefusalsAbout
from gatepost.services.write_policies import depends_on, not_found, rule_of, with_field_rules

CompiledOf = Callable[[type[Any]], CompiledVerbs]
"""Gives the compiled verbs of the resource that rows of a class belong to."""


class RowPolicies:
    """The policies on the rows of one unit of work, with the rules of the fields that requests set."""

    def __init__(self, transaction: Transaction, compiled_of: CompiledOf) -> None:
        self._transaction = transaction
        self._compiled_of_class = compiled_of
        # By identity of the row, which is kept with them.
        self._asked: dict[int, tuple[Any, Mapping[str, RowCondition]]] = {}

    def enforce_field_rules(self, row: Any, rules: Mapping[str, RowCondition], names: Iterable[str]) -> None:
        """Enforce the rules of the fields that the body sets, on the row that the request names. Fields that a service
        sets, on this row or others, are not subject to them."""
        self._asked[id(row)] = (row, {name: rules[name] for name in names if name in rules})

    def key_of(self, row: Any) -> Any:
        """The primary key of a row that is written."""
        return self._compiled_of(row).served.entity.key.of(inspect(row).identity)

    def _compiled_of(self, row: object) -> CompiledVerbs:
        return self._compiled_of_class(row.__class__)

    async def check_readable(self, model: type[Any], row: Any, actor: Actor) -> None:
        """Raise `NotFound` where the actor may not read a row of the resource of this model."""
        compiled = self._compiled_of_class(model)
        rule = rule_of(compiled.served, "get", actor)
        outcome = holds(rule.decision, row, actor)
        if outcome is None:
            await self._transaction.session.flush()
            identity = inspect(row).identity
            key = None if identity is None else compiled.served.entity.key.of(identity)
            outcome = key is not None and await compiled.checks.satisfies(self._transaction, rule, key)
        if not outcome:
            raise not_found()

    async def listed(self, model: type[Any], rows: Sequence[Any], actor: Actor) -> Sequence[Any]:
        """Those of the rows of the resource of this model that the actor may list."""
        entity = self._compiled_of_class(model).served.entity
        rule = rule_of(self._compiled_of_class(model).served, "list", actor)
        outcomes = [holds(rule.decision, row, actor) for row in rows]
        if None not in outcomes:
            return [row for row, outcome in zip(rows, outcomes, strict=True) if outcome]
        keys = [inspect(row).identity for row, outcome in zip(rows, outcomes, strict=True) if outcome is None]
        is_asked = tuple_(*(getattr(model, name) for name in entity.key.names)).in_(keys)
        found = set(await self._transaction.session.scalars(select_under(entity, rule).where(is_asked)))
        return [row for row, outcome in zip(rows, outcomes, strict=True) if outcome or row in found]

    def rule_of_written_row(self, action: str, row: Any, actor: Actor) -> BoundRule:
        """What the row must satisfy once it is written: the policy, and the rules of the fields that the body set."""
        rule = rule_of(self._compiled_of(row).served, action, actor)
        _, rules = self._asked.get(id(row), (row, {}))
        if not rules or actor.is_system:
            return rule
        decision = with_field_rules(rule.decision, rules, rules)
        return bind_decision(decision, actor, self._compiled_of(row).served.entity)

    async def check_flushed(self, action: str, row: Any, actor: Actor) -> None:
        """Check the row of an own verb that is about to be flushed, and nothing else with it."""
        if action == "create":
            await self.check_candidate(action, row, {}, actor, is_flushing=True)
            return
        state = inspect(row)
        mapped = [*state.mapper.column_attrs, *state.mapper.relationships]
        histories = {each.key: state.attrs[each.key] for each in mapped}
        changed = {name: each.value for name, each in histories.items() if each.history.has_changes()}
        decision = self.rule_of_written_row(action, row, actor).decision
        await self.check_changed(decision, row, changed, actor, is_flushing=True)

    async def check_changed(
        self, decision: Decision, row: Any, changes: Mapping[str, Any], actor: Actor, *, is_flushing: bool = False
    ) -> None:
        """Check a row that is about to be changed, where the changes may change the decision."""
        model: type[Any] = row.__class__
        entity, changes = self._compiled_of(row).served.entity, by_columns(model, changes)
        if depends_on(decision, changed_columns(model, changes), entity):
            await self.check_candidate("update", row, changes, actor, is_flushing=is_flushing)

    async def check_candidate(
        self, action: str, row: Any, changes: Mapping[str, Any], actor: Actor, *, is_flushing: bool = False
    ) -> None:
        """Raise `Forbidden` where the policy does not hold for the row about to be written: before the write, because a
        unique violation would reveal another row. A policy that needs SQL is evaluated by a query."""
        is_new = action == "create"
        rule = self.rule_of_written_row(action, row, actor)
        outcome = holds(rule.decision, row, actor) if is_new else None
        compiled = self._compiled_of(row)
        with RefusalsAbout(compiled.served.row_name, Forbidden):
            if outcome is False:
                raise access_denied(actor)
            session = self._transaction.session.sync_session
            known = None if outcome else known_values(compiled.served.entity, row, changes, session, is_new=is_new)
            if known is not None:
                await compiled.checks.check_candidate(self._transaction, known, rule, is_flushing=is_flushing)

    async def check_fresh(self, rule: BoundRule, row: Any, actor: Actor) -> None:
        """Raise `Forbidden` unless the rule holds for an existing row as it is in the database, where it stays so: the
        row is locked. A rule that needs SQL is evaluated by a query. Raises `NotFound` where the row is gone."""
        if rule.decision is True:
            return
        if holds(rule.decision, row, actor) is not False:
            compiled = self._compiled_of(row)
            await lock_fresh(self._transaction, compiled.served.entity, row)
        await self._check_rule(rule, row, actor)

    async def check_written(self, action: str, asked: Any, row: Any, actor: Actor, *, is_own: bool) -> None:
        """Raise `Forbidden` where the row that was written violates the policy, or the rules of the fields that a
        request has `asked` for. An own verb may have written what the object does not show."""
        rule = self.rule_of_written_row(action, asked, actor)
        if is_own:
            compiled = self._compiled_of(row)
            with RefusalsAbout(compiled.served.row_name, Forbidden):
                await compiled.checks.enforce(self._transaction, rule, self.key_of(row))
        else:
            await self._check_rule(rule, row, actor)

    async def _check_rule(self, rule: BoundRule, row: Any, actor: Actor) -> None:
        outcome = holds(rule.decision, row, actor)
        if outcome:
            return
        compiled = self._compiled_of(row)
        with RefusalsAbout(compiled.served.row_name, Forbidden):
            if outcome is False:
                raise access_denied(actor)
            await compiled.checks.enforce(self._transaction, rule, self.key_of(row))
