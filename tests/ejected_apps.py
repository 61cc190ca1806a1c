"""`--ejected service` and `--ejected dto`: every app that a test makes has what is derived written out by `gatepost
eject`, and put in its place. The tests themselves stay as they are.
"""

import functools
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from gatepost.app import App
from gatepost.declared_resources import DeclaredResources
from gatepost.ejection.ejected import Ejected
from gatepost.ejection.ejecting import Asked, eject
from gatepost.errors import ConfigurationError
from gatepost.models.served_model import ServedModel
from gatepost.services.service import SEAMS

PARTS = ("service", "dto")

ejected: list[Ejected] = []
"""What was put in place."""

files_with_verbs: set[str] = set()
"""The files of tests in which a verb of it ran."""


def classes_of(found: Ejected) -> dict[str, Any]:
    """The classes of the source, run as a module of its own."""
    namespace: dict[str, Any] = {"__name__": f"ejected_{found.model.lower()}_{found.part}"}
    code = compile(found.source, f"<ejected {found.model}.{found.part}>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - what the command has just written
    return namespace


def noted(verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A verb that notes in which file's tests it ran."""

    @functools.wraps(verb)
    async def run(*arguments: Any, **named: Any) -> Any:
        files_with_verbs.add(os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0])
        return await verb(*arguments, **named)

    return run


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
        for verb in SEAMS.keys() & vars(made).keys():
            setattr(made, verb, noted(vars(made)[verb]))
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
    """Say how much was ejected, and which files have tried nothing of it."""
    if config.getoption("ejected"):
        terminalreporter.write_line(f"ejected: {len(ejected)}")
    if config.getoption("ejected") == "service":
        reports = [each for kind in ("passed", "failed") for each in terminalreporter.getreports(kind)]
        for file in sorted({each.nodeid.partition("::")[0] for each in reports} - files_with_verbs):
            terminalreporter.write_line(f"without an ejected verb: {file}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--ejected PART`."""
    parser.addoption("--ejected", choices=PARTS, help="put what `gatepost eject` writes in place of what is derived")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Apps are made while conftests and test modules are imported, so this comes before any of them."""
    part = early_config.known_args_namespace.ejected
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
