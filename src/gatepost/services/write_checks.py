"""What is enforced around each write of a row in a unit of work: owners, references, policies, what PostgreSQL refuses.

The default verbs of a service, and those that it writes itself (`guarded_verbs.py`), differ only in what they do inside
of `creating`, `updating` and `deleting`.
"""

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy import inspect
from sqlalchemy.exc import PendingRollbackError, StatementError
from sqlalchemy.orm.exc import FlushError, StaleDataError

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.database.database import driver_error
from gatepost.database.failures import still_referenced, version_conflict
from gatepost.database.guards import TransactionAborted
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, RowCondition
from gatepost.errors import Forbidden, Problem
from gatepost.models.conditions import BoundRule, bind_decision, holds
from gatepost.services.asked_references import NOTHING, AskedReferences, moved
from gatepost.services.changed_columns import by_columns, changed_columns
from gatepost.services.changes import Changes
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.drafts import known_values
from gatepost.services.flush_watch import FlushWatch
from gatepost.services.fresh_rows import DecidingValues, is_written, lock_fresh
from gatepost.services.long_values import is_too_long
from gatepost.services.misfit_values import misfit_of
from gatepost.services.refusals_about import RefusalsAbout
from gatepost.services.refused_values import refused_value
from gatepost.services.write_policies import depends_on, not_found, rule_of, with_field_rules

CompiledOf = Callable[[type[Any]], CompiledVerbs]
"""Gives the compiled verbs of the resource that rows of a class belong to."""


class WrittenRow:
    """The row that a block writes: the one that it was given, unless it says another. It `is_unmet` where a statement
    of its flushes met no row."""

    def __init__(self, row: Any) -> None:
        self.row = row
        self.is_unmet = False


