"""Own endpoints, bound: what the methods of controllers take, by `parameter_binding.py`, and what their results become.

Done once, when the app is built, so that every mistake is found then, with the line it is on. `endpoint_controller.py`
makes handlers of what is bound here.
"""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from gatepost.controllers.bound_endpoints import BoundEndpoint, EndpointMethod
from gatepost.controllers.endpoint_parameters import QueryParameters
from gatepost.controllers.endpoint_results import read_returned
from gatepost.controllers.injection import NOTHING, FromUnit, Injections, provided_class
from gatepost.controllers.lost_routes import find_lost_routes, undecorated
from gatepost.controllers.own_paging import check_own_paging
from gatepost.controllers.parameter_binding import ParameterBinding, ParameterSources
from gatepost.controllers.path_rows import nested, rows_above
from gatepost.controllers.providers import Providers
from gatepost.controllers.signatures import MISSING, read_hints, read_signature
from gatepost.declaring.controller import DECLARED, Controller, routes_of
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.catalog import Catalog
from gatepost.models.nesting import PLACE
from gatepost.models.served_model import ServedModel
from gatepost.sources import location_of

_SEGMENT = re.compile(r"(?!\.+$)[\w.~-]+|\{\w+(?::\w+)?\}", re.ASCII)


class EndpointBinder:
    """Binds the endpoints of controllers. `service_models` are the models of the services that these may take;
    `providers` make the rest; `wire_name` makes the names of query parameters that clients send."""

    def __init__(  # noqa: PLR0913 - what endpoints are bound by
        self,
        catalog: Catalog,
        service_models: Mapping[type[Any], type[Any]],
        providers: Providers,
        prefix: str,
        mistakes: Mistakes,
        *,
        wire_name: WireName = str,
    ) -> None:
        self._wire_name = wire_name
        self._catalog = catalog
        self._sources = ParameterSources(catalog, service_models, providers, mistakes, wire_name)
        self._prefix = prefix
        self._mistakes = mistakes

    def bind(self, controller: type[Controller[Any]], served: ServedModel | None = None) -> list[BoundEndpoint]:
        """The endpoints of a controller, which is that of a resource where `served` is given. What is wrong with one
        becomes a mistake, and leaves out that one alone."""
        attributes = NOTHING
        is_sound = False
        with self._mistakes.check(partial(location_of, controller)):
            _check_class(controller)
            is_sound = True
        if not is_sound:
            return []
        with self._mistakes.check(partial(location_of, controller)):
            attributes = self._attributes(controller)
        found: list[BoundEndpoint] = []
        methods = list(_methods(controller, served, self._catalog.group))
        find_lost_routes(controller, self._mistakes)
        for method in methods:
            for mistake in method.route.mistakes:
                self._mistakes.add(mistake)
            with self._mistakes.check(method.route.source):
                found.append(self._bind(method, attributes))
        if not methods and DECLARED not in vars(controller):
            hint = 'Write @get("/path", allow=...) above an `async def`.'
            error = ConfigurationError("has no endpoint.", location=controller.__name__, hint=hint)
            self._mistakes.add(error, partial(location_of, controller))
        return found

    def _bind(self, method: EndpointMethod, attributes: Injections) -> BoundEndpoint:
        location, route = method.location, method.route
        signature = read_signature(method.function, location)
        above = rows_above(method.served)
        binding = ParameterBinding(self._sources, location, route, _places(route.path, location, above), above)
        for parameter in signature.parameters:
            with self._mistakes.check(route.source):
                binding.add(parameter)
        binding.check_all_used(signature)
        query = QueryParameters(binding.query, binding.classes, self._wire_name)
        returned = read_returned(signature.returned, method, self._catalog)
        check_own_paging(query, returned, route, location)
        parts = [part for part in (self._prefix.strip("/"), method.base, route.path.strip("/")) if part]
        return BoundEndpoint(
            method,
            "/" + "/".join(parts),
            tuple(binding.simple),
            tuple(binding.texts),
            query,
            nested(binding.rows.values(), method.served, location),
            binding.body,
            Injections(tuple(binding.of_unit), tuple(binding.provided)),
            attributes,
            returned,
        )

    def _attributes(self, controller: type[Controller[Any]]) -> Injections:
        """What is injected into a controller: its annotated attributes without a value."""
        units: list[tuple[str, FromUnit]] = []
        provided: list[tuple[str, type[Any]]] = []
        for name, annotation in read_hints(controller, controller.__name__).items():
            if hasattr(controller, name):
                continue
            make = self._sources.of_unit(annotation)
            if make is not None:
                units.append((name, make))
            else:
                provided.append(
                    (name, provided_class(annotation, self._sources.providers, f"{controller.__name__}.{name}"))
                )
        return Injections(tuple(units), tuple(provided))


def _methods(controller: type[Controller[Any]], served: ServedModel | None, group: str) -> Iterator[EndpointMethod]:
    """The methods that are endpoints, in the order in which they are written."""
    attributes: dict[str, Any] = {}
    for owner in reversed(controller.__mro__):
        attributes.update(vars(owner))
    for name, found in attributes.items():
        for route in routes_of(undecorated(found)):
            yield EndpointMethod(controller, name, found, route, served, group)


def _check_class(controller: type[Controller[Any]]) -> None:
    """Raise `ConfigurationError` for a path that no request has, and for a class that needs arguments."""
    path: Any = controller.path
    segments = path.strip("/").split("/") if isinstance(path, str) else [""]
    if path not in ("", "/") and not all(
        _SEGMENT.fullmatch(segment) and not PLACE.fullmatch(segment) for segment in segments
    ):
        raise ConfigurationError(
            f"path is {path!r}.",
            location=controller.__name__,
            hint='Write fixed segments: path = "reports/daily". Parameters are those of the endpoints.',
        )
    needed = [
        each.name
        for each in inspect.signature(controller).parameters.values()
        if each.default is MISSING and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if needed:
        raise ConfigurationError(
            f"cannot be made without {', '.join(needed)}.",
            location=controller.__name__,
            hint="Take them as annotated attributes, `mailer: Mailer`, and provide them: App(provide=...).",
        )


def _places(path: str, location: str, above: Collection[str]) -> dict[str, tuple[int, str | None]]:
    """The parameters of a path by name: their place among its values, behind those of the rows `above`, and the
    attribute that they name."""
    segments = path.split("/")[1:]
    if (path and not path.startswith("/")) or path.endswith("/") or not all(map(_SEGMENT.fullmatch, segments)):
        raise ConfigurationError(
            f"{path!r} is not a path.",
            location=location,
            hint='Begin with a slash, end without; write parameters as whole segments: "/{book}/restock".',
        )
    found = [match for segment in segments if (match := PLACE.fullmatch(segment))]
    names = [match[1] for match in found]
    _check_twice([*above, *names], location)
    return {match[1]: (place, match[2]) for place, match in enumerate(found, len(above))}


def _check_twice(names: Sequence[str], location: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigurationError(
                f"has {{{name}}} twice in its path.", location=location, hint="Give each its own name."
            )
