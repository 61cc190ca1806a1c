"""Injection by class: which annotated attributes of controllers and services get what `App(provide=)` makes."""

import inspect
from typing import Any, TypeAlias, cast

from gatepost.controllers.providers import Providers
from gatepost.controllers.signatures import read_hints
from gatepost.errors import ConfigurationError
from gatepost.services.service import Service

Injected: TypeAlias = tuple[tuple[str, type[Any]], ...]
"""Names of attributes, with the class that each is provided by."""


def provided_class(annotation: Any, providers: Providers, location: str) -> type[Any]:
    """The class of an attribute that is to be injected. Raises `ConfigurationError` where nothing provides it."""
    if isinstance(annotation, type) and annotation in providers:
        return cast("type[Any]", annotation)
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
    """What is injected into the objects of a class: its annotated attributes without a value, but for private ones."""
    annotated = {name for base in owner.__mro__ for name in inspect.get_annotations(base)}
    names = {name for name in annotated if not (name.startswith("_") or hasattr(owner, name))}
    if not names:
        return ()
    wanted = [(name, kind) for name, kind in read_hints(owner, owner.__name__).items() if name in names]
    return tuple((name, provided_class(kind, providers, f"{owner.__name__}.{name}")) for name, kind in wanted)
