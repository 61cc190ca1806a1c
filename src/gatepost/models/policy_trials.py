"""Trying the functions of policies when the app is built: a mistake in one must not wait for a request.

The anonymous actor is as real as in any request, so whatever a function raises for it would be a 500. Users are made
up: only what no user could satisfy is refused, such as a misspelt attribute. A function that needs more than a value
of the right type (a key in a dict, a text that is a number) is checked with the first real user.
"""

import inspect
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from functools import partial
from types import CellType, CodeType
from typing import cast

from sqlalchemy import ClauseElement
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import QueryableAttribute
from sqlalchemy.orm.util import AliasedClass

from gatepost.actor import Actor, anonymous
from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.policies import Policy, Where, decide, functions, role_names
from gatepost.declaring.resource import ACTIONS
from gatepost.errors import ConfigurationError, Problem
from gatepost.hints import did_you_mean
from gatepost.models.conditions import functions_of
from gatepost.models.entity import Entity
from gatepost.models.policy_functions import check_function, failure_of, shape_and_values
from gatepost.models.policy_refusals import check_readable, refusal_of
from gatepost.models.sample_users import SampleUsers
from gatepost.models.served_model import ServedModel
from gatepost.sources import raised_at

_OF_VALUES = (AttributeError, TypeError, SQLAlchemyError)
"""What a value of another type, or None, makes a function raise."""


Reach = Callable[[Actor], bool]
"""For which actors a policy is evaluated at all."""


def reached_policies(served: ServedModel) -> Iterator[tuple[Policy, Reach]]:
    """Every policy that a resource declares for its rows and their fields, and who reaches it. Constants, which most of
    them are, have nothing to try."""
    policies = served.resource.policies

    def reach(actions: Collection[str]) -> Reach:
        return lambda actor: any(policies[action].decide(actor) is not False for action in actions)

    found: list[tuple[Policy, Collection[str]]] = [(policy, [action]) for action, policy in policies.items()]
    for rules in served.own_rules.values():
        found += [(rules.read, ACTIONS), (rules.create, ["create"]), (rules.update, ["update"])]
    yield from ((policy, reach(actions)) for policy, actions in found if not policy.is_constant)


def try_functions(policy: Policy, entity: Entity, users: SampleUsers | None, is_reached: Reach) -> None:
    """Raise `ConfigurationError` for a function of a policy that fails for an actor who reaches it, or whose condition
    cannot become part of a statement."""
    check_can_be_called(policy)
    if users is not None:
        for where, roles in _tried_roles(policy, entity, users):
            _try_users(where, entity, users, roles)
    if is_reached(anonymous):
        for where, _ in functions_of(decide(policy, anonymous), entity):
            _try_anonymous(where, entity)


def trial_actors(
    policy: Policy, entity: Entity, users: SampleUsers | None, is_reached: Reach
) -> Iterator[tuple[Where, Actor, Callable[[], Actor]]]:
    """Each function of a policy with the actors that `try_functions` calls it for, and one more for each of them: the
    same kind of actor with other values, made when it is called."""
    if users is not None:
        for where, roles in _tried_roles(policy, entity, users):
            for without in ((), users.nullable):
                yield where, users.actor(roles, without), partial((users.other or users).actor, roles, without)
    if is_reached(anonymous):
        for where, _ in functions_of(decide(policy, anonymous), entity):
            yield where, anonymous, lambda: anonymous


def _tried_roles(policy: Policy, entity: Entity, users: SampleUsers) -> Iterator[tuple[Where, frozenset[str]]]:
    """Each function of a policy with the roles of the users that it is tried with."""
    for actor in actors_of_every_kind(role_names(policy), users.key):
        for where, _ in () if actor.is_anonymous else functions_of(decide(policy, actor), entity):
            yield where, actor.roles
            yield where, actor.roles | _names_in(where)


def check_can_be_called(policy: Policy) -> None:
    """Raise `ConfigurationError` for a function of a policy that cannot be called with a row and an actor."""
    for where in functions(policy):
        _check_can_be_called(where)


