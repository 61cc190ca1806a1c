"""Own endpoints, bound: where each parameter of a controller's method comes from, and what its result becomes.

Done once, when the app is built, so that every mistake is found then, with the line it is on. `endpoint_controller.py`
makes handlers of what is bound here.
"""

import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin

from gatepost.actor import Actor
from gatepost.call import SAFE, Call
from gatepost.controllers.endpoint_bodies import BodyParameter, compile_body_reader, find_body
from gatepost.controllers.endpoint_parameters import (
    QueryParameter,
    QueryParameters,
    Read,
    TextParameter,
    cookie_value,
    header_value,
    path_value,
)
from gatepost.controllers.endpoint_results import Returned, read_returned
from gatepost.controllers.injection import NOTHING, FromUnit, Injections, OfService, of_accounts, provided_class
from gatepost.controllers.lost_routes import find_lost_routes, undecorated
from gatepost.controllers.misread_parameters import check_query, unbindable
from gatepost.controllers.own_paging import check_own_paging
from gatepost.controllers.parameter_markers import Marker, check_given, marker_of, sent_name
from gatepost.controllers.path_rows import PathRow, check_row, nested, path_row, rows_above
from gatepost.controllers.providers import Providers
from gatepost.controllers.signatures import MISSING, Signature, SignedParameter, read_hints, read_signature
from gatepost.declaring.controller import DECLARED, Controller, Route, routes_of
from gatepost.declaring.parameters import Cookie, Header, Lock, Query
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.parameter_values import parameters_of_class, text_reader, texts_reader
from gatepost.dtos.structured_body import is_structure
from gatepost.dtos.structured_members import alternatives_of, without_metadata
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes
from gatepost.models.addresses import check_named
from gatepost.models.catalog import Catalog, ServedModel
from gatepost.models.nesting import PLACE, Nesting
from gatepost.services.accounts import Accounts
from gatepost.services.service import Service, served_model
from gatepost.sources import location_of

_SEGMENT = re.compile(r"(?!\.+$)[\w.~-]+|\{\w+(?::\w+)?\}", re.ASCII)

BODYLESS = ("GET", "DELETE")
"""Methods whose endpoints take no body."""


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
        self.wire_name = wire_name
        self._catalog = catalog
        self._models = service_models
        self.providers = providers
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
        binding = _Binding(self, location, route, _places(route.path, location, above), above)
        for parameter in signature.parameters:
            with self._mistakes.check(route.source):
                binding.add(parameter)
        binding.check_all_used(signature)
        query = QueryParameters(binding.query, binding.classes, self.wire_name)
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
            make = self.of_unit(annotation)
            if make is not None:
                units.append((name, make))
            else:
                provided.append((name, provided_class(annotation, self.providers, f"{controller.__name__}.{name}")))
        return Injections(tuple(units), tuple(provided))

    def body(self, parameter: SignedParameter, location: str) -> BodyParameter | None:
        """The body that a parameter is; None where it is something else."""
        return find_body(parameter, self._catalog, self._mistakes, location)

    def of_unit(self, annotation: Any) -> FromUnit | None:
        """How a value of this type is made of the unit of work: a service, or `Accounts`; None for other types."""
        if annotation is Accounts:
            return of_accounts
        model = self._service_model(annotation)
        return None if model is None else OfService(model)

    def served(self, kind: Any) -> ServedModel | None:
        """The served model that a parameter's type is."""
        return self._catalog.by_model.get(kind) if isinstance(kind, type) else None

    def _service_model(self, annotation: Any) -> type[Any] | None:
        """The model of the service that a parameter's type is: `Books`, or `Service[Book]`; None for other types.
        Raises `ConfigurationError` for a service that no resource has."""
        if get_origin(annotation) is Service:
            (model,) = get_args(annotation)
            if model not in self._catalog.by_model:
                hint = f"Declare it: Resource({model.__name__}, routes=False) has verbs and policies without routes."
                raise ConfigurationError(
                    f"{model.__name__} has no resource.", location=f"Service[{model.__name__}]", hint=hint
                )
            return model  # type: ignore[no-any-return]
        if not (isinstance(annotation, type) and issubclass(annotation, Service)):
            return None
        if annotation not in self._models:
            model = served_model(cast("type[Any]", annotation))
            name = getattr(model, "__name__", "Model")
            hint = f"Write Resource({name}, service={annotation.__name__})."
            raise ConfigurationError("is not the service of any resource.", location=annotation.__name__, hint=hint)
        return self._models[annotation]


