"""Compiled verbs: what no service overrides is one compiled statement, from the policy to the row that is shown.

Reads are in `compiled_reads.py`, writes here. A transaction is opened only where one statement cannot decide:
references under a rule, a merge into JSON, a read-only field that was sent back, a rule that the change may break.
"""

from collections.abc import Awaitable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

import msgspec
from asyncpg.exceptions import (
    DataError,
    ForeignKeyViolationError,
    InvalidTextRepresentationError,
    PostgresError,
    ProgramLimitExceededError,
)
from sqlalchemy import inspect

from gatepost.actor import system
from gatepost.auth.denials import access_denied
from gatepost.call import Call
from gatepost.database.connection import Record
from gatepost.database.database import Database
from gatepost.database.statements import Statement
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, decide
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.merged_documents import MergedDocuments
from gatepost.dtos.structured_json import document_forms
from gatepost.errors import NotFound, Problem, Unprocessable
from gatepost.models.candidates import bind_name
from gatepost.models.catalog import Catalog
from gatepost.models.conditions import bind_decision, holds
from gatepost.models.differences import is_comparable
from gatepost.models.recipes import Bound
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import (
    SUPPRESSED,
    DeleteRow,
    FindUnchanged,
    ReadStatus,
    WritePlan,
)
from gatepost.services.compiled_reads import CompiledReads
from gatepost.services.current_values import CurrentValues
from gatepost.services.misfit_values import argument_number, misfit_default
from gatepost.services.model_defaults import ModelDefaults
from gatepost.services.plans import Plans
from gatepost.services.references import References
from gatepost.services.refused_values import refused_value
from gatepost.services.row_checks import RowChecks
from gatepost.services.row_writes import RowChange, RowWrite, RowWrites
from gatepost.services.unique_statements import UniqueStatements
from gatepost.services.verbs import ChangeSet, Row, Versions
from gatepost.services.write_policies import (
    ProposedRow,
    denied,
    depends_on,
    fill_owner,
    raise_refusal,
    refused_fields,
    rule_of,
    rule_of_call,
    unseen_fields,
    with_field_rules,
)
from gatepost.view import View

REFUSE_VALUES = (DataError, ProgramLimitExceededError)
"""What PostgreSQL raises for a value that does not fit its column, or an index."""


UNBINDABLE = (TypeError, ValueError, AttributeError)
"""What SQLAlchemy's types raise for a value that they cannot bind."""


def _filled(values: Mapping[str, Any], sent: int) -> dict[str, Any]:
    """The values that the model adds to the client's."""
    return dict(islice(values.items(), sent, None))


