"""Endpoints that page themselves: those of a `Select` of a served model whose parameters are named as the parameters of
paging. Checked when the app is built."""

from typing import Any

from gatepost.controllers.endpoint_parameters import QueryParameters
from gatepost.controllers.endpoint_results import Returned
from gatepost.declaring.controller import Route
from gatepost.dtos.parameter_values import value_type
from gatepost.errors import ConfigurationError

PAGE_SIZE = "limit"
_CURSORS = ("after", "before")
_NAMES = (PAGE_SIZE, *_CURSORS, "offset")

_OWN = "an endpoint with a parameter of this name pages itself"


def own_paging(own: QueryParameters, *, pages: bool) -> str | None:
    """The first parameter that says that the endpoint pages itself; None where it does not."""
    return next((name for name in own.names if name in _NAMES), None) if pages else None


def check_own_paging(own: QueryParameters, returned: Returned, route: Route, location: str) -> None:
    """Raise `ConfigurationError` for a parameter that has a name of paging, and is not about pages."""
    if returned.served is None or not returned.is_select or not route.paging:
        return
    kinds: dict[str, Any] = {name: value_type(parameter.annotation) for name, parameter in own.by_name.items()}
    for name in (PAGE_SIZE, "offset"):
        if name in kinds and kinds[name] is not int:
            raise _misnamed(name, kinds[name], f"write `{name}: int`", location)
    for name in _CURSORS:
        if name in kinds and kinds[name] is not str and PAGE_SIZE not in kinds:
            beside = f"take `{PAGE_SIZE}: int` beside it and return a Select with `.limit({PAGE_SIZE})`"
            raise _misnamed(name, kinds[name], beside, location)


def unlimited(name: str) -> TypeError:
    """What is raised for a Select without a limit of an endpoint that has the parameter `name`."""
    return TypeError(
        f"the Select has no .limit(), and {_OWN} ({name!r}): return it with `.limit(...)`, or rename the parameter, "
        "and the list has the paging of derived lists."
    )


def _misnamed(name: str, kind: Any, otherwise: str, location: str) -> ConfigurationError:
    return ConfigurationError(
        f"takes {name!r} of type {getattr(kind, '__name__', kind)}, and {_OWN}: its list would have no pages.",
        location=location,
        hint=f"Rename it, as in `{_renamed(name)}`, and the list is paged; to page by it, {otherwise}.",
    )


def _renamed(name: str) -> str:
    return {"before": "until", "after": "since", PAGE_SIZE: "most", "offset": "skipped"}[name]
