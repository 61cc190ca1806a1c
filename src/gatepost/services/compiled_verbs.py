"""Compiled verbs: what no service overrides is one compiled statement, from the policy to the row that is shown.

Reads are in `compiled_reads.py`, writes here. A transaction is opened only where one statement cannot decide:
references under a rule, a merge into JSON, a read-only field that was sent back, a rule that the change may break.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from asyncpg.exceptions import DataError, ForeignKeyViolationError
from sqlalchemy import Column

from gatepost.actor import Actor
from gatepost.auth.denials import access_denied
from gatepost.database.connection import Record
from gatepost.database.database import Database
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, RowCondition, decide, owners
from gatepost.dtos.json_values import BOUNDS, Bounds
from gatepost.dtos.merged_documents import MergedDocuments
from gatepost.errors import Conflict, Unprocessable
from gatepost.models.candidates import CheckCandidate
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.models.conditions import BoundRule, bind_decision, bind_policy, holds
from gatepost.models.json_output import decoder_of
from gatepost.models.recipes import Bound
from gatepost.models.selections import Selection
from gatepost.models.writes import AskedField, DeleteRow, InsertRow, ReadStatus, UpdateRow, WritePlan
from gatepost.services.compiled_reads import CompiledReads
from gatepost.services.current_values import check_read_only_values, merge_documents, unchanged
from gatepost.services.drafts import KnownValues
from gatepost.services.fast_writes import FastWrites
from gatepost.services.plans import Plans
from gatepost.services.references import References
from gatepost.services.refused_values import refused_value
from gatepost.services.verbs import ChangeSet, Row, Versions
from gatepost.services.write_policies import (
    ProposedRow,
    depends_on,
    fill_owner,
    raise_refusal,
    refused_fields,
    unseen_fields,
    with_field_rules,
)
from gatepost.view import View


def _constant(value: Any) -> Callable[[], Any]:
    return lambda: value


def _fillers(
    served: ServedModel, default_of: Callable[[Column[Any]], Any]
) -> tuple[tuple[str, Callable[[], Any]], ...]:
    """Python-side defaults of columns: SQLAlchemy applies them in the ORM, a compiled statement does not."""
    found: list[tuple[str, Callable[[], Any]]] = []
    for name, attribute in served.entity.attributes.items():
        default = default_of(attribute.column)
        if default is None or default.is_clause_element or default.is_sequence:
            continue
        call = cast("Callable[[Any], Any]", default.arg)
        found.append((name, (lambda call=call: call(None)) if default.is_callable else _constant(default.arg)))  # type: ignore[misc]
    return tuple(found)


class CompiledVerbs:
    """The verbs of one resource as compiled statements. Implements `Verbs`."""

    def __init__(
        self, served: ServedModel, catalog: Catalog, database: Database, plans: Plans, bounds: Bounds = BOUNDS
    ) -> None:
        self.served = served
        self._entity = served.entity
        self._policies = served.resource.policies
        self._database = database
        self._plans = plans
        self.reads = CompiledReads(served, database, plans)
        self.get = self.reads.get
        self.list = self.reads.list
        self.references = References(served, catalog, plans)
        self._owned = owners(self._policies["create"])
        self._decode_key = decoder_of(self._entity.key)
        self._defaults = _fillers(served, lambda column: column.default)
        self._on_update = _fillers(served, lambda column: column.onupdate)
        self.documents = frozenset(
            name for name, attribute in served.entity.attributes.items() if attribute.shape.is_document
        )
        self._merged = MergedDocuments(bounds)
        self._inserts = FastWrites(self.references.ruled)
        self._updates = FastWrites(self.references.ruled | self.documents)

    async def create(self, values: dict[str, Any], actor: Actor, view: View) -> Row:
        """Insert one row."""
        sent = len(values)  # what is filled in comes behind
        decision = decide(self._policies["create"], actor)
        if view.create_rules:
            decision = with_field_rules(decision, view.create_rules, values)
        if self._owned:
            fill_owner(self.served, values, actor)
        outcome = decision if decision is True else holds(decision, ProposedRow(values), actor)
        if outcome is False:
            fields = refused_fields(view.create_rules, islice(values, sent), ProposedRow(values), actor)
            raise access_denied(actor, fields=fields)
        looked_up = self.references.names(values, actor, all=False) if self.references.ruled else []
        for name, make in self._defaults:
            if name not in values:
                values[name] = make()
        if decision is True and (fast := self._inserts.find((view, tuple(values)))) is not None:
            try:
                records = await self._database.run(fast.plan.statement, fast.pick(values))
            except (Unprocessable, DataError) as error:
                await self._raise_named(error, values, sent, actor)
                raise
            return self._row_of(fast.plan, records)
        permitted = bind_decision(decision, actor, self._entity)
        recipe, plan = self._insert(values, permitted, view, checks_candidate=outcome is None)
        if outcome is True and not looked_up:
            records = await self._write(plan, recipe, sent, actor)
            return self._row_of(plan, records)
        is_allowed = outcome is True
        write = partial(self._create_in_transaction, sent, looked_up, plan, recipe, actor, is_allowed)
        return await self._database.transact(write)

    async def update(self, key: Any, changes: ChangeSet, actor: Actor, view: View, versions: Versions) -> Row:
        """Change one row."""
        decision = decide(self._policies["update"], actor)
        if decision is False:
            raise access_denied(actor)
        values = self._with_updates(changes.values) if self._on_update else changes.values
        sent = len(changes.values)  # what the model adds comes behind
        fast = None
        if decision is True and versions is None and not changes.read_only_values:
            fast = self._updates.find((view, tuple(values)))
        if fast is not None:
            try:
                records = await self._database.run(fast.plan.statement, (*fast.pick(values), key))
            except (Unprocessable, DataError) as error:
                await self._raise_named(error, values, sent, actor)
                raise
            if records:
                return self._row_of(fast.plan, records)
        permitted = bind_decision(decision, actor, self._entity)
        looked_up = self.references.names(changes.values, actor, all=False) if self.references.ruled else []
        if fast is None and not (looked_up or changes.read_only_values) and self._is_direct(values, decision, view):
            recipe, plan = self._update(key, values, permitted, view, versions)
            records = await self._write(plan, recipe, sent, actor)
            if records:
                return self._row_of(plan, records)

        write = partial(self._update_in_transaction, key, changes, looked_up, permitted, actor, view, versions)
        return await self._database.transact(write)

    def _is_direct(self, values: dict[str, Any], decision: Decision, view: View) -> bool:
        """Whether one UPDATE is enough: nothing has to be compared with the present row."""
        return bool(
            values
            and self.documents.isdisjoint(values)
            and view.update_rules.keys().isdisjoint(values)
            and not depends_on(decision, values, self.served)
        )

    async def delete(self, key: Any, actor: Actor, versions: Versions) -> None:
        """Delete one row."""
        read = bind_policy(self._policies["get"], actor, self._entity)
        permitted = bind_policy(self._policies["delete"], actor, self._entity)
        if permitted.decision is False:
            raise access_denied(actor)
        recipe = DeleteRow(self.served, read, permitted, Bound(key), None if versions is None else Bound(versions))
        statement = self._plans.get(recipe)
        if not await self._database.run(statement, statement.arguments(recipe.binds(statement))):
            status = ReadStatus(self.served, read, permitted, Bound(key))
            plan = self._plans.get(status)
            records = await self._database.run(plan.statement, plan.statement.arguments(status.binds(plan.statement)))
            raise_refusal(records[0] if records else None, plan, versions, actor)
            raise self.left_out()

    async def _create_in_transaction(
        self,
        sent: int,
        looked_up: Sequence[str],
        plan: WritePlan,
        recipe: InsertRow,
        actor: Actor,
        is_allowed: bool,
        transaction: Transaction,
    ) -> Row:
        given = dict(islice(recipe.values.value.items(), sent))
        await self.references.check(transaction, given, looked_up, actor)
        return await self._write_under_policy(transaction, plan, recipe, sent, given, actor, is_allowed=is_allowed)

    async def _update_in_transaction(
        self,
        key: Any,
        changes: ChangeSet,
        looked_up: Sequence[str],
        permitted: BoundRule,
        actor: Actor,
        view: View,
        versions: Versions,
        transaction: Transaction,
    ) -> Row:
        values, moved = await self.lock_for_update(transaction, key, changes, looked_up, permitted, view, versions)
        await self.references.check(transaction, moved, [name for name in looked_up if name in moved], actor)
        if not values:
            return await self.reads.row_in(transaction, key, actor, view)
        if not view.update_rules.keys().isdisjoint(values):
            decision = with_field_rules(permitted.decision, view.update_rules, values)
            permitted = bind_decision(decision, actor, self._entity)
        sent = len(values)
        is_allowed = permitted.decision is True
        recipe, plan = self._update(key, self._with_updates(values), permitted, view, None)
        return await self._write_under_policy(transaction, plan, recipe, sent, moved, actor, is_allowed=is_allowed)

    async def _write_under_policy(
        self,
        transaction: Transaction,
        plan: WritePlan,
        recipe: InsertRow | UpdateRow,
        sent: int,
        references: dict[str, Any],
        actor: Actor,
        *,
        is_allowed: bool,
    ) -> Row:
        """Run a statement that writes a row and evaluates the policy on it. The first `sent` values are the client's.
        Where the policy refuses the row, missing rows among `references` are reported instead, if there are any; one
        that `is_allowed` it cannot refuse."""
        try:
            records = await transaction.fetch(plan.statement, recipe.binds(plan.statement))
        except DataError as error:
            self._raise_named_values(error, recipe.values.value, sent)
            raise
        except ForeignKeyViolationError as error:
            self.references.raise_composite(error, references, actor)
            raise
        if not records and is_allowed:
            raise self.left_out()
        if records and self.references.composites.ruled:
            await self.references.composites.check(transaction, references, self._key_of(plan, records[0]), actor)
        if not records or not records[0][plan.permitted_index]:
            await self.references.check_all(transaction, references, actor)
            raise access_denied(actor)
        return self._row_of(plan, records)

    async def lock_for_update(
        self,
        transaction: Transaction,
        key: Any,
        changes: ChangeSet,
        references: Sequence[str],
        permitted: BoundRule,
        view: View,
        versions: Versions,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Lock the row, compare it with the change, and raise where the change is refused.

        Returns the values to write, and those of them whose references have to be looked up: a reference that the actor
        sees on the row with the same value already is not.
        """
        sent = changes.values.keys() | changes.read_only_values.keys()
        merging = {name for name in self.documents & changes.values.keys() if isinstance(changes.values[name], dict)}
        names = tuple(sorted({*changes.read_only_values, *merging, *references}))
        ruled = sorted(sent & (view.maybe_unknown | view.update_rules.keys()))
        recipe = self._status(key, permitted, view, (*names, *ruled), names)
        plan = self._plans.get(recipe)
        records = await transaction.fetch(plan.statement, recipe.binds(plan.statement))
        raise_refusal(records[0] if records else None, plan, versions, permitted.actor, ruled)
        check_read_only_values(self.served, plan, records[0], changes)
        values = merge_documents(self._entity, plan, records[0], changes.values, self._merged)
        same = unchanged(self._entity, plan, records[0], values, references)
        return values, {name: value for name, value in values.items() if name not in same}

    async def unseen(self, key: Any, names: frozenset[str], actor: Actor, view: View) -> frozenset[str]:
        """Those of `names` that the actor neither sees on the row nor may write there; none where the actor cannot read
        the row."""
        recipe = self._status(
            key, bind_policy(self._policies["update"], actor, self._entity), view, tuple(sorted(names))
        )
        plan = self._plans.get(recipe)
        records = await self._database.run(plan.statement, plan.statement.arguments(recipe.binds(plan.statement)))
        if not records or not records[0][plan.readable_index]:
            return frozenset()
        return unseen_fields(records[0], plan, names)

    async def satisfies(self, transaction: Transaction, rule: BoundRule, key: Any) -> bool:
        """Whether there is a row with this key that satisfies the rule."""
        recipe = ReadStatus(self.served, rule, rule, Bound(key))
        plan = self._plans.get(recipe)
        records = await transaction.read(plan.statement, recipe.binds(plan.statement))
        return bool(records and records[0][plan.permitted_index])

    async def check_candidate(self, transaction: Transaction, known: KnownValues, rule: BoundRule) -> None:
        """Raise `Forbidden` where a row that the ORM is about to write violates the rule, as far as that can be known
        before."""
        recipe = CheckCandidate(self._entity, rule, tuple(known.values), known.unknown, Bound(known.values))
        statement = self._plans.get(recipe)
        if statement is not None and not await transaction.read(statement, recipe.binds(statement)):
            raise access_denied(rule.actor)

    def _with_updates(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values of a change, and the model's `onupdate` defaults."""
        made = {name: make() for name, make in self._on_update if name not in values} if values else {}
        return {**values, **made}

    async def _write(self, plan: WritePlan, recipe: InsertRow | UpdateRow, sent: int, actor: Actor) -> list[Record]:
        """Run a writing statement outside of a transaction block. The first `sent` values are the client's."""
        try:
            return await self._database.run(plan.statement, plan.statement.arguments(recipe.binds(plan.statement)))
        except (Unprocessable, DataError) as error:
            await self._raise_named(error, recipe.values.value, sent, actor)
            raise

    async def _raise_named(
        self, error: Unprocessable | DataError, values: dict[str, Any], sent: int, actor: Actor
    ) -> None:
        """Raise a refusal with more detail than PostgreSQL's error: all broken references instead of the first, and the
        fields whose value it may have refused. Returns where there is nothing to add."""
        if isinstance(error, DataError):
            self._raise_named_values(error, values, sent)
        elif error.code == "reference_not_found":
            given = dict(islice(values.items(), sent))
            await self._database.transact(lambda work: self.references.check_all(work, given, actor))

    def _raise_named_values(self, error: DataError, values: dict[str, Any], sent: int) -> None:
        """Raise the refusal of a value that does not fit its column; return where it was not one of the client's."""
        problem = refused_value(error, self.served, list(values)[:sent], self._database.emit_refused)
        if problem is not None:
            raise problem from error

    def left_out(self) -> Conflict:
        """The refusal of a write that a trigger left out without an error."""
        return self._database.left_out(self._entity.table.name)

    # Recipes

    def _status(
        self, key: Any, permitted: BoundRule, view: View, asked: tuple[str, ...], names: tuple[str, ...] | None = None
    ) -> ReadStatus:
        """Whether the actor of `permitted` may read and write the row, and these fields of it; a row whose current
        values (`names`) are read as well is locked."""
        actor = permitted.actor

        def rule(name: str, rules: Mapping[str, RowCondition], open_fields: Collection[str]) -> BoundRule:
            return bind_decision(rules.get(name, name in open_fields), actor, self._entity)

        return ReadStatus(
            self.served,
            bind_policy(self._policies["get"], actor, self._entity),
            permitted,
            Bound(key),
            is_locking=names is not None,
            names=names or (),
            asked=tuple(
                [
                    AskedField(name, rule(name, view.ruled, view.names), rule(name, view.update_rules, view.updatable))
                    for name in asked
                ]
            ),
            document_bytes_max=self._merged.stored_bytes_max,
        )

    def _insert(
        self, values: dict[str, Any], permitted: BoundRule, view: View, *, checks_candidate: bool
    ) -> tuple[InsertRow, WritePlan]:
        selection, names = self._selection(permitted.actor, view), tuple(values)
        recipe = InsertRow(selection, permitted, names, Bound(values), checks_candidate)
        plan = self._plans.get(recipe)
        if permitted.decision is True and self.reads.is_open:
            self._inserts.keep(view, names, plan, view.create_rules)
        return recipe, plan

    def _update(
        self, key: Any, values: dict[str, Any], permitted: BoundRule, view: View, versions: Versions
    ) -> tuple[UpdateRow, WritePlan]:
        selection, names = self._selection(permitted.actor, view), tuple(values)
        checks_candidate = depends_on(permitted.decision, names, self.served)
        versioned = None if versions is None else Bound(versions)
        recipe = UpdateRow(selection, permitted, names, Bound(values), Bound(key), versioned, checks_candidate)
        plan = self._plans.get(recipe)
        if permitted.decision is True and self.reads.is_open and versions is None:
            self._updates.keep(view, names, plan, view.update_rules)
        return recipe, plan

    def _selection(self, actor: Actor, view: View) -> Selection:
        return Selection.of(self.served, view, bind_policy(self._policies["get"], actor, self._entity))

    def _row_of(self, plan: WritePlan, records: Sequence[Record]) -> Row:
        """The row that a write returned. Where no rule could refuse it and there is none, a trigger left it out."""
        if not records:
            raise self.left_out()
        record = records[0]
        data = plan.build(record) if record[plan.readable_index] else ""
        return Row(data, str(record[plan.version_index]), self._key_of(plan, record))

    def _key_of(self, plan: WritePlan, record: Record) -> Any:
        key = record[plan.key_index]
        return key if self._decode_key is None else self._decode_key(key)
