"""The statements that write single rows, for a request and its actor: `compiled_verbs.py` runs them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from gatepost.call import Call
from gatepost.declaring.policies import Decision, RowCondition
from gatepost.models.candidates import CheckCandidate
from gatepost.models.conditions import BoundRule, bind_decision
from gatepost.models.reads import KEY
from gatepost.models.recipes import Bound, Recipe
from gatepost.models.selections import RowSelection, Selection
from gatepost.models.served_model import ServedModel
from gatepost.models.writes import AskedField, CheckUpdate, InsertRow, ReadStatus, UpdateRow, WritePlan
from gatepost.services.compiled_reads import CompiledReads
from gatepost.services.fast_writes import FastWrites
from gatepost.services.plans import Plans
from gatepost.services.verbs import ChangeSet, Versions
from gatepost.services.write_policies import depends_on, rule_of_call


class RowChange(msgspec.Struct, frozen=True, gc=False):
    """What one request changes of the row with a key: under which rule, of which versions. `references` are the names
    of references among the values that have to be looked up."""

    key: Any
    changes: ChangeSet
    permitted: BoundRule
    versions: Versions
    references: Sequence[str] = ()


class RowWrite(msgspec.Struct, frozen=True, gc=False):
    """A statement that writes a row. The first `sent` of `values` are the client's; the model adds the others. One that
    `is_allowed` no policy can refuse any more; of the others `candidate` asks whether one does."""

    plan: WritePlan
    binds: dict[str, Any]
    values: dict[str, Any]
    sent: int
    is_allowed: bool
    permitted: BoundRule
    candidate: Callable[[], Recipe[Any]]


class RowWrites:
    """The statements that write rows of one resource. `inserts` and `updates` are those that depend on the fields alone
    that they set."""

    def __init__(  # noqa: PLR0913 - what statements are made of
        self,
        served: ServedModel,
        reads: CompiledReads,
        plans: Plans,
        *,
        ruled: frozenset[str],
        loaded: frozenset[str],
        stored_bytes_max: int,
    ) -> None:
        """`ruled` are references that have to be looked up, `loaded` the attributes that Python compares with the
        present row; a document that is merged into has at most `stored_bytes_max`."""
        self._served = served
        self._reads = reads
        self._plans = plans
        self._stored_bytes_max = stored_bytes_max
        self.inserts = FastWrites(plans, ruled)
        self.updates = FastWrites(plans, ruled | loaded, (KEY,))

    def status(
        self, call: Call, key: Any, permitted: BoundRule, asked: tuple[str, ...], names: tuple[str, ...] | None = None
    ) -> ReadStatus:
        """Whether the actor may read and write the row, and these fields of it; a row whose current values (`names`)
        are read as well is locked."""
        actor, view = call.actor, call.view

        def rule(name: str, rules: Mapping[str, RowCondition], open_fields: Collection[str]) -> BoundRule:
            return bind_decision(rules.get(name, name in open_fields), actor, self._served.entity)

        return ReadStatus(
            self._served.addressed,
            rule_of_call(self._served, "get", call),
            Bound(key),
            permitted,
            is_locking=names is not None,
            names=names or (),
            asked=tuple(
                [
                    AskedField(name, rule(name, view.ruled, view.names), rule(name, view.update_rules, view.updatable))
                    for name in asked
                ]
            ),
            document_bytes_max=self._stored_bytes_max,
        )

    def insert(
        self, call: Call, values: dict[str, Any], sent: int, decision: Decision, outcome: bool | None
    ) -> RowWrite:
        """The INSERT of a row whose first `sent` values are the client's. `outcome` says whether the policy holds for
        them, None where only PostgreSQL can tell."""
        view, names = call.view, tuple(values)
        permitted = bind_decision(decision, call.actor, self._served.entity)
        recipe = InsertRow(self._selection(call), permitted, names, Bound(values), checks_candidate=outcome is None)
        plan = self._plans.get(recipe)
        if decision is True and self._is_shown_alike:
            self.inserts.keep(view, names, plan, view.create_rules)
        binds = recipe.binds(plan.statement)
        asked = partial(CheckCandidate, self._served.entity, permitted, names, frozenset(), recipe.values)
        return RowWrite(plan, binds, values, sent, is_allowed=outcome is True, permitted=permitted, candidate=asked)

    def update(
        self, call: Call, change: RowChange, values: dict[str, Any], sent: int, compared: tuple[str, ...]
    ) -> RowWrite:
        """The UPDATE of a row, where the values of `compared` differ from those that it has."""
        view, permitted = call.view, change.permitted
        recipe = self.update_recipe(UpdateRow, call, change, values, compared)
        plan = self._plans.get(recipe)
        is_plain = change.versions is None and call.below is None
        if permitted.decision is True and self._is_shown_alike and is_plain:
            self.updates.keep(view, recipe.names, plan, view.update_rules)
        asked = partial(CheckUpdate, self._served.addressed, permitted, recipe.key, recipe.names, recipe.values)
        binds = recipe.binds(plan.statement)
        is_allowed = not recipe.checks_candidate
        return RowWrite(plan, binds, values, sent, is_allowed=is_allowed, permitted=permitted, candidate=asked)

    def update_recipe(
        self,
        kind: type[UpdateRow],
        call: Call,
        change: RowChange,
        values: dict[str, Any],
        compared: tuple[str, ...],
    ) -> UpdateRow:
        """What the statement of a change is compiled from."""
        names, versions = tuple(values), None if change.versions is None else Bound(change.versions)
        checks_candidate = depends_on(change.permitted.decision, names, self._served.entity)
        return kind(
            self._selection(call),
            change.permitted,
            names,
            Bound(values),
            checks_candidate,
            Bound(change.key),
            versions,
            compared,
        )

    @property
    def _is_shown_alike(self) -> bool:
        """Whether what a write returns of the row depends on nothing of the actor but the view."""
        answers = self._served.answers
        return self._reads.is_open and (answers is None or (answers.is_flat and answers.is_open))

    def _selection(self, call: Call) -> RowSelection:
        if self._served.answers is not None:
            return self._reads.shown_by(call, self._served.answers)
        return Selection.of(self._served.addressed, call.view, rule_of_call(self._served, "get", call))
