"""The arguments of a declaration: where it stands, which of them do not exist, and which have another type.

Type checkers find most of these mistakes; `App` reports them all, with those of the rest of the declaration.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy.orm import QueryableAttribute

from gatepost.declaring.attributes import Attr
from gatepost.declaring.dto import DTO
from gatepost.declaring.headers import Headers
from gatepost.declaring.policies import Policy, checked_policy, nobody
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes
from gatepost.sources import caller_location
from gatepost.sqlalchemy_refusals import as_configuration_error

P = ParamSpec("P")
T = TypeVar("T")


class Declared:
    """What a declaration knows of itself: `source` is the `file:line` of the call, `mistakes` those in its arguments,
    which `App` reports together with all others."""

    source: str
    mistakes: Mistakes


def declared(init: Callable[Concatenate[Any, P], None]) -> Callable[Concatenate[Any, P], None]:
    """Of the `__init__` of a `Declared`: an argument that does not exist is left out and becomes one of its mistakes.

    Raises `ConfigurationError` where the arguments cannot be understood at all.
    """
    signature = inspect.signature(init)

    @wraps(init)
    def checked(self: Any, *arguments: P.args, **named: P.kwargs) -> None:
        source, name = caller_location(), type(self).__name__
        mistakes = Mistakes()
        for argument in [argument for argument in named if argument not in signature.parameters]:
            del named[argument]
            mistakes.add(_unknown(name, argument, signature), source)
        try:
            signature.bind(self, *arguments, **named)
        except TypeError as error:
            raise ConfigurationError(f"{error}.", location=f"{name}(...)", source=source) from None
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "mistakes", mistakes)
        with as_configuration_error(name, source):
            init(self, *arguments, **named)

    return cast("Callable[Concatenate[Any, P], None]", checked)


def _unknown(name: str, argument: str, signature: inspect.Signature) -> ConfigurationError:
    known = [each.name for each in signature.parameters.values() if each.kind is each.KEYWORD_ONLY]
    hint = did_you_mean(argument, known).strip() or f"The arguments are {', '.join(known)}."
    return ConfigurationError(f"there is no argument {argument!r}.", location=f"{name}({argument}=...)", hint=hint)


class Arguments:
    """Reads the arguments of one declaration. What is wrong becomes a mistake of it, and a default takes its place."""

    def __init__(self, owner: Declared, location: str) -> None:
        self._owner = owner
        self._location = location
        self.has_policies = True
        """Whether every policy that was read is one."""

    def check(self, check: Callable[P, None], *given: P.args, **named: P.kwargs) -> None:
        """Keep the mistake that a check raises."""
        with self._owner.mistakes.check(self._owner.source):
            check(*given, **named)

    def policy(self, argument: str, given: object) -> Policy:
        """A policy; nobody where it is none."""
        found = self._owner.mistakes.attempt(
            lambda: checked_policy(given, self._at(argument)), None, self._owner.source
        )
        self.has_policies = self.has_policies and found is not None
        return nobody if found is None else found

    def of_kind(self, argument: str, given: T, kind: Any, wanted: str, default: T) -> T:
        """A value of this type."""
        is_right = isinstance(given, kind) and (kind is bool or not isinstance(given, bool))
        return given if is_right else self._refused(argument, f"is {given!r}.", f"Write {wanted}.", default)

    def bound(self, argument: str, given: int | None) -> int | None:
        """A positive number or None."""
        bound = self.of_kind(argument, given, int | None, "a whole number", None)
        if bound is None or bound >= 1:
            return bound
        return self._refused(argument, f"is {bound}.", "Choose a positive number.", None)

    def dto(self, argument: str, given: type[DTO[Any]] | None) -> type[DTO[Any]] | None:
        """A class of data transfer objects or None."""
        if given is None or (isinstance(given, type) and issubclass(given, DTO)):  # pyright: ignore[reportUnnecessaryIsInstance]
            return given
        name = given.__name__ if isinstance(given, type) else "..."  # pyright: ignore[reportUnnecessaryIsInstance]
        hint = f"Write a class of your own: `class Card(DTO[{name}])`, and {argument}=Card."
        return self._refused(argument, f"is {given!r}.", hint, None)

    def attributes(self, argument: str, model: object, given: Sequence[Attr]) -> tuple[str, ...]:
        """The names of attributes of a model, which are given as names or as themselves."""
        # A string is a sequence as well: of its characters.
        if isinstance(given, str) or not isinstance(given, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            return self._refused(argument, f"is {given!r}.", 'Write a list of names: ["title"].', ())
        names = [self._name_of(argument, model, each) for each in given]
        found = [name for name in names if name is not None]
        for name in dict.fromkeys(name for name in found if found.count(name) > 1):
            self._refused(argument, f"names {name!r} twice.", "Remove one of them.", None)
        return tuple(dict.fromkeys(found))

    def order(self, argument: str, model: object, given: Attr | Sequence[Attr] | None) -> tuple[str, ...]:
        """The terms of an order: names of attributes of a model, with a minus before those that descend."""
        listed = () if given is None else [given] if isinstance(given, str | QueryableAttribute) else given
        if not isinstance(listed, Sequence):  # pyright: ignore[reportUnnecessaryIsInstance]
            return self._refused(argument, f"is {given!r}.", 'Write a name, "-created_at", or a list of them.', ())
        descending = [isinstance(each, str) and each.startswith("-") for each in listed]
        names = self.attributes(
            argument, model, [each.lstrip("-") if isinstance(each, str) else each for each in listed]
        )
        return tuple(f"-{name}" if is_down else name for name, is_down in zip(names, descending, strict=False))

    def attribute(self, argument: str, model: object, given: Attr | None) -> str | None:
        """The name of an attribute of a model, which is given as a name or as itself."""
        return None if given is None else self._name_of(argument, model, given)

    def headers(self, given: Mapping[str, str | None] | None) -> Headers | None:
        """The headers of a path."""
        if not self.of_kind("headers", given, Mapping | None, 'a dict: {"Cache-Control": "no-store"}', None):
            return None
        make = partial(Headers, cast("Any", given), location=f"{self._location})")
        return self._owner.mistakes.attempt(make, None, self._owner.source)

    def _name_of(self, argument: str, model: object, given: object) -> str | None:
        if isinstance(given, str):
            return given
        if not isinstance(given, QueryableAttribute):
            return self._refused(argument, f"names {given!r}.", 'Write names or attributes: ["title"].', None)
        owner: Any = given.class_
        if isinstance(model, type) and not issubclass(model, owner):
            problem = f"names {owner.__name__}.{given.key}, of another model."
            return self._refused(argument, problem, f"Name attributes of {model.__name__}.", None)
        return given.key

    def _refused(self, argument: str, problem: str, hint: str, default: T) -> T:
        error = ConfigurationError(problem, location=self._at(argument), hint=hint)
        self._owner.mistakes.add(error, self._owner.source)
        return default

    def _at(self, argument: str) -> str:
        return f"{self._location}, {argument}=...)"
