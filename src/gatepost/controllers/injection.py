"""Injection by class: what endpoints, controllers and services are given, and no request gives.

Services and `Accounts` are made of the unit of work of a call, the rest is what `App(provide=)` makes.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, cast

from gatepost.controllers.providers import Providers
from gatepost.controllers.signatures import read_hints
from gatepost.errors import ConfigurationError
from gatepost.services.accounts import Accounts
from gatepost.services.service import Service
from gatepost.services.unit_of_work import UnitOfWork

FromUnit: TypeAlias = Callable[[UnitOfWork], Any]

Injected: TypeAlias = tuple[tuple[str, type[Any]], ...]
"""Names of attributes, with the class that each is provided by."""


class Injections(NamedTuple):
    """What is injected into one method or object, by the names of parameters or attributes: what is made of the unit of
    work, and what is provided by class."""

    of_unit: tuple[tuple[str, FromUnit], ...] = ()
    provided: Injected = ()

    @property
    def services(self) -> Iterator[type[Any]]:
        """The models whose services are injected."""
        return (make.model for _, make in self.of_unit if isinstance(make, OfService))

    def values(self, unit: UnitOfWork | None, provided: Mapping[type[Any], Any]) -> Iterator[tuple[str, Any]]:
        """The values in one call, which has a unit of work where there is something to make of it."""
        if unit is not None:
            for name, make in self.of_unit:
                yield name, make(unit)
        for name, key in self.provided:
            yield name, provided[key]


NOTHING = Injections()


def of_accounts(unit: UnitOfWork) -> Accounts:
    """How the users who sign in are asked for."""
    return unit.accounts


@dataclass(frozen=True, slots=True)
class OfService:
    """How the service of a model is made."""

    model: type[Any]

    def __call__(self, unit: UnitOfWork) -> Any:
        """The service of the model in the transaction of a call."""
        return unit.service(self.model)


def provided_class(annotation: Any, providers: Providers, location: str) -> type[Any]:
    """The class of an attribute that is to be injected. Raises `ConfigurationError` where nothing provides it."""
    if isinstance(annotation, type) and annotation in providers:
        return cast("type[Any]", annotation)
    if annotation is Accounts:
        raise ConfigurationError("is of type Accounts.", location=location, hint="A service has self.accounts already.")
    shown = getattr(annotation, "__name__", str(annotation))
    raise ConfigurationError(
        f"is of type {shown}, which nothing provides.",
        location=location,
        hint=f"Write App(provide={{{shown}: ...}}) with a function that makes it, or give the attribute a value.",
    )


def check_not_per_call(service: type[Service[Any]], attributes: Injected, providers: Providers) -> None:
    """Raise `ConfigurationError` for what a service cannot have, because it is made without a call as well."""
    for name, key in attributes:
        if providers.is_per_call(key):
            raise ConfigurationError(
                f"is a {key.__name__}, which is made for each call, and services run outside of calls as well.",
                location=f"{service.__name__}.{name}",
                hint="Take it as a parameter of the endpoint, and give it to the method of the service.",
            )


def injected(owner: type[Any], providers: Providers) -> Injected:
    """What is injected into the objects of a class: its annotated attributes without a value, but for private ones. A
    service may have others, which its own code sets, of types that nothing could provide."""
    annotated = {name for base in owner.__mro__ for name in inspect.get_annotations(base)}
    names = {name for name in annotated if not (name.startswith("_") or hasattr(owner, name))}
    if not names:
        return ()
    wanted = [(name, kind) for name, kind in read_hints(owner, owner.__name__).items() if name in names]
    if issubclass(owner, Service):
        wanted = [(name, kind) for name, kind in wanted if isinstance(kind, type) and kind.__module__ != "builtins"]
    return tuple((name, provided_class(kind, providers, f"{owner.__name__}.{name}")) for name, kind in wanted)
