"""Policies: who may do what, as values that can be combined with `&`, `|` and `~`.

`decide` evaluates a policy for one actor in Python and returns True, False, or the condition on the row that remains.
`models/conditions.py` turns that condition into SQL, so that no row is fetched only to be discarded. A condition is
hashable: it is part of the key of the compiled statement.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast, final, overload

import msgspec
from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.sql.util import (
    ClauseAdapter,
    _deep_deannotate,  # pyright: ignore[reportPrivateUsage, reportUnknownVariableType]
)

from gatepost.actor import Actor, anonymous
from gatepost.declaring.attributes import Attr
from gatepost.errors import ConfigurationError
from gatepost.sources import caller_location, location_of


class RowCondition(msgspec.Struct, frozen=True):
    """What remains of a policy once the actor is known: a condition on the row."""


class Owned(RowCondition, frozen=True):
    """The column at the end of `path` (names of to-one relations, then a column) holds the actor's id."""

    path: tuple[str, ...]


class Where(RowCondition, frozen=True):
    """The condition that `function(model, actor)` returns."""

    function: Callable[[Any, Actor], ColumnElement[bool] | bool]


class OneOf(RowCondition, frozen=True):
    """The column of the attribute `name` holds one of `values`."""

    name: str
    values: tuple[Any, ...]


class Every(RowCondition, frozen=True):
    """All of the conditions hold."""

    rules: tuple[RowCondition, ...]


class Some(RowCondition, frozen=True):
    """At least one of the conditions holds."""

    rules: tuple[RowCondition, ...]


class Not(RowCondition, frozen=True):
    """The condition does not hold. SQL's NULL counts as false, except in a function with casts: where a value does not
    cast, neither the condition nor its negation holds."""

    rule: RowCondition


Decision = bool | RowCondition


