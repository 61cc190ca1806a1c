"""The rules of writing, shared by derived verbs and services: ownership, references, and why a row was not changed."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
from asyncpg.exceptions import ForeignKeyViolationError

from gatepost.actor import Actor, anonymous
from gatepost.auth.denials import access_denied
from gatepost.database.failures import is_referred_to
from gatepost.database.pool import Record
from gatepost.database.transactions import Transaction
from gatepost.declaring.policies import Decision, Every, Not, Owned, RowCondition, Some, both, decide, owners
from gatepost.errors import FieldError, NotFound, PreconditionFailed, Unprocessable
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.models.conditions import bind_decision
from gatepost.models.entity import Attribute
from gatepost.models.mapping import table_key
from gatepost.models.reads import KEY
from gatepost.models.writes import RowStatusPlan, reference_statement
from gatepost.services.composite_references import CompositeReferences, is_composite
from gatepost.services.plans import Plans
from gatepost.services.verbs import UnseenFields, Versions


class ProposedRow:
    """Values of a row that does not exist yet, as attributes, for policies that look at an object."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> None:
        return None


def fill_owner(served: ServedModel, values: dict[str, Any], actor: Actor) -> None:
    """Set the owner's columns that a creation leaves out to the actor."""
    if actor.id is not None:
        for name in owners(served.resource.policies["create"]):
            values.setdefault(name, actor.id)


def not_found() -> NotFound:
    """The refusal of a row that is absent or hidden: both look the same."""
    return NotFound("not_found", "There is nothing here that you may see.")


def raise_refusal(
    record: Record | None, plan: RowStatusPlan, versions: Versions, actor: Actor, names: Collection[str] = ()
) -> None:
    """Raise what refuses the change of these fields of a row that was looked at; return where nothing does.

    What the actor neither sees nor writes on the row comes before what he may not do with it: a field that does not
    exist would have been refused before anybody looked.
    """
    if record is None or not record[plan.readable_index]:
        raise not_found()
    if unseen := unseen_fields(record, plan, names):
        raise UnseenFields(unseen)
    if not record[plan.permitted_index] or any(plan.is_refused(record, name) for name in names):
        raise access_denied(actor)
    if versions is not None and record[plan.version_index] not in versions:
        raise PreconditionFailed("version_mismatch", "The row has changed since you read it; read it again.")