class CompiledVerbs:
    """The verbs of one resource as compiled statements. Implements `Verbs`."""

    def __init__(self, served: ServedModel, catalog: Catalog, database: Database, plans: Plans, bounds: Bounds) -> None:
        self.served = served
        self._addressed = served.addressed
        self.database = database
        self._entity = served.entity
        self._policies = served.policies
        self._plans = plans
        self.reads = CompiledReads(served, database, plans)
        self.get = self.reads.get
        self.list = self.reads.list
        self.key_above = self.reads.key_above
        self.references = References(served, catalog, plans)
        self.defaults = ModelDefaults(served)
        self.checks = RowChecks(served, plans)
        self.unique = UniqueStatements(served, plans)
        self.documents = frozenset(
            name for name, attribute in served.entity.attributes.items() if attribute.shape.is_document
        )
        self._merged = MergedDocuments(bounds, document_forms(served.writable, served.entity.name))
        self.has_version_of_mapper = cast("Any", inspect(self._entity.model)).version_id_col is not None
        # What Python compares with the present row, because PostgreSQL cannot.
        self._loaded = frozenset(
            name for name, attribute in served.entity.attributes.items() if not is_comparable(attribute)
        )
        self._writes = RowWrites(
            served,
            self.reads,
            plans,
            ruled=self.references.ruled,
            loaded=self._loaded,
            stored_bytes_max=self._merged.stored_bytes_max,
        )

    async def create(self, call: Call, values: dict[str, Any]) -> Row:
        """Insert one row."""
        actor, view = call.actor, call.view
        sent = len(values)  # what is filled in comes behind
        decision = decide(self._policies["create"], actor)
        if view.create_rules:
            decision = with_field_rules(decision, view.create_rules, values)
        if self.served.owned:
            fill_owner(self.served, values, actor)
        outcome = decision if decision is True else holds(decision, ProposedRow(values), actor)
        if outcome is False:
            fields = refused_fields(view.create_rules, islice(values, sent), ProposedRow(values), actor)
            raise access_denied(actor, fields=fields)
        looked_up = self.references.names(call.actor, values, all=False) if self.references.ruled else []
        self.defaults.fill(values)
        if decision is True and (fast := self._writes.inserts.find((view, tuple(values)))) is not None:
            records = await self._run(call, fast.plan, fast.pick(values), values, sent)
            return await self._created(fast.plan, records)
        write = self._writes.insert(call, values, sent, decision, outcome)
        if outcome is True and not looked_up and not self._is_read_again:
            return await self._created(write.plan, await self._run_direct(call, write))
        return await self.database.transact(partial(self._create_in_transaction, call, write, looked_up))

    async def update(self, call: Call, key: Any, changes: ChangeSet, versions: Versions) -> Row:
        """Change one row."""
        actor, view = call.actor, call.view
        decision = decide(self._policies["update"], actor)
        if decision is False:
            raise access_denied(actor)
        sent = len(changes.values)  # what the model adds comes behind
        values = self.defaults.with_updates(changes.values)
        fast = None
        is_compared = bool(changes.read_only_values or changes.unchanged)
        if decision is True and versions is None and not is_compared and call.below is None:
            fast = self._writes.updates.find((view, tuple(values)))
        if fast is not None:
            records = await self._run(call, fast.plan, (*fast.pick(values), key), values, sent)
            if records:
                return self._row_of(fast.plan, records)
        looked_up = self.references.names(call.actor, changes.values, all=False) if self.references.ruled else []
        change = RowChange(key, changes, bind_decision(decision, actor, self._entity), versions, looked_up)
        is_direct = not (looked_up or is_compared or self._is_read_again) and self._is_direct(values, decision, view)
        if is_direct and fast is None:
            write = self._writes.update(call, change, values, sent, self._compared(view, changes.values))
            records = await self._run_direct(call, write)
            if records:
                return self._row_of(write.plan, records)
        if is_direct and (row := await self._find_unchanged(call, change, values)) is not None:
            return row
        return await self.database.transact(partial(self._update_in_transaction, call, change))

    def _is_direct(self, values: dict[str, Any], decision: Decision, view: View) -> bool:
        """Whether one UPDATE is enough: nothing has to be compared with the present row outside of PostgreSQL."""
        return bool(
            values
            and self._loaded.isdisjoint(values)
            and view.update_rules.keys().isdisjoint(values)
            and not depends_on(decision, values, self._entity)
        )

    async def delete(self, call: Call, key: Any, versions: Versions) -> None:
        """Delete one row."""
        read, permitted = rule_of_call(self.served, "get", call), rule_of(self.served, "delete", call.actor)
        if permitted.decision is False:
            raise access_denied(call.actor)
        recipe = DeleteRow(self._addressed, read, Bound(key), permitted, None if versions is None else Bound(versions))
        if not await self._run_delete(self._plans.get(recipe), recipe):
            status = ReadStatus(self._addressed, read, Bound(key), permitted)
            plan = self._plans.get(status)
            records = await self.database.run(plan.statement, plan.statement.arguments(status.binds(plan.statement)))
            raise_refusal(records[0] if records else None, plan, versions, call.actor)
            raise await self.suppressed()

    async def _run_delete(self, statement: Statement, recipe: DeleteRow) -> bool:
        """Whether a row was deleted."""
        try:
            return bool(await self.database.run(statement, statement.arguments(recipe.binds(statement))))
        except InvalidTextRepresentationError as error:
            if SUPPRESSED not in str(error):
                raise
            return False

    async def _create_in_transaction(
        self, call: Call, write: RowWrite, looked_up: Sequence[str], transaction: Transaction
    ) -> Row:
        given = dict(islice(write.values.items(), write.sent))
        await self.references.check(call.actor, transaction, given, looked_up)
        return await self._shown_in(call, transaction, await self._write_under_policy(call, transaction, write, given))

    async def _update_in_transaction(self, call: Call, change: RowChange, transaction: Transaction) -> Row:
        _, moved = await self.lock_for_update(call, transaction, change)
        if not moved:
            return await self.reads.row_at(call, transaction, change.key)
        permitted, rules = change.permitted, call.view.update_rules
        if not rules.keys().isdisjoint(moved):
            permitted = bind_decision(with_field_rules(permitted.decision, rules, moved), call.actor, self._entity)
        locked = msgspec.structs.replace(change, permitted=permitted, versions=None)
        write = self._writes.update(call, locked, self.defaults.with_updates(moved), len(moved), compared=())
        return await self._shown_in(call, transaction, await self._write_under_policy(call, transaction, write, moved))

    async def _write_under_policy(
        self, call: Call, transaction: Transaction, write: RowWrite, references: dict[str, Any]
    ) -> Row:
        """Run a statement that writes a row and evaluates the policy on it. Where the policy refuses the row, missing
        rows among `references` are reported instead, if there are any."""
        plan = write.plan
        try:
            records = await transaction.fetch(plan.statement, write.binds)
        except REFUSE_VALUES as error:
            self._raise_misfit(error, plan, write.values, write.sent)
            raise
        except ForeignKeyViolationError as error:
            self.references.raise_composite(call.actor, error, references)
            raise
        except UNBINDABLE as error:
            raise misfit_default(self._entity, _filled(write.values, write.sent)) or error from error
        if not records and (write.is_allowed or await self._may_be_written(transaction, write)):
            raise await self.suppressed(transaction)
        if records and self.references.composites.ruled:
            key = await self.reads.primary_key(transaction, plan.key_of(records[0]), system)
            await self.references.composites.check(call.actor, transaction, references, key)
        if not records or not records[0][plan.permitted_index]:
            await self.references.check_all(call.actor, transaction, references)
            raise denied(write.permitted)
        return self._row_of(plan, records)

    async def _may_be_written(self, transaction: Transaction, write: RowWrite) -> bool:
        """Whether the policy admits the row that a statement was to write."""
        recipe = write.candidate()
        statement = self._plans.get(recipe)
        return statement is None or bool(await transaction.read(statement, recipe.binds(statement)))

    async def lock_for_update(
        self, call: Call, transaction: Transaction, change: RowChange
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Lock the row, compare it with the change, look up the references that it changes, and raise where the change
        is refused.

        Returns the values to write, and those of them that the row does not have already, as far as the actor sees it:
        an unchanged reference is not looked up.
        """
        changes, view = change.changes, call.view
        sent = changes.values.keys() | changes.read_only_values.keys() | changes.unchanged
        loaded = self._loaded & changes.values.keys()
        names = tuple(sorted({*changes.read_only_values, *loaded, *change.references}))
        compared = self._compared(view, changes.values.keys() - loaded)
        ruled = sorted(sent & (view.maybe_unknown | view.update_rules.keys()))
        asked = tuple(dict.fromkeys((*names, *ruled)))
        recipe = self._writes.status(call, change.key, change.permitted, asked, names)
        if compared:
            recipe = msgspec.structs.replace(recipe, compared=compared, values=Bound(changes.values))
        plan = self._plans.get(recipe)
        records = await transaction.fetch(plan.statement, recipe.binds(plan.statement))
        raise_refusal(records[0] if records else None, plan, change.versions, call.actor, ruled)
        current = CurrentValues(self.served, plan, records[0])
        values = current.merge(changes.values, self._merged, changes.read_only_values)
        moved = current.moved(values, compared)
        await self.references.check(
            call.actor, transaction, moved, [name for name in change.references if name in moved]
        )
        return values, moved

    def _compared(self, view: View, names: Collection[str]) -> tuple[str, ...]:
        """`names`, if PostgreSQL compares their values with the row's. A change of a field that the actor may not see
        is always written, so that nothing tells whether it changed anything."""
        return tuple(sorted(names)) if all(name in view.names for name in names) else ()

    async def shown(self, call: Call, key: Any, names: tuple[str, ...]) -> str:
        """The JSON of these fields as the row shows them to the actor: an object that is empty where it is hidden."""
        try:
            return (await self.reads.fields_of(call, key, names)).data
        except NotFound:
            return "{}"

    async def unseen(self, call: Call, key: Any, names: frozenset[str]) -> frozenset[str]:
        """Those of `names` that the actor neither sees on the row nor may write there; none where the actor cannot read
        the row."""
        recipe = self._writes.status(call, key, rule_of(self.served, "update", call.actor), tuple(sorted(names)))
        plan = self._plans.get(recipe)
        records = await self.database.run(plan.statement, plan.statement.arguments(recipe.binds(plan.statement)))
        if not records or not records[0][plan.readable_index]:
            return frozenset()
        return unseen_fields(records[0], plan, names)

    def _run_direct(self, call: Call, write: RowWrite) -> Awaitable[list[Record]]:
        try:
            arguments = write.plan.statement.arguments(write.binds)
        except UNBINDABLE as error:
            raise misfit_default(self._entity, _filled(write.values, write.sent)) or error from error
        return self._run(call, write.plan, arguments, write.values, write.sent)

    async def _run(
        self, call: Call, plan: WritePlan, arguments: Sequence[Any], values: dict[str, Any], sent: int
    ) -> list[Record]:
        """Run a writing statement outside of a transaction block. The first `sent` values are the client's.

        A refusal has more detail than PostgreSQL's error: all broken references instead of the first, and the fields
        whose value it may have refused.
        """
        try:
            return await self.database.run(plan.statement, arguments)
        except REFUSE_VALUES as error:
            self._raise_misfit(error, plan, values, sent)
            raise
        except Unprocessable as error:
            if error.code == "reference_not_found":
                given = dict(islice(values.items(), sent))
                await self.database.transact(lambda work: self.references.check_all(call.actor, work, given))
            raise

    def _raise_misfit(self, error: PostgresError, plan: WritePlan, values: Mapping[str, Any], sent: int) -> None:
        """Raise the refusal of the client's values, or `MisfitValue` where one of the others is the cause. The first
        `sent` are the client's."""
        number = argument_number(error)
        bind = None if number is None else plan.statement.name_of(number)
        refused = next((name for name in values if bind_name(name) == bind), None)
        given = dict(islice(values.items(), sent))
        misfit = misfit_default(self._entity, _filled(values, sent), refused)
        if misfit is not None and refused not in given:
            raise misfit from error
        self.raise_refused(error, given if refused is None else {refused: given[refused]})

    def raise_refused(self, error: PostgresError, values: Mapping[str, Any]) -> None:
        """Raise the refusal of those of the client's values that do not fit; return where none of them is the cause."""
        problem = refused_value(error, self.served, values, self.database.emit_refused)
        if problem is not None:
            raise problem from error

    async def suppressed(self, transaction: Transaction | None = None) -> Problem:
        """The refusal of a write that a trigger suppressed without an error, or that row level security kept from the
        row."""
        return await self.database.suppressed(self._entity.table, transaction)

    async def _find_unchanged(self, call: Call, change: RowChange, values: dict[str, Any]) -> Row | None:
        """The row, where an UPDATE has left it alone because it has these values already."""
        compared = self._compared(call.view, change.changes.values)
        if not compared:
            return None
        recipe = self._writes.update_recipe(FindUnchanged, call, change, values, compared)
        plan = self._plans.get(recipe)
        records = await self.database.run(plan.statement, plan.statement.arguments(recipe.binds(plan.statement)))
        return self._row_of(plan, records) if records else None

    @property
    def _is_read_again(self) -> bool:
        """Whether the row is shown with what no write can return, such as other rows: it is read in the same
        transaction."""
        return self.served.answers is not None and not self.served.answers.is_flat

    async def _shown_in(self, call: Call, transaction: Transaction, row: Row) -> Row:
        """The row that was written, as it is shown."""
        return await self.reads.row_at(call, transaction, row.key) if self._is_read_again and row.data else row

    async def _created(self, plan: WritePlan, records: Sequence[Record]) -> Row:
        """The row that an INSERT returned. Where no rule could refuse it and there is none, a trigger suppressed it."""
        if not records:
            raise await self.suppressed()
        return self._row_of(plan, records)

    def _row_of(self, plan: WritePlan, records: Sequence[Record]) -> Row:
        """The row that a write returned."""
        record = records[0]
        data = plan.build(record) if record[plan.readable_index] else ""
        return Row(data, None if plan.tag is None else plan.tag(record), plan.key_of(record))
