"""Functions of policies are tried when the app is built: what would be a 500 for somebody is refused there."""

import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import MetaData, String, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from gatepost import (
    Actor,
    App,
    Field,
    Forbidden,
    Resource,
    UserColumns,
    anyone,
    authenticated,
    nobody,
    policy,
    role,
)
from gatepost.errors import ConfigurationError

HERE = Path(__file__).relative_to(Path.cwd())


class Base(DeclarativeBase):
    metadata = MetaData()


class Colour(Enum):
    RED = "red"


class Person(Base, UserColumns):
    __tablename__ = "people"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    tenant_id: Mapped[UUID]
    colour: Mapped[Colour]
    level: Mapped[int | None]

    @property
    def label(self) -> str:
        """What a snapshot of a row does not have."""
        return "label"


class Sealed(TypeDecorator[Any]):
    """Values that nobody else knows."""

    impl = String
    cache_ok = True


class Odd(Base, UserColumns):
    """Users with columns whose values cannot be made up."""

    __tablename__ = "odd"

    id: Mapped[int] = mapped_column(primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSONB)
    token: Mapped[Any] = mapped_column(Sealed)
    level: Mapped[int | None]


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    deleted: Mapped[bool]
    number: Mapped[int]
    tenant_id: Mapped[UUID]


Function = Callable[[Any, Actor], Any]
KNOWN = {"red": 1}
EDITORS = ["editor"]


def by_branch(ticket: Any, actor: Actor) -> Any:
    if "admin" in actor.roles:
        return ticket.deletd.is_(False)
    return True


def by_constant(ticket: Any, actor: Actor) -> Any:
    return ticket.numbr == 1 if not actor.roles.isdisjoint(EDITORS) else True


MISTAKES: dict[str, tuple[Function, str]] = {
    "a column": (
        lambda ticket, actor: ticket.deletd.is_(False),
        "raises AttributeError: type object 'Ticket' has no attribute 'deletd'. Did you mean 'deleted'?",
    ),
    "a method": (lambda ticket, actor: ticket.deleted.iz(False), "raises AttributeError: "),
    "a property of the actor": (
        lambda ticket, actor: ticket.number == actor.usr,
        "raises AttributeError: 'Actor' object has no attribute 'usr'. Did you mean 'user'?",
    ),
    "a column of the user": (
        lambda ticket, actor: actor.id is not None and ticket.tenant_id == actor.user.tenant,
        "raises AttributeError: 'PersonSnapshot' object has no attribute 'tenant'. Did you mean 'tenant_id'?",
    ),
    "a property of the model of users": (
        lambda ticket, actor: actor.id is not None and ticket.number == actor.user.label,
        "raises AttributeError: 'PersonSnapshot' object has no attribute 'label'.",
    ),
    "a name": (lambda ticket, actor: ticket.number == nubmer, "raises NameError: name 'nubmer' is not defined."),  # type: ignore[name-defined] # noqa: F821 # pyright: ignore[reportUndefinedVariable]
    "a branch for a role": (by_branch, "has no attribute 'deletd'"),
    "a branch for a role by a constant": (by_constant, "has no attribute 'numbr'"),
    "the wrong kind of operand": (
        lambda ticket, actor: ticket.number == len(ticket.number),
        "raises TypeError: ",
    ),
    "a user in spite of the anonymous": (
        lambda ticket, actor: ticket.tenant_id == actor.user.tenant_id,
        "raises AttributeError when nobody is signed in: 'NoneType' object has no attribute 'tenant_id'. "
        "actor.user is None then. Begin with `if actor.is_anonymous: return False`, "
        "or combine it: authenticated & the policy.",
    ),
    "the id of the anonymous": (
        lambda ticket, actor: ticket.number == {"1": 1}[str(actor.id)],
        "raises KeyError when nobody is signed in: 'None'.",
    ),
    "NULL": (
        lambda ticket, actor: actor.id is not None and actor.user.level > 3,
        "raises TypeError for a user whose level is None: '>' not supported between instances of 'NoneType' and 'int'. "
        "Begin with `if actor.user.level is None: return False`, or make the column NOT NULL.",
    ),
    "one parameter": (lambda ticket: True, "cannot be called with a row and an actor: too many positional arguments."),  # type: ignore[misc, dict-item]
    "nothing": (lambda ticket, actor: None, "returned NoneType, not a SQL condition or a bool."),
}


