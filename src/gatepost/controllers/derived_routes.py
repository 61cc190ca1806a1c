"""The routes that are derived from resources, by which endpoints that take their place are known."""

from collections.abc import Collection, Mapping

from gatepost.controllers.bound_endpoints import unnamed
from gatepost.declaring.dialect import Dialect
from gatepost.declaring.resource import ACTIONS
from gatepost.models.served_model import ServedModel

_METHODS = {"list": "GET", "get": "GET", "create": "POST", "delete": "DELETE"}


def derived_route(served: ServedModel, action: str, prefix: str, dialect: Dialect) -> tuple[str, str]:
    """Method and path of a derived action."""
    path = f"{prefix}/{served.template}"
    key = "id" if served.addressed is served else served.resource.key
    method = dialect.update if action == "update" else _METHODS[action]
    return method, path if action in ("list", "create") else f"{path}/{{{key}}}"


def derived_routes(
    resources: Collection[ServedModel], prefix: str, dialect: Dialect
) -> Mapping[tuple[str, str], ServedModel]:
    """The resource of every derived route, by its method and its path without names. An endpoint with one of them takes
    its place."""
    found: dict[tuple[str, str], ServedModel] = {}
    for served in (served for served in resources if served.has_routes):
        for action in (action for action in ACTIONS if served.offers(action)):
            method, path = derived_route(served, action, prefix, dialect)
            found[method, unnamed(path)] = served
    return found