class WriteChecks:
    """The checks of one unit of work, and what requests have asked of its rows.

    A block that `is_own` is a verb of the application's: it may complete the row before it writes it, write it by any
    statement, and return another one. So the row is looked at when it is flushed, and in the database afterwards.
    """

    def __init__(self, transaction: Transaction, compiled_of: CompiledOf) -> None:
        self._transaction = transaction
        self._compiled_of_class = compiled_of
        self._flushes = FlushWatch(transaction, self._check_flushed)
        # By identity of the row, which is kept with them.
        self._asked: dict[int, tuple[Any, Mapping[str, RowCondition]]] = {}
        self._sent: dict[int, tuple[Any, Mapping[str, Any]]] = {}
        self._permitted: dict[tuple[int, str], tuple[Any, Actor]] = {}
        self.keep_nulls = self._flushes.keep_nulls

    # What a request asks for

    def enforce_field_rules(self, row: Any, rules: Mapping[str, RowCondition], names: Iterable[str]) -> None:
        """Enforce the rules of the fields that the body sets, on the row that the request names. Fields that a service
        sets, on this row or others, are not subject to them."""
        self._asked[id(row)] = (row, {name: rules[name] for name in names if name in rules})

    def check_references(self, draft: Any, values: Mapping[str, Any]) -> None:
        """Look up the rows that these values of a body refer to when the draft is written."""
        self._sent[id(draft)] = (draft, values)

    def has_sent(self, draft: Any) -> bool:
        """Whether the draft has values of a body."""
        return id(draft) in self._sent

    def permit(self, action: str, row: Any, actor: Actor) -> None:
        """The row is locked, and the actor may do this to it: the next own verb of this action need not ask again."""
        self._transaction.locked.add(row)
        self._permitted[id(row), action] = (row, actor)

    def refuse(self, error: Exception) -> None:
        """What the unit of work has written is refused, and must not be committed."""
        self._transaction.refuse_commit(error)

    # What is read

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

    # Around a write

    @asynccontextmanager
    async def creating(self, draft: Any, actor: Actor, *, is_own: bool = False) -> AsyncGenerator[WrittenRow]:
        """Enforce what holds for a new row, which the block writes."""
        compiled, transaction = self._compiled_of(draft), self._transaction
        compiled.defaults.complete_owner(draft, actor)
        _, sent = self._sent.get(id(draft), (draft, NOTHING))
        references = AskedReferences(compiled.references, actor, sent)
        await references.check(transaction)
        if not is_own:
            self._flushes.forget(draft)
            await self._check_candidate("create", draft, {}, actor)
        with references.written(), self._flushes.awaiting("create", draft, actor, is_awaited=is_own):
            async with self._sending(compiled, draft, draft.__dict__) as written:
                yield written
        if written.is_unmet:
            raise await compiled.suppressed(transaction)
        with self._undoing():
            for row in self._written_rows(compiled, draft, written.row):
                await references.check_written(transaction, self.key_of(row))
                await self._check_written("create", draft, row, actor, is_own=is_own)
        if is_written(draft):
            transaction.locked.add(draft)

    @asynccontextmanager
    async def updating(
        self, row: Any, changes: Changes[Any], actor: Actor, *, is_own: bool = False
    ) -> AsyncGenerator[WrittenRow]:
        """Enforce what holds for a row that the block changes, with the rules of the fields that a request asks for."""
        compiled, transaction = self._compiled_of(row), self._transaction
        references = AskedReferences(compiled.references, actor, NOTHING)
        if not (self._is_permitted("update", row, actor) and is_own):
            if changes.asked:
                self.enforce_field_rules(row, compiled.served.view(actor).update_rules, changes.asked)
            await self._check_fresh(self._rule_of_written_row("update", row, actor), row, actor)
            asked = {name: changes[name] for name in changes.asked}
            references = AskedReferences(compiled.references, actor, moved(compiled.served, row, asked, actor))
            await references.check(transaction)
        decision = self._rule_of_written_row("update", row, actor).decision
        if not is_own:
            self._flushes.forget(row)
            await self._check_changed(decision, row, changes, actor)
        key, deciding = self.key_of(row), DecidingValues(row, compiled.served.entity, decision)
        with references.written(), self._flushes.awaiting("update", row, actor, is_awaited=is_own):
            async with self._sending(compiled, row, changes) as written:
                yield written
        if written.is_unmet:
            raise await self._refusal_of_unmet(compiled, key) or version_conflict()
        with self._undoing():
            await references.check_written(transaction, key)
            if is_own or deciding.may_have_changed:
                for each in self._written_rows(compiled, row, written.row):
                    await self._check_written("update", row, each, actor, is_own=is_own)

    @asynccontextmanager
    async def deleting(self, row: Any, actor: Actor, *, is_own: bool = False) -> AsyncGenerator[None]:
        """Enforce what holds for a row that the block deletes."""
        compiled = self._compiled_of(row)
        if not (self._is_permitted("delete", row, actor) and is_own):
            await self._check_fresh(rule_of(compiled.served, "delete", actor), row, actor)
        key = self.key_of(row)
        try:
            async with self._sending(compiled, row, {}) as written:
                yield
        except Problem as problem:
            # A relationship sets the foreign keys of other rows to NULL, and these cannot be NULL.
            is_null = problem.__cause__ and isinstance(driver_error(problem.__cause__), asyncpg.NotNullViolationError)
            if is_null and self._flushes.has_deleted(row):
                raise still_referenced() from problem.__cause__
            raise
        if written.is_unmet and (refusal := await self._refusal_of_unmet(compiled, key)):
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

    def key_of(self, row: Any) -> Any:
        """The primary key of a row that is written."""
        return self._compiled_of(row).served.entity.key.of(inspect(row).identity)

    def _compiled_of(self, row: object) -> CompiledVerbs:
        return self._compiled_of_class(row.__class__)

    def _is_permitted(self, action: str, row: Any, actor: Actor) -> bool:
        _, permitted = self._permitted.pop((id(row), action), (row, None))
        return permitted is actor

    @contextmanager
    def _undoing(self) -> Generator[None]:
        """Let nothing be committed where this block refuses what is written already."""
        try:
            yield
        except Exception as error:
            self.refuse(error)
            raise

    @staticmethod
    def _written_rows(compiled: CompiledVerbs, asked: Any, returned: Any) -> list[Any]:
        """The row that a verb was to write and the one that it has returned, where they are in the database."""
        rows = [asked] if returned is asked else [asked, returned]
        return [each for each in rows if isinstance(each, compiled.served.entity.model) and is_written(each)]

    def _problem(self, model: type[Any], error: BaseException, values: Mapping[str, Any] | None) -> Exception | None:
        compiled, reply = self._compiled_of_class(model), driver_error(error)
        if values is not None and is_too_long(reply):
            emit = compiled.database.emit_refused
            return refused_value(reply, compiled.served, values, emit)
        return compiled.database.explain(self._transaction, error) or misfit_of(error, model)

    @asynccontextmanager
    async def _sending(
        self, compiled: CompiledVerbs, row: Any, values: Mapping[str, Any]
    ) -> AsyncGenerator[WrittenRow]:
        """Send what the block leaves pending, and note whether a part of it met no row, which is gone then, or a
        trigger suppressed it."""
        written, session = WrittenRow(row), self._flushes.session
        with self.problems(compiled.served.entity.model, values), self._flushes.noting_unmet() as noted:
            try:
                yield written
                await session.flush()
            except (FlushError, StaleDataError):
                if not noted.is_unmet:
                    raise
            written.is_unmet = noted.is_unmet

    async def _refusal_of_unmet(self, compiled: CompiledVerbs, key: Any) -> Problem | None:
        """Why an UPDATE or DELETE met no row; None where there is none any more. A version that SQLAlchemy keeps is
        part of the condition, and another request may have changed it."""
        if compiled.has_version_of_mapper:
            return version_conflict()
        is_there = await compiled.checks.exists(self._transaction, key)
        return await compiled.suppressed(self._transaction) if is_there else None

    # Policies

    def _rule_of_written_row(self, action: str, row: Any, actor: Actor) -> BoundRule:
        """What the row must satisfy once it is written: the policy, and the rules of the fields that the body set."""
        rule = rule_of(self._compiled_of(row).served, action, actor)
        _, rules = self._asked.get(id(row), (row, {}))
        if not rules or actor.is_system:
            return rule
        decision = with_field_rules(rule.decision, rules, rules)
        return bind_decision(decision, actor, self._compiled_of(row).served.entity)

    async def _check_flushed(self, action: str, row: Any, actor: Actor) -> None:
        """Check the row of an own verb that is about to be flushed, and nothing else with it."""
        if action == "create":
            await self._check_candidate(action, row, {}, actor, is_flushing=True)
            return
        state = inspect(row)
        mapped = [*state.mapper.column_attrs, *state.mapper.relationships]
        histories = {each.key: state.attrs[each.key] for each in mapped}
        changed = {name: each.value for name, each in histories.items() if each.history.has_changes()}
        decision = self._rule_of_written_row(action, row, actor).decision
        await self._check_changed(decision, row, changed, actor, is_flushing=True)

    async def _check_changed(
        self, decision: Decision, row: Any, changes: Mapping[str, Any], actor: Actor, *, is_flushing: bool = False
    ) -> None:
        """Check a row that is about to be changed, where the changes may change the decision."""
        entity, changes = self._compiled_of(row).served.entity, by_columns(type(row), changes)
        names = changed_columns(type(row), changes)
        if depends_on(decision, changes if names is None else names, entity):
            await self._check_candidate("update", row, changes, actor, is_flushing=is_flushing)

    async def _check_candidate(
        self, action: str, row: Any, changes: Mapping[str, Any], actor: Actor, *, is_flushing: bool = False
    ) -> None:
        """Raise `Forbidden` where the policy does not hold for the row about to be written: before the write, because a
        unique violation would reveal another row. A policy that needs SQL is evaluated by a query."""
        is_new = action == "create"
        rule = self._rule_of_written_row(action, row, actor)
        outcome = holds(rule.decision, row, actor) if is_new else None
        compiled = self._compiled_of(row)
        with RefusalsAbout(compiled.served.row_name, Forbidden):
            if outcome is False:
                raise access_denied(actor)
            session = self._transaction.session.sync_session
            known = None if outcome else known_values(compiled.served.entity, row, changes, session, is_new=is_new)
            if known is not None:
                await compiled.checks.check_candidate(self._transaction, known, rule, is_flushing=is_flushing)

    async def _check_fresh(self, rule: BoundRule, row: Any, actor: Actor) -> None:
        """Raise `Forbidden` unless the rule holds for an existing row as it is in the database, where it stays so: the
        row is locked. A rule that needs SQL is evaluated by a query. Raises `NotFound` where the row is gone."""
        if rule.decision is True:
            return
        if holds(rule.decision, row, actor) is not False:
            compiled = self._compiled_of(row)
            with self.problems(compiled.served.entity.model):
                await lock_fresh(self._transaction, compiled.served.entity, row)
        await self._check_rule(rule, row, actor)

    async def _check_written(self, action: str, asked: Any, row: Any, actor: Actor, *, is_own: bool) -> None:
        """Raise `Forbidden` where the row that was written violates the policy, or the rules of the fields that a
        request has `asked` for. An own verb may have written what the object does not show."""
        rule = self._rule_of_written_row(action, asked, actor)
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