def refusal_of(function: Function, users: type[Any] = Person) -> str:
    with pytest.raises(ConfigurationError) as refusal:
        App(Resource(Ticket, read=policy(function)), users=users)
    return str(refusal.value)


@pytest.mark.parametrize("name", MISTAKES)
def test_a_function_that_fails_for_somebody_is_refused_with_its_line(name: str) -> None:
    function, words = MISTAKES[name]
    sentence = refusal_of(function)
    line = function.__code__.co_firstlineno
    place = re.match(rf"{re.escape(str(HERE))}:(\d+): the policy ", sentence)
    assert place is not None, sentence
    assert line <= int(place[1]) <= line + 2
    assert words in sentence


RIGHT: list[Function] = [
    lambda ticket, actor: not actor.is_anonymous and ticket.tenant_id == actor.user.tenant_id,
    lambda ticket, actor: not actor.is_anonymous and ticket.number == actor.user.level,
    lambda ticket, actor: not actor.is_anonymous and ticket.number == KNOWN[actor.user.email],
    lambda ticket, actor: not actor.is_anonymous and ticket.number == int(actor.user.email),
    lambda ticket, actor: not actor.is_anonymous and ticket.number == actor.user.roles[0],
    lambda ticket, actor: not actor.is_anonymous and ticket.number == 1 / (actor.user.level or 0),
    lambda ticket, actor: not actor.is_anonymous and ticket.number == int(actor.user.tenant_id.hex[:2], 16),
    lambda ticket, actor: not actor.is_anonymous and actor.user.colour.value == "red",
    lambda ticket, actor: ticket.number == getattr(actor.user, "level", 3),
]


@pytest.mark.parametrize("function", RIGHT)
def test_a_function_that_needs_the_values_of_a_real_user_is_taken(function: Function) -> None:
    App(Resource(Ticket, read=policy(function)), users=Person)


@pytest.mark.parametrize(
    "function",
    [
        lambda ticket, actor: not actor.is_anonymous and ticket.number == actor.user.settings["number"],
        lambda ticket, actor: not actor.is_anonymous and ticket.number == actor.user.settings.number,
        lambda ticket, actor: not actor.is_anonymous and ticket.number == len(actor.user.token),
        lambda ticket, actor: not actor.is_anonymous and actor.user.settings["level"] + actor.user.level > 3,
    ],
)
def test_values_that_cannot_be_made_up_are_not_held_against_a_function(function: Function) -> None:
    App(Resource(Ticket, read=policy(function)), users=Odd)
    assert "has no attribute 'settngs'" in refusal_of(lambda ticket, actor: bool(actor.id and actor.user.settngs), Odd)


@policy
def of_users(ticket: Any, actor: Actor) -> Any:
    return ticket.tenant_id == actor.user.tenant_id


@pytest.mark.parametrize(
    "options",
    [
        {"read": authenticated & of_users},
        {"read": of_users & authenticated},
        {"read": role("clerk") & of_users},
        {"read": authenticated, "fields": {"number": Field(read=of_users, write=nobody)}},
        {"read": anyone, "update": authenticated, "fields": {"number": Field(update=of_users)}},
    ],
)
def test_for_the_anonymous_only_what_it_reaches_is_tried(options: dict[str, Any]) -> None:
    App(Resource(Ticket, **options), users=Person)


@pytest.mark.parametrize(
    "options",
    [
        {"read": of_users | role("clerk")},
        {"read": anyone, "fields": {"number": Field(read=of_users, write=nobody)}},
        {"update": anyone, "fields": {"number": Field(update=of_users)}},
    ],
)
def test_what_it_reaches_may_not_ask_for_its_user(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the policy of_users raises AttributeError when nobody is signed in"):
        App(Resource(Ticket, **options), users=Person)


def test_a_function_that_refuses_the_request_is_taken() -> None:
    def refuses(ticket: Any, actor: Actor) -> Any:
        raise Forbidden("closed", "Come back tomorrow.")

    App(Resource(Ticket, read=policy(refuses)), users=Person)


def test_a_coroutine_is_no_policy() -> None:
    async def later(ticket: Any, actor: Actor) -> bool:
        return True

    assert "the policy later is asynchronous. Write def allowed(row, actor)" in refusal_of(later)
