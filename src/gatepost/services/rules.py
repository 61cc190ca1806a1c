"""The rules of writing, shared by derived verbs and services: ownership, references, and why a row was not changed."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from gatepost.auth.actor import Actor, anonymous
from gatepost.auth.policies import Decision, Every, Not, Owned, Rule, Some, decide, owners
from gatepost.auth.refusals import refusal
from gatepost.database.pool import Record
from gatepost.database.transactions import Transaction
from gatepost.errors import FieldError, NotFound, PreconditionFailed, Unprocessable
from gatepost.models.catalog import Catalog, Served
from gatepost.models.conditions import bind_policy
from gatepost.models.entity import Attribute
from gatepost.models.reads import KEY
from gatepost.models.writes import LocatePlan, reference_statement
from gatepost.services.plans import Plans
from gatepost.services.verbs import UnseenFields, Versions


class Draft:
    """Values of a row that does not exist yet, as attributes, for policies that look at an object."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> None:
        return None


def fill_owner(served: Served, values: dict[str, Any], actor: Actor) -> None:
    """Set the owner's columns that a creation leaves out to the actor."""
    if actor.id is not None:
        for name in owners(served.resource.policies["create"]):
            values.setdefault(name, actor.id)


def not_found() -> NotFound:
    """The refusal of a row that is absent or hidden: both look the same."""
    return NotFound("not_found", "There is nothing here that you may see.")


def explain(
    record: Record | None, plan: LocatePlan, versions: Versions, actor: Actor, names: Collection[str] = ()
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
        raise refusal(actor)
    if versions is not None and record[plan.version_index] not in versions:
        raise PreconditionFailed("version_mismatch", "The row has changed since you read it; read it again.")


def unseen_fields(record: Record, plan: LocatePlan, names: Iterable[str]) -> frozenset[str]:
    """Those of `names` that the row neither shows nor lets be written."""
    is_permitted = bool(record[plan.permitted_index])
    return frozenset(
        name for name in names if not (plan.is_shown(record, name) or (is_permitted and plan.is_writable(record, name)))
    )


def with_field_rules(decision: Decision, rules: Mapping[str, Rule], names: Iterable[str]) -> Decision:
    """What a row has to satisfy where these fields are set: the action's rule, and theirs."""
    found = [rules[name] for name in names if name in rules]
    if not found or decision is False:
        return decision
    return Every((*([] if decision is True else [decision]), *found))


def depends_on(decision: Decision, names: Iterable[str], served: Served) -> bool:
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


class References:
    """Checks that the foreign keys of a body name rows that the actor may read."""

    def __init__(self, served: Served, catalog: Catalog, plans: Plans) -> None:
        self._plans = plans
        self._owned = owners(served.resource.policies["create"])
        self._targets: dict[str, tuple[Attribute, Served]] = {
            attribute.name: (attribute, catalog.by_table[attribute.references[0]])
            for attribute in served.entity.attributes.values()
            if attribute.references is not None and attribute.references[0] in catalog.by_table
        }
        # Of the others everybody may read every row: the foreign key constraint says the same without a look.
        self.ruled = {
            name: (attribute, target)
            for name, (attribute, target) in self._targets.items()
            if not (target.resource.policies["get"].is_constant and decide(target.resource.policies["get"], anonymous))
        }

    def names(self, values: Mapping[str, Any], actor: Actor, *, all: bool) -> list[str]:
        """The references in `values` to look up. Where the actor may read every row of the target, the foreign
        key constraint says the same without a look, unless `all` are asked for. An owner's column that names the
        actor needs none: one knows of oneself, whoever may read the users."""
        return [
            name
            for name, (_, target) in (self._targets if all else self.ruled).items()
            if values.get(name) is not None
            and not (name in self._owned and values[name] == actor.id)
            and (all or bind_policy(target.resource.policies["get"], actor, target.entity).decision is not True)
        ]

    async def check(
        self, transaction: Transaction, values: Mapping[str, Any], names: Sequence[str], actor: Actor
    ) -> None:
        """Look up the references; raises `Unprocessable` naming every one that leads nowhere the actor may see, also
        of those that need no look as long as all is well."""
        errors: list[FieldError] = []
        others = (name for name in self.names(values, actor, all=True) if errors and name not in names)
        for name in chain(names, others):
            attribute, target = self._targets[name]
            column_name = (attribute.references or ("", ""))[1]
            rule = bind_policy(target.resource.policies["get"], actor, target.entity)
            statement = self._plans.get(
                ("reference", target, column_name, rule.shape),
                lambda target=target, column_name=column_name, rule=rule: reference_statement(  # type: ignore[misc]
                    target, column_name, rule
                ),
            )
            if not await transaction.read(statement, {KEY: values[name], **rule.values}):
                errors.append(FieldError(f"/{name}", "not_found", "No row that you may read has this key."))
        if errors:
            raise Unprocessable("reference_not_found", "A reference leads nowhere.", errors=sorted(errors))

    async def check_all(self, transaction: Transaction, values: Mapping[str, Any], actor: Actor) -> None:
        """`check` where a policy refuses the row: what it reads by way of a reference that leads nowhere is not there,
        and that is what its author has to be told."""
        await self.check(transaction, values, self.names(values, actor, all=True), actor)
