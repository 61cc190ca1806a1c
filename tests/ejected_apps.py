"""`--ejected service` and `--ejected dto`: every app that a test makes has what is derived written out by `gatepost
eject`, and put in its place. The tests themselves stay as they are.
"""

import sys
from collections.abc import Iterator
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

ejected_classes: list[str] = []
"""What was put in place."""


def classes_of(found: Ejected) -> dict[str, Any]:
    """The classes of the source, run as a module of its own."""
    namespace: dict[str, Any] = {"__name__": f"ejected_{found.model.lower()}_{found.part}"}
    code = compile(found.source, f"<ejected {found.model}.{found.part}>", "exec", dont_inherit=True)
    exec(code, namespace)  # noqa: S102 - what the command has just written
    return namespace


def put_in_place(app: App, part: str) -> None:
    """Put a part of each resource of an app in the place of what is derived."""
    for declared in app.declaration.all:
        for served in declared.catalog.served:
            model = served.entity.model
            if not hasattr(sys.modules[model.__module__], model.__qualname__):
                if "." in model.__qualname__:
                    continue  # declared in a function
                setattr(sys.modules[model.__module__], model.__qualname__, model)  # made by a function
            name = f"{model.__module__}.{model.__name__}"
            try:
                found = eject(app.declaration, Asked(name, part, group=declared.group))
            except ConfigurationError:
                continue  # the resource has its own
            put_service(declared, served, found)
            ejected_classes.append(f"{found.model}.{found.part}")


def put_service(declared: DeclaredResources, served: ServedModel, found: Ejected) -> None:
    """Put an ejected service in place, or its verbs into the service that is there."""
    made = classes_of(found)[found.resource["service"]]
    own = declared.services.setdefault(served.entity.model, made)
    if own is not made:
        for verb in SEAMS.keys() & vars(made).keys():
            setattr(own, verb, vars(made)[verb])


@pytest.fixture(autouse=True, scope="session")
def ejected_apps(request: pytest.FixtureRequest) -> Iterator[None]:
    """Says how much was ejected; `install` has done it."""
    yield
    if request.config.getoption("ejected"):
        sys.stderr.write(f"\nejected: {len(ejected_classes)}\n")


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
        made(self, *resources, **options)
        put_in_place(self, part)

    App.__init__ = make  # type: ignore[method-assign]