def unseen_fields(record: Record, plan: RowStatusPlan, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that the row neither shows nor lets be written."""
    is_permitted = bool(record[plan.permitted_index])
    return frozenset(
        name for name in names if not (plan.is_shown(record, name) or (is_permitted and plan.is_writable(record, name)))
    )


def with_field_rules(decision: Decision, rules: Mapping[str, RowCondition], names: Iterable[str]) -> Decision:
    """What a row has to satisfy where these fields are set: the action's rule, and theirs."""
    found = [rules[name] for name in names if name in rules]
    if not found or decision is False:
        return decision
    return Every((*([] if decision is True else [decision]), *found))


def depends_on(decision: Decision, names: Iterable[str], served: ServedModel) -> bool:
    """Whether writing these attributes can change what the decision says of a row."""
    if isinstance(decision, bool):
        return False
    if isinstance(decision, Owned):
        first = decision.path[0]
        relation = served.entity.relations.get(first)
        column = served.entity.attribute_of(relation.local) if relation is not None else None
        return (column.name if column is not None else first) in names
    if isinstance(decision, Not):
        return depends_on(decision.rule, names, served)
    if isinstance(decision, Every | Some):
        return any(depends_on(rule, names, served) for rule in decision.rules)
    return True


class Reference(msgspec.Struct, frozen=True, eq=False):
    """A foreign key to a served table, and the attribute that it names a row by. That is None where the target's class
    maps no such column, which nobody is shown then."""

    target: ServedModel
    by: Attribute | None

    @property
    def is_open(self) -> bool:
        """Whether everybody may read every row of the target, and is shown there what it is named by."""
        if self.by is None:
            return False
        rules = (self.target.resource.policies["get"], self.target.rules[self.by.name].read)
        return all(rule.is_constant and decide(rule, anonymous) is True for rule in rules)

    def decision(self, actor: Actor) -> Decision:
        """Which rows the actor may name: those that he may read, as far as they show him what names them. Otherwise
        a hidden value could be guessed: the reference would be taken for the right one alone."""
        if self.by is None:
            return False
        readable = decide(self.target.resource.policies["get"], actor)
        return both(readable, decide(self.target.rules[self.by.name].read, actor))


class References:
    """Checks that the foreign keys of a body name rows that the actor may read, by what they show him."""

    def __init__(self, served: ServedModel, catalog: Catalog, plans: Plans) -> None:
        self._plans = plans
        self._owned = owners(served.resource.policies["create"])
        self._references: dict[str, tuple[Reference, ...]] = {
            attribute.name: found
            for attribute in served.entity.attributes.values()
            if (found := tuple(_references_of(attribute, catalog)))
        }
        self.composites = CompositeReferences(served, catalog, plans)
        # Of the others the foreign key constraint says the same without a look.
        self._ruled = frozenset(
            name for name, found in self._references.items() if not all(reference.is_open for reference in found)
        )
        self.ruled = self._ruled | self.composites.ruled

    def names(self, values: Mapping[str, Any], actor: Actor, *, all: bool) -> list[str]:
        """The references in `values` to look up. Where the actor may name every row of the target, the foreign
        key constraint says the same without a look, unless `all` are asked for. An owner's column that names the
        actor needs none: one knows of oneself, whoever may read the users."""
        composite = self.composites.names(values, actor) if self.composites.ruled else []
        # Whether the constraint would name one of the others must not hang on a composite one.
        all = all or bool(composite)
        single = [
            name
            for name in (self._references if all else self._ruled)
            if values.get(name) is not None
            and not (name in self._owned and values[name] == actor.id)
            and (all or any(reference.decision(actor) is not True for reference in self._references[name]))
        ]
        return [*single, *(name for name in composite if name not in single)]

    async def check(
        self, transaction: Transaction, values: Mapping[str, Any], names: Sequence[str], actor: Actor
    ) -> None:
        """Look up the references; raises `Unprocessable` naming every one that leads nowhere the actor may see, also
        of those that need no look as long as all is well."""
        errors: list[FieldError] = []
        others = (name for name in self.names(values, actor, all=True) if errors and name not in names)
        for name in chain(names, others):
            singles = self._references.get(name, ())
            found = [await self._is_found(transaction, item, values[name], actor) for item in singles]
            if not all(found):
                errors.append(FieldError(f"/{name}", "not_found", "No row that you may read has this key."))
        if errors:
            raise Unprocessable("reference_not_found", "A reference leads nowhere.", errors=sorted(errors))

    async def _is_found(self, transaction: Transaction, reference: Reference, value: Any, actor: Actor) -> bool:
        target, by, decision = reference.target, reference.by, reference.decision(actor)
        if by is None or decision is False:
            return False
        rule = bind_decision(decision, actor, target.entity)
        statement = self._plans.get(
            ("reference", target, by.name, rule.shape), lambda: reference_statement(target, by.name, rule)
        )
        return bool(await transaction.read(statement, {KEY: value, **rule.values}))

    def raise_composite(self, error: BaseException, values: Mapping[str, Any], actor: Actor) -> None:
        """Raise the refusal of composite references where the constraint may speak of one; return where it does not.
        The others were looked up before."""
        is_ours = isinstance(error, ForeignKeyViolationError) and not is_referred_to(error)
        if is_ours and self.composites.names(values, actor):
            raise self.composites.refusal(values, actor) from error

    async def check_all(self, transaction: Transaction, values: Mapping[str, Any], actor: Actor) -> None:
        """`check` where a policy refuses the row: what it reads by way of a reference that leads nowhere is not there,
        and that is what its author has to be told."""
        await self.check(transaction, values, self.names(values, actor, all=True), actor)


def _references_of(attribute: Attribute, catalog: Catalog) -> Iterator[Reference]:
    """Every foreign key of a column alone that leads to a served table."""
    for key in sorted(attribute.column.foreign_keys, key=lambda key: key.target_fullname):
        if is_composite(key.constraint):
            continue
        target = catalog.by_table.get(table_key(key.column.table))
        if target is not None:
            yield Reference(target, target.entity.attribute_of(key.column))
