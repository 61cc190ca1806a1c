"""Routes that are declared in a controller and lead nowhere: their functions did not end in the class, or a subclass
replaces one by a method without a route. Found when the app is built."""

import inspect
from collections.abc import Iterator
from typing import Any, cast

from gatepost.declaring.controller import DECLARED, Controller, Route, routes_of
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.sources import location_of


def find_lost_routes(controller: type[Controller[Any]], mistakes: Mistakes) -> None:
    """Make a mistake of each."""
    for owner in controller.__mro__:
        kept = {id(route) for found in vars(owner).values() for route in routes_of(undecorated(found))}
        declared: list[Route] = vars(owner).get(DECLARED, [])
        for route in (route for route in declared if id(route) not in kept):
            error = ConfigurationError(
                "is lost: nothing that the class has leads to the function below it.",
                location=f"{owner.__name__}, @{route.method.lower()}({route.path!r})",
                hint="Use functools.wraps in decorators above it, and give each endpoint a method name of its own.",
            )
            mistakes.add(error, route.source)
    for name, base in _replaced(controller):
        found: Any = inspect.getattr_static(controller, name)
        error = ConfigurationError(
            f"replaces the endpoint {base.__name__}.{name}, and has no route.",
            location=f"{controller.__name__}.{name}",
            hint=f"Write the route above it as well; `{name} = None` takes the endpoint out.",
        )
        mistakes.add(error, location_of(found if inspect.isfunction(found) else controller))


def _replaced(controller: type[Controller[Any]]) -> Iterator[tuple[str, type[Any]]]:
    """The names of endpoints of base classes that have no route in the controller."""
    for base in controller.__mro__[1:]:
        for name, inherited in vars(base).items():
            if not routes_of(undecorated(inherited)):
                continue
            found = inspect.getattr_static(controller, name, None)
            if found is not None and not routes_of(undecorated(found)):
                yield name, base


def undecorated(found: Any) -> Any:
    """The function inside of what a class has by a name."""
    if isinstance(found, property):
        return found.fget
    return cast("Any", found).__func__ if isinstance(found, staticmethod | classmethod) else found