def _check_can_be_called(where: Where) -> None:
    hint = "Write def allowed(row, actor): ..., which returns a SQL condition or a bool."
    if not callable(where.function):
        raise refusal_of(where, f"is {where.function!r}, which is not a function.", hint)
    if inspect.iscoroutinefunction(where.function):
        raise refusal_of(where, "is asynchronous.", hint)
    with suppress(ValueError):  # of a function without a signature, such as a built-in one
        try:
            inspect.signature(where.function).bind("row", "actor")
        except TypeError as error:
            raise refusal_of(where, f"cannot be called with a row and an actor: {error}.", hint) from None


def _try_users(where: Where, entity: Entity, users: SampleUsers, roles: frozenset[str]) -> None:
    error = _failure(where, entity, users.actor(roles))
    if error is not None and _is_of_everybody(error, users):
        raise _refusal(where, error, "", _did_you_mean(error, entity))
    missing = _failure(where, entity, users.actor(roles, without=users.nullable))
    if error is None and isinstance(missing, _OF_VALUES) and not users.has_unknown:
        each = ((name, _failure(where, entity, users.actor(roles, without=[name]))) for name in users.nullable)
        name, reason = next(((name, reason) for name, reason in each if reason), ("columns", missing))
        hint = f"Begin with `if actor.user.{name} is None: return False`, or make the column NOT NULL."
        raise _refusal(where, reason, f" for a user whose {name} is None", hint)


def _try_anonymous(where: Where, entity: Entity) -> None:
    error = _failure(where, entity, anonymous)
    if error is not None:
        hint = "Begin with `if actor.is_anonymous: return False`, or combine it: authenticated & the policy."
        is_of_user = isinstance(error, AttributeError) and error.obj is None
        raise _refusal(
            where, error, " when nobody is signed in", f"actor.user is None then. {hint}" if is_of_user else hint
        )


def _failure(where: Where, entity: Entity, actor: Actor) -> Exception | None:
    """What the function raises for an actor. Raises `ConfigurationError` where it returns what cannot be a
    condition."""
    error = failure_of(where, entity, actor)
    if error is None:
        check_function(where, entity, actor)
        check_readable(where, entity, shape_and_values(where, entity.model, actor).models)
    return None if isinstance(error, Problem) else error  # a refusal of the request is meant


def _is_of_everybody(error: Exception, users: SampleUsers) -> bool:
    """Whether the function fails for every user, whatever the values of their columns."""
    if isinstance(error, NameError):
        return True
    if isinstance(error, AttributeError) and _is_known(error.obj, users):
        return True
    return isinstance(error, _OF_VALUES) and not users.has_unknown


def _is_known(found: object, users: SampleUsers) -> bool:
    """Whether an object that lacks an attribute is the actor, its user, or a part of SQL."""
    return (
        isinstance(found, type | Actor | QueryableAttribute | ClauseElement | AliasedClass | type(users.actor().user))
        and type(found) is not object
    )


def _did_you_mean(error: Exception, entity: Entity) -> str | None:
    if not isinstance(error, AttributeError) or not error.name:
        return None
    is_model = error.obj is entity.model
    known = [*entity.attributes, *entity.relations] if is_model else [name for name in dir(error.obj) if name[0] != "_"]
    return did_you_mean(error.name, known).strip() or None


def _refusal(where: Where, error: Exception, situation: str, hint: str | None) -> ConfigurationError:
    problem = f"raises {type(error).__name__}{situation}: {str(error).rstrip('.')}."
    return refusal_of(where, problem, hint, raised_at(error))


def _names_in(where: Where) -> frozenset[str]:
    """The texts that a function mentions: some of them may be the names of roles."""
    code = getattr(where.function, "__code__", None)
    if code is None:
        return frozenset()
    named = [where.function.__globals__.get(name) for name in code.co_names]
    cells = [cell.cell_contents for cell in where.function.__closure__ or () if cell != CellType()]
    return frozenset(_texts([code, *named, *cells]))


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, CodeType):
            yield from _texts(value.co_consts)
        elif isinstance(value, tuple | list | set | frozenset):
            yield from _texts(cast("Iterable[object]", value))
