"""Restrictions: the condition of `Resource(where=...)` as a part of the resource's policies.

It is ANDed to what reads rows (`list`, `get`) and to `create`. Changes and deletions find their row under `get`, so it
holds for the row before them; the row that a change leaves behind need not satisfy it. Because it is a part of the
policies, it holds wherever these do: in filters, expansions and references that lead to the resource, and in services.
It does so for the system actor as well.
"""

from typing import Any, final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine

from gatepost.actor import Actor, system
from gatepost.database.statements import DIALECT
from gatepost.declaring.policies import Decision, Policy, RowCondition, Where, both, is_nobody
from gatepost.declaring.resource import Resource
from gatepost.declaring.row_expressions import CallValue, Readable
from gatepost.errors import ConfigurationError
from gatepost.models.entity import Entity
from gatepost.models.literals import literal_of
from gatepost.models.policy_functions import (
    check_function,
    condition_of,
    condition_on,
    shape_and_values,
    subquery_hint,
    tables_beside,
)
from gatepost.models.table_refs import TableRef

RESTRICTED = ("list", "get", "create")
"""The actions whose policies a restriction is a part of."""


class Restriction(RowCondition, frozen=True):
    """The condition holds for the row. Its values are a part of the SQL: they are the same for every request, and a
    partial index with the same condition serves the statement."""

    where: Where

    def condition(self, source: TableRef, *, is_negated: bool = False) -> sa.ColumnElement[bool]:
        """The condition on `source`, or its negation."""
        values = shape_and_values(self.where, source.entity.model, system).values
        found = condition_on(source, self.where, system, values, is_negated=is_negated)
        by_name = {bound.name: bound.value for bound in values}

        def replace(element: Any, **_: Any) -> Any:
            name = getattr(element, "key", None)
            return _fixed(by_name[name], element.type) if name in by_name else None

        fixed: sa.ColumnElement[bool] = visitors.replacement_traverse(found, {}, replace)
        return fixed


@final
class RestrictedPolicy(Policy):
    """A policy, for the rows that satisfy a restriction."""

    __slots__ = ("_inner", "_restriction", "_text")

    def __init__(self, inner: Policy, restriction: Restriction, text: str) -> None:
        self._inner = inner
        self._restriction = restriction
        self._text = text

    def decide(self, actor: Actor) -> Decision:
        return both(self._inner.decide(actor), self._restriction)

    def restriction(self) -> Decision:
        return self._restriction

    @property
    def is_constant(self) -> bool:
        return is_nobody(self._inner)

    @property
    def is_same_for_all(self) -> bool:
        return self._inner.is_same_for_all

    @property
    def parts(self) -> tuple[Policy, ...]:
        return (self._inner,)

    def __repr__(self) -> str:
        return f"{self._inner!r} where {self._text}"


def policies_of(resource: Resource[Any], entity: Entity) -> dict[str, Policy]:
    """The declared policies of a resource, with its restriction."""
    if resource.where is None:
        return dict(resource.policies)
    restriction, text = Restriction(resource.where), _text_of(resource.where, entity)
    # One object for one policy: whether two actions have the same one is asked by identity.
    made = {
        id(policy): RestrictedPolicy(policy, restriction, text)
        for action, policy in resource.policies.items()
        if action in RESTRICTED
    }
    return {
        action: made[id(policy)] if action in RESTRICTED else policy for action, policy in resource.policies.items()
    }


def check_restriction(resource: Resource[Any], entity: Entity) -> None:
    """Raise `ConfigurationError` where the condition of `where=` cannot be a part of statements."""
    if resource.where is None:
        return
    location = f"Resource({entity.name}, where=...)"
    try:
        check_function(resource.where, entity, system)
        condition = condition_of(resource.where, entity, system)
        others = tables_beside(condition, entity)
    except ConfigurationError as error:
        message = error.message.partition(" ")[2].partition(" ")[2].partition(" ")[2]  # without "the policy <name>"
        raise ConfigurationError(message, location=location, hint=error.hint) from None
    except (AttributeError, TypeError, SQLAlchemyError) as error:
        hint = f"Write a condition on {entity.name}, as where={entity.name}.deleted_at.is_(None)."
        raise ConfigurationError(
            f"cannot be evaluated: {str(error).rstrip('.')}.", location=location, hint=hint
        ) from None
    if any(isinstance(part, CallValue | Readable) for part in visitors.iterate(condition)):
        hint = "where= holds for every actor. Write what depends on the actor as a policy: read=policy(...)."
        raise ConfigurationError("depends on the actor.", location=location, hint=hint)
    if others:
        hint = subquery_hint(entity)
        raise ConfigurationError(f"is about rows of {', '.join(others)}.", location=location, hint=hint)


def _text_of(where: Where, entity: Entity) -> str:
    """The condition as `gatepost routes` shows it."""
    try:
        compiled: Any = condition_of(where, entity, system).compile(
            dialect=DIALECT, compile_kwargs={"literal_binds": True}
        )
    except Exception:  # `check_restriction` says what is wrong
        return "..."
    return " ".join(str(compiled).split())


def _fixed(value: Any, kind: TypeEngine[Any]) -> sa.ColumnElement[Any]:
    """A value as a literal; as a parameter where its type has none."""
    try:
        return literal_of(value, kind)
    except (TypeError, NotImplementedError, SQLAlchemyError):
        return sa.bindparam(None, value, type_=kind, unique=True)