class Policy:
    """Who may act. Combine policies with `&`, `|` and `~`; write others with `policy`."""

    __slots__ = ()

    def decide(self, actor: Actor) -> Decision:
        """True, False, or the condition that the row must satisfy. Called once per request and action."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it decides")

    def restriction(self) -> Decision:
        """The part of the decision that holds for the system actor as well: True where there is none."""
        return True

    @property
    def is_constant(self) -> bool:
        """True where the decision depends on neither actor nor row."""
        return False

    @property
    def is_same_for_all(self) -> bool:
        """True where the decision is the same for every actor, whether or not it depends on the row."""
        return self.is_constant

    @property
    def parts(self) -> tuple["Policy", ...]:
        """The policies that this one combines."""
        return ()

    def __and__(self, other: "Policy") -> "Policy":
        return _Both(self, other) if isinstance(other, Policy) else NotImplemented  # pyright: ignore[reportUnnecessaryIsInstance]

    def __or__(self, other: "Policy") -> "Policy":
        return _Either(self, other) if isinstance(other, Policy) else NotImplemented  # pyright: ignore[reportUnnecessaryIsInstance]

    def __invert__(self) -> "Policy":
        return _Inverse(self)

    def __bool__(self) -> bool:
        # `owner("id") and role("editor")` would silently be the role alone.
        raise ConfigurationError(
            "a policy is neither true nor false until it is evaluated for an actor.",
            location=repr(self),
            hint="Combine policies with &, | and ~ instead of and, or and not.",
        )


@final
@dataclass(slots=True, eq=False, repr=False)
class _ConstantPolicy(Policy):
    name: str
    value: bool

    def decide(self, actor: Actor) -> Decision:
        return self.value

    @property
    def is_constant(self) -> bool:
        return True

    def __repr__(self) -> str:
        return self.name


@final
class _Authenticated(Policy):
    __slots__ = ()

    def decide(self, actor: Actor) -> Decision:
        return actor.id is not None

    def __repr__(self) -> str:
        return "authenticated"


@final
@dataclass(slots=True, eq=False, repr=False)
class _HasRole(Policy):
    names: frozenset[str]

    def decide(self, actor: Actor) -> Decision:
        return not self.names.isdisjoint(actor.roles)

    def __repr__(self) -> str:
        return f"role({', '.join(repr(name) for name in sorted(self.names))})"


@final
class Owner(Policy):
    """The row belongs to the actor: see `owner`."""

    __slots__ = ("model", "path", "rule")

    def __init__(self, path: str, model: type[Any] | None = None) -> None:
        self.path = tuple(path.split("."))
        self.model = model
        self.rule = Owned(self.path)

    def decide(self, actor: Actor) -> Decision:
        return self.rule if actor.id is not None else False

    def __repr__(self) -> str:
        return f"owner({'.'.join(self.path)!r})"


@final
@dataclass(slots=True, eq=False, repr=False)
class _Where(Policy):
    rule: Where

    def decide(self, actor: Actor) -> Decision:
        return self.rule

    def __repr__(self) -> str:
        return getattr(self.rule.function, "__name__", "policy")


@dataclass(slots=True, eq=False, repr=False)
class _Pair(Policy):
    left: Policy
    right: Policy

    @property
    def parts(self) -> tuple[Policy, ...]:
        return self.left, self.right


@final
class _Both(_Pair):
    __slots__ = ()

    def decide(self, actor: Actor) -> Decision:
        left = self.left.decide(actor)
        return False if left is False else both(left, self.right.decide(actor))

    def __repr__(self) -> str:
        return f"{self.left!r} & {self.right!r}"


@final
class _Either(_Pair):
    __slots__ = ()

    def decide(self, actor: Actor) -> Decision:
        left = self.left.decide(actor)
        if left is True:
            return True
        right = self.right.decide(actor)
        if left is False or right is True:
            return right
        return left if right is False else Some((left, right))

    def __repr__(self) -> str:
        return f"({self.left!r} | {self.right!r})"


@final
@dataclass(slots=True, eq=False, repr=False)
class _Inverse(Policy):
    inner: Policy

    @property
    def parts(self) -> tuple[Policy, ...]:
        return (self.inner,)

    def decide(self, actor: Actor) -> Decision:
        decision = self.inner.decide(actor)
        return (not decision) if isinstance(decision, bool) else Not(decision)

    def __repr__(self) -> str:
        return f"~{self.inner!r}"


anyone: Policy = _ConstantPolicy("anyone", True)
"""Every client, signed in or not."""

nobody: Policy = _ConstantPolicy("nobody", False)
"""Only the system actor: the default of what a resource does not open."""

authenticated: Policy = _Authenticated()
"""Every signed-in user."""


def role(*names: str) -> Policy:
    """Users who hold at least one of these roles."""
    if any(isinstance(name, list | tuple | set | frozenset) for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("role() takes names, not a list of names.", hint='Write role("editor", "admin").')
    if not names or not all(isinstance(name, str) and name for name in names):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError("role() needs the name of at least one role.", hint='Write role("editor").')
    return _HasRole(frozenset(names))


def owner(path: Attr) -> Policy:
    """Rows whose column at `path` holds the actor's id: `owner("buyer_id")`, `owner(Order.buyer_id)`,
    `owner("order.buyer_id")`.

    On creation the column is filled where it is absent, and another user's id is refused with 403.
    """
    if isinstance(path, QueryableAttribute):
        return Owner(path.key, cast("type[Any]", path.class_))
    if not isinstance(path, str) or not all(path.split(".")):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(f"owner({path!r}) names no column.", hint='Write owner("buyer_id").')
    return Owner(path)


class ConditionOfExpression:
    """An SQL expression over a model as the function that policies call: on the model, or on an alias of it. `source`
    is where it is declared."""

    def __init__(self, expression: "ColumnElement[Any]") -> None:
        self.source = caller_location()
        # Without the annotation by which SQLAlchemy keeps the inside of `relationship.has()` from being replaced.
        self.expression: Any = _deep_deannotate(expression, ["no_replacement_traverse"])

    def __call__(self, model: Any, actor: Actor) -> "ColumnElement[bool]":
        mapped: Any = inspect(model)
        if mapped.is_mapper:
            return cast("ColumnElement[bool]", self.expression)
        adapted: Any = ClauseAdapter(mapped.selectable).traverse(self.expression)
        return cast("ColumnElement[bool]", adapted)

    @property
    def __name__(self) -> str:
        return " ".join(str(self.expression).split())


@overload
def policy(expression: "ColumnElement[bool]", /) -> Policy: ...
@overload
def policy(function: "QueryableAttribute[bool]", /) -> Policy: ...
@overload
def policy(function: Callable[[Any, Actor], ColumnElement[bool] | bool], /) -> Policy: ...
def policy(given: Any, /) -> Policy:
    """Rows for which a condition holds: an SQL expression that names the model, or a function `(model, actor)`.

    An expression is made once: `policy(Order.tenant_id == actor_column(User.tenant_id))`. What stands for the actor in
    it is bound per request; other rows of the table are `aliased(Order)`.

    A function returns a SQL condition on the model, or a plain bool. It is called per request with the model (or an
    alias of it) and the actor; it must build the same shape of condition for every actor of the same kind, because the
    compiled statement is kept.
    """
    if isinstance(given, QueryableAttribute):
        return _Where(Where(ConditionOfExpression(cast("Any", given).expression)))
    return _Where(Where(ConditionOfExpression(cast("Any", given)) if isinstance(given, ColumnElement) else given))


def declared_at(where: Where) -> str:
    """`file:line` of a policy's function, or of its expression."""
    return where.function.source if isinstance(where.function, ConditionOfExpression) else location_of(where.function)


