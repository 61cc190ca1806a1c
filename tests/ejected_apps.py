"""`--ejected service` and `--ejected dto`: every app that a test makes has what is derived written out by `gatepost
eject`, and put in its place. The tests themselves stay as they are.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from gatepost.app import App
from gatepost.declared_resources import DeclaredResources
from gatepost.ejection.ejected import Ejected
from gatepost.ejection.ejecting import Asked, eject
from gatepost.errors import ConfigurationError
from gatepost.models.catalog import ServedModel
from gatepost.services.service import SEAMS

PARTS = ("service", "dto")

ejected: list[Ejected] = []
"""What was put in place."""


def classes_of(found: Ejected) -> dict[str, Any]:
    """The classes of the source, run as a module of its own."""
    namespace: dict[str, Any] = {"__name__": f"ejected_{found.model.lower()}_{found.part}"}
    code = compile(found.source, f"<ejected {found.model}.{found.part}>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - what the command has just written
    return namespace


def all_ejected(app: App, part: str) -> Iterator[tuple[DeclaredResources, ServedModel, Ejected]]:
    """What is written of each resource of an app that has something to write."""
    for declared in app.declaration.all:
        for served in declared.catalog.served:
            model = served.entity.model
            if not hasattr(sys.modules[model.__module__], model.__qualname__):
                if "." in model.__qualname__:
                    continue  # declared in a function
                setattr(sys.modules[model.__module__], model.__qualname__, model)  # made by a function
            asked = Asked(f"{model.__module__}.{model.__name__}", part, group=declared.group)
            with suppress(ConfigurationError):  # the resource has its own
                yield declared, served, eject(app.declaration, asked)


def put_services(app: App) -> None:
    """Put ejected services in place, or their verbs into the services that are there."""
    for declared, served, found in all_ejected(app, "service"):
        made = classes_of(found)[found.resource["service"]]
        own = declared.services.setdefault(served.entity.model, made)
        if own is not made:
            for verb in SEAMS.keys() & vars(made).keys():
                setattr(own, verb, vars(made)[verb])
        ejected.append(found)


def put_dtos(app: App) -> None:
    """Name ejected DTOs in the resources of an app, which has to be made again with them."""
    for _, served, found in all_ejected(app, "dto"):
        classes = classes_of(found)
        for argument, name in found.resource.items():
            setattr(served.resource, argument, classes[name])
        ejected.append(found)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how much was ejected."""
    if config.getoption("ejected"):
        terminalreporter.write_line(f"ejected: {len(ejected)}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ejected PART`."""
    parser.addoption("--ejected", choices=PARTS, help="put what `gatepost eject` writes in place of what is derived")


def pytest_configure(config: pytest.Config) -> None:
    """Apps are made while test modules are imported."""
    part = config.getoption("ejected")
    if part is None:
        return
    made = App.__init__

    def make(self: App, *resources: Any, **options: Any) -> None:
        if part == "dto":
            derived = object.__new__(App)
            made(derived, *resources, **options)
            put_dtos(derived)
        made(self, *resources, **options)
        if part == "service":
            put_services(self)

    App.__init__ = make  # type: ignore[method-assign]