class _Binding:
    """The parameters of one endpoint, as they are bound one after the other."""

    def __init__(
        self,
        binder: EndpointBinder,
        location: str,
        route: Route,
        places: Mapping[str, tuple[int, str | None]],
        above: Mapping[str, PathRow],
    ) -> None:
        self._binder = binder
        self._location = location
        self._route = route
        self._places = places
        self.simple: list[tuple[str, Read]] = []
        self.texts: list[TextParameter] = []
        self.query: list[QueryParameter] = []
        self.classes: dict[str, Any] = {}
        self.rows = dict(above)
        self.of_unit: list[tuple[str, FromUnit]] = []
        self.provided: list[tuple[str, type[Any]]] = []
        self.body: BodyParameter | None = None

    def add(self, parameter: SignedParameter) -> None:
        """Bind a parameter. Raises `ConfigurationError` where it can come from nowhere."""
        marker = marker_of(parameter, self._location)
        if parameter.name in self.rows:
            self._add_row(parameter, marker, self.rows[parameter.name])
        elif parameter.name in self._places:
            self._add_place(parameter, marker, *self._places[parameter.name])
        elif self._inject(parameter):
            check_given(parameter, marker, "by its class", self._location)
        elif isinstance(marker, Header | Cookie):
            self._add_text(parameter, marker)
        elif isinstance(marker, Query):
            self._add_class(parameter)
        elif isinstance(marker, Lock):
            raise ConfigurationError(
                f"locks {parameter.name!r}, which is not a row of its path.",
                location=self._location,
                hint=f'Write its place: "/{{{parameter.name}}}", and `{parameter.name}: Locked[Book]`, with a model.',
            )
        elif (body := self._binder.body(parameter, self._location)) is not None:
            self._add_body(body)
        else:
            self._add_query(parameter)

    def _inject(self, parameter: SignedParameter) -> bool:
        """Bind a parameter by its class alone; False where the request has to give it."""
        name, kind = parameter.name, parameter.kind
        if kind is Actor:
            self.simple.append((name, lambda call: call.actor))
        elif kind is Call:
            self.simple.append((name, lambda call: call))
        elif (make := self._binder.of_unit(kind)) is not None:
            self.of_unit.append((name, make))
        elif isinstance(kind, type) and kind in self._binder.providers:
            self.provided.append((name, cast("type[Any]", kind)))
        else:
            return False
        return True

    def _is_injected(self, kind: Any) -> bool:
        is_provided = isinstance(kind, type) and kind in self._binder.providers
        return kind in (Actor, Call) or is_provided or self._binder.of_unit(kind) is not None

    def check_all_used(self, signature: Signature) -> None:
        """Raise `ConfigurationError` for a parameter of the path that the method does not take."""
        names = [parameter.name for parameter in signature.parameters]
        for name in self._places:
            if name not in names:
                raise ConfigurationError(
                    f"has {{{name}}} in its path, and no parameter {name!r}.{did_you_mean(name, names)}",
                    location=self._location,
                    hint=f"Add `{name}: UUID` (a value), or `{name}: Book` (a row), or take it out of the path.",
                )

    def _add_place(self, parameter: SignedParameter, marker: Marker | None, place: int, attribute: str | None) -> None:
        served = self._binder.served(parameter.kind)
        if served is None:
            check_given(parameter, marker, "from its path", self._location)
            read = text_reader(parameter.annotation, f"{self._location}({parameter.name})")
            if read is None and self._is_injected(parameter.kind):
                raise ConfigurationError(
                    f"has {{{parameter.name}}} in its path, and takes {parameter.name!r} by its class, "
                    f"{getattr(parameter.kind, '__name__', parameter.kind)}.",
                    location=self._location,
                    hint=f"Take {{{parameter.name}}} out of the path.",
                )
            if read is None:
                raise self._unbindable(parameter)
            if attribute is not None:
                raise ConfigurationError(
                    f"names {attribute!r} of {parameter.name!r}, which is a value and not a row.",
                    location=self._location,
                    hint=f'Write "/{{{parameter.name}}}", or give the parameter a model as its type.',
                )
            self.simple.append((parameter.name, path_value(place, read)))
            self.texts.append(TextParameter(parameter.name, "path", parameter.annotation))
            return
        if attribute is not None:
            check_named(served, attribute, self._location)
        key = served.addressed.entity.key
        if attribute is None and key.is_composite:
            raise ConfigurationError(
                f"takes {parameter.name!r}, a row of {served.entity.name}, whose key has several columns: "
                f"{', '.join(key.names)}.",
                location=self._location,
                hint=f'Take the values, "/{"/".join(f"{{{name}}}" for name in key.names)}", and read the row by its '
                "service: `await service.get((a, b), actor)`.",
            )
        name = attribute or key.names[0]
        self._add_row(parameter, marker, path_row(parameter.name, place, served, name))

    def _add_row(self, parameter: SignedParameter, marker: Marker | None, row: PathRow) -> None:
        is_locking = isinstance(marker, Lock)
        check_given(parameter, None if is_locking else marker, "from its path", self._location)
        check_row(row, parameter.kind, self._location)
        if is_locking and self._route.method == "GET":
            raise ConfigurationError(
                f"locks {parameter.name!r}, and GET requests are READ ONLY.",
                location=self._location,
                hint=f"Write @post, or `{parameter.name}: {row.served.entity.name}`.",
            )
        self.rows[row.name] = row._replace(is_locking=is_locking, is_parameter=True)

    def _add_text(self, parameter: SignedParameter, marker: Header | Cookie) -> None:
        read = text_reader(parameter.annotation, f"{self._location}({parameter.name})")
        if read is None:
            raise self._unbindable(parameter)
        read_value = header_value if isinstance(marker, Header) else cookie_value
        name = sent_name(parameter, marker, self._location)
        self.simple.append((parameter.name, read_value(name, read, parameter.default)))
        place: Literal["header", "cookie"] = "header" if isinstance(marker, Header) else "cookie"
        self.texts.append(TextParameter(name, place, parameter.annotation, parameter.default))

    def _add_body(self, body: BodyParameter) -> None:
        if self.body is not None:
            raise ConfigurationError(
                f"takes two bodies, {self.body.name!r} and {body.name!r}.",
                location=self._location,
                hint="A request has one: make one class of both.",
            )
        if self._route.method in BODYLESS:
            name = getattr(without_metadata(body.annotation)[0], "__name__", "Search")
            raise ConfigurationError(
                f"takes a body ({body.name!r}), and {self._route.method} requests have none.",
                location=self._location,
                hint=f"Write @post, or `{body.name}: Annotated[{name}, Query]`.",
            )
        # Refuses what no body can hold, before there is one.
        compile_body_reader(body, self._location, BOUNDS, self._binder.wire_name)
        self.body = body

    def _add_query(self, parameter: SignedParameter) -> None:
        read = texts_reader(parameter.annotation, f"{self._location}({parameter.name})")
        if read is None:
            raise self._unbindable(parameter)
        check_query(parameter, self._route.method, self._location)
        self._know(QueryParameter(parameter.name, read, parameter.default, parameter.is_required, parameter.annotation))

    def _add_class(self, parameter: SignedParameter) -> None:
        """A class whose members are query parameters."""
        location = f"{self._location}({parameter.name})"
        if not is_structure(parameter.kind) or len(alternatives_of(parameter.kind)) > 1:
            raise ConfigurationError(
                f"{getattr(parameter.kind, '__name__', parameter.kind)} has no members that could be query parameters.",
                location=location,
                hint="Write a Struct, a dataclass or a pydantic model; a scalar or a list is one without Query.",
            )
        self.classes[parameter.name] = parameter.kind
        for member in parameters_of_class(parameter.kind, location):
            read = texts_reader(member.annotation, f"{location}.{member.key}")
            if read is None:
                raise ConfigurationError(
                    f"is of type {member.annotation}, which no query parameter can be.",
                    location=f"{location}.{member.key}",
                    hint="Members are scalars, Enums, dates, and lists of these.",
                )
            self._know(
                QueryParameter(
                    member.key, read, MISSING, member.is_required, member.annotation, parameter.name, member.name
                )
            )

    def _know(self, parameter: QueryParameter) -> None:
        if any(other.name == parameter.name for other in self.query):
            raise ConfigurationError(
                f"takes the query parameter {parameter.name!r} twice.",
                location=self._location,
                hint="Give one of them another name.",
            )
        self.query.append(parameter)

    def _unbindable(self, parameter: SignedParameter) -> ConfigurationError:
        return unbindable(parameter, self._route.method, self._location)


def _methods(controller: type[Controller[Any]], served: ServedModel | None, group: str) -> Iterator[EndpointMethod]:
    """The methods that are endpoints, in the order in which they are written."""
    names: dict[str, None] = {}
    for owner in reversed(controller.__mro__):
        names.update(dict.fromkeys(vars(owner)))
    for name in names:
        found = inspect.getattr_static(controller, name, None)
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
