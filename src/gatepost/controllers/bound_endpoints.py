"""Own endpoints as they are bound: what their handlers, their description and their route are made of."""

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from gatepost.call import SAFE
from gatepost.controllers.endpoint_bodies import BodyParameter
from gatepost.controllers.endpoint_parameters import QueryParameters, Read, TextParameter
from gatepost.controllers.endpoint_results import Returned
from gatepost.controllers.injection import Injections
from gatepost.controllers.path_rows import PathRow
from gatepost.declaring.controller import Controller, Route
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.nesting import PLACE, Nesting
from gatepost.models.served_model import ServedModel


class EndpointMethod(NamedTuple):
    """A method of a controller with one of its routes. `served` is the resource that has the controller; `group` is the
    name of the group that has either, if one does."""

    controller: type[Controller[Any]]
    name: str
    function: Any
    route: Route
    served: ServedModel | None
    group: str = ""

    @property
    def location(self) -> str:
        """The method, as messages name it."""
        return f"{self.controller.__name__}.{self.name}"

    @property
    def base(self) -> str:
        """The path of the controller below the app's prefix, with a parameter for each row above its resource."""
        return self.controller.path.strip("/") if self.served is None else self.served.template

    @property
    def operation_name(self) -> str:
        """`books.restock`, in a group `v2.books.restock`; of a probe `livez`."""
        return f"{self.group}.{self.name_in_group}" if self.group else self.name_in_group

    @property
    def name_in_group(self) -> str:
        """The same without the name of the group."""
        if self.route.probe:
            return self.name
        path = self.base if self.served is None else self.served.path
        return f"{path.replace('/', '.') or self.controller.__name__.lower()}.{self.name}"


class BoundEndpoint(NamedTuple):
    """An endpoint of a controller. `pattern` is its path; `simple` are parameters that are read from the head of the
    request, of which `texts` are those that clients send; `injected` are those that no request gives; `attributes` are
    what is injected into the controller."""

    method: EndpointMethod
    pattern: str
    simple: tuple[tuple[str, Read], ...]
    texts: tuple[TextParameter, ...]
    query: QueryParameters
    rows: tuple[PathRow, ...]
    body: BodyParameter | None
    injected: Injections
    attributes: Injections
    returned: Returned

    @property
    def nesting(self) -> Nesting | None:
        """What stands above the rows of the resource that has the controller."""
        served = self.method.served
        return None if served is None else served.nesting

    @property
    def needs_unit(self) -> bool:
        """Whether it works in a transaction: without one, it takes no connection."""
        returned = self.returned
        may_read = returned.served is not None or returned.is_select or returned.is_open
        return may_read or self.takes_unit

    @property
    def takes_unit(self) -> bool:
        """Whether its method gets something of the transaction: rows of the path, services."""
        return bool(self.rows or self.injected.of_unit or self.attributes.of_unit)

    @property
    def only_selects(self) -> bool:
        """Whether it returns a `Select` of a served model and its method gets nothing of a transaction: then its one
        statement needs none."""
        route, returned = self.method.route, self.returned
        is_list = returned.served is not None and returned.is_select
        return route.method in SAFE and is_list and self.body is None and not self.takes_unit

    def isolating(self, asks_service: Callable[[type[Any]], bool]) -> set[type[Any]]:
        """The models whose services work in its transaction, which is isolated as they declare. `asks_service` says
        whether the rows of a model are asked of a service."""
        rows = {row.served.entity.model for row in self.rows}
        return {*filter(asks_service, rows), *self.injected.services, *self.attributes.services}


def known_patterns(endpoints: Collection[BoundEndpoint]) -> frozenset[tuple[str, str]]:
    """Method and path of each endpoint, without the names of its parameters."""
    return frozenset((item.method.route.method, unnamed(item.pattern)) for item in endpoints)


def check_alike(endpoints: Collection[BoundEndpoint], mistakes: Mistakes) -> None:
    """Find the endpoints that match alike: each becomes a mistake at its line."""
    known: dict[tuple[str, str], BoundEndpoint] = {}
    for item in endpoints:
        route = item.method.route
        other = known.setdefault((route.method, unnamed(item.pattern)), item)
        if other is not item:
            error = ConfigurationError(
                f"{route.method} {item.pattern} is the path of {other.method.location} ({other.method.route.source}).",
                location=item.method.location,
                hint="Choose another path.",
            )
            mistakes.add(error, route.source)


def unnamed(pattern: str) -> str:
    """A path without the names of its parameters: two that are the same match alike."""
    return PLACE.sub("{}", pattern)