def checked_policy(given: object, location: str) -> Policy:
    """A policy, as it is given. Raises `ConfigurationError` where something is declared as one that is not."""
    if isinstance(given, Policy):
        return given
    name = getattr(given, "__name__", repr(given))
    hint = 'Write anyone, authenticated, role("editor"), owner("buyer_id"), or policy(function).'
    if given in (role, owner):
        hint = f'Call it: {name}("...").'
    elif callable(given) and not isinstance(given, type):
        hint = f"Write policy({name})."
    raise ConfigurationError(f"{name} is not a policy.", location=location, hint=hint)


def decide(wanted: Policy, actor: Actor) -> Decision:
    """Evaluate a policy for an actor. The system actor always passes, but for what restricts a resource as such."""
    return wanted.restriction() if actor.is_system else wanted.decide(actor)


def both(left: Decision, right: Decision) -> Decision:
    """The decision that both decisions hold."""
    if left is True or right is False or left == right:
        return right
    return left if isinstance(right, bool) or left is False else Every((left, right))


def role_names(wanted: Policy) -> frozenset[str]:
    """The roles that a policy names."""
    return frozenset(name for leaf in _leaves(wanted) if isinstance(leaf, _HasRole) for name in leaf.names)


def is_nobody(wanted: Policy) -> bool:
    """Whether a policy refuses every actor except the system actor."""
    return wanted.is_constant and wanted.decide(anonymous) is False


def is_everyone(wanted: Policy) -> bool:
    """Whether a policy refuses no actor."""
    return wanted.is_constant and wanted.decide(anonymous) is True


def owners(wanted: Policy) -> tuple[str, ...]:
    """The columns of the row itself that a creation under this policy fills with the actor's id where they are
    absent."""
    if isinstance(wanted, Owner):
        return wanted.path if len(wanted.path) == 1 else ()
    # Not below `~`: there the actor's own id is the one that is refused.
    parts = wanted.parts if isinstance(wanted, _Pair) else ()
    return tuple(dict.fromkeys(name for part in parts for name in owners(part)))


def functions(wanted: Policy) -> tuple[Where, ...]:
    """The functions of every `policy()` in a policy."""
    return tuple(leaf.rule for leaf in _leaves(wanted) if isinstance(leaf, _Where))


def owned_by(wanted: Policy) -> tuple[Owner, ...]:
    """Every `owner()` in a policy."""
    return tuple(leaf for leaf in _leaves(wanted) if isinstance(leaf, Owner))


def _leaves(wanted: Policy) -> Iterator[Policy]:
    if not wanted.parts:
        yield wanted
    for part in wanted.parts:
        yield from _leaves(part)
