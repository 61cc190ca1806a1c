"""What is enforced around each write of a row in a unit of work: owners, references, policies, what PostgreSQL refuses.

The default verbs of a service, and those that it writes itself (`guarded_verbs.py`), differ only in what they do inside
of `creating`, `updating` and `deleting`.
"""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg
from sqlalchemy.exc import PendingRollbackError, StatementError
from sqlalchemy.orm.exc import FlushError, StaleDataError

from gatepost.actor import Actor
from gatepost.database.database import driver_error
from gatepost.database.failures import still_referenced, version_conflict
from gatepost.database.guards import TransactionAborted
from gatepost.database.transactions import Transaction
from gatepost.errors import Problem
from gatepost.models.conditions import BoundRule
from gatepost.services.asked_references import NOTHING, AskedReferences, moved
from gatepost.services.changes import Changes
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.flush_watch import FlushWatch
from gatepost.services.fresh_rows import DecidingValues, is_written
from gatepost.services.long_values import is_too_long
from gatepost.services.misfit_values import misfit_of
from gatepost.services.refused_values import refused_value
from gatepost.services.row_policies import CompiledOf, RowPolicies
from gatepost.services.write_policies import rule_of


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
        self._policies = policies = RowPolicies(transaction, compiled_of)
        self.enforce_field_rules = policies.enforce_field_rules
        self.check_readable = policies.check_readable
        self.listed = policies.listed
        self.key_of = policies.key_of
        self._flushes = FlushWatch(transaction, self._policies.check_flushed)
        # By identity of the row, which is kept with them.
        self._sent: dict[int, tuple[Any, Mapping[str, Any]]] = {}
        self._permitted: dict[tuple[int, str], tuple[Any, Actor]] = {}
        self.keep_nulls = self._flushes.keep_nulls

    # What a request asks for

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
            await self._policies.check_candidate("create", draft, {}, actor)
        with references.written(), self._flushes.awaiting("create", draft, actor, is_awaited=is_own):
            async with self._sending(compiled, draft, draft.__dict__) as written:
                yield written
        if written.is_unmet:
            raise await compiled.suppressed(transaction)
        with self._undoing():
            for row in self._written_rows(compiled, draft, written.row):
                await references.check_written(transaction, self.key_of(row))
                await self._policies.check_written("create", draft, row, actor, is_own=is_own)
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
            await self._check_fresh(self._policies.rule_of_written_row("update", row, actor), row, actor)
            asked = {name: changes[name] for name in changes.asked}
            references = AskedReferences(compiled.references, actor, moved(compiled.served, row, asked, actor))
            await references.check(transaction)
        decision = self._policies.rule_of_written_row("update", row, actor).decision
        if not is_own:
            self._flushes.forget(row)
            await self._policies.check_changed(decision, row, changes, actor)
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
                    await self._policies.check_written("update", row, each, actor, is_own=is_own)

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

    async def _check_fresh(self, rule: BoundRule, row: Any, actor: Actor) -> None:
        with self.problems(row.__class__):
            await self._policies.check_fresh(rule, row, actor)

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
