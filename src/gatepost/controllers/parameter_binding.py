"""Where each parameter of an own endpoint comes from: its path, the request, the unit of work or what is provided.

`endpoint_binding.py` binds the parameters of each method by these classes, when the app is built.
"""

from collections.abc import Mapping
from typing import Any, Literal, cast, get_args, get_origin

from gatepost.actor import Actor
from gatepost.call import Call
from gatepost.controllers.endpoint_bodies import BodyParameter, compile_body_reader, find_body
from gatepost.controllers.endpoint_parameters import (
    QueryParameter,
    Read,
    TextParameter,
    cookie_value,
    header_value,
    path_value,
)
from gatepost.controllers.injection import FromUnit, OfService, of_accounts
from gatepost.controllers.misread_parameters import check_query, unbindable
from gatepost.controllers.parameter_markers import Marker, check_given, marker_of, sent_name
from gatepost.controllers.path_rows import PathRow, check_row, path_row
from gatepost.controllers.providers import Providers
from gatepost.controllers.signatures import MISSING, Signature, SignedParameter
from gatepost.declaring.controller import Route
from gatepost.declaring.parameters import Cookie, Header, Lock, Query
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.parameter_values import parameters_of_class, text_reader, texts_reader
from gatepost.dtos.structured_body import is_structure
from gatepost.dtos.structured_members import alternatives_of, without_metadata
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean, nearest
from gatepost.mistakes import Mistakes
from gatepost.models.addresses import check_named
from gatepost.models.catalog import Catalog
from gatepost.models.served_model import ServedModel
from gatepost.services.accounts import Accounts
from gatepost.services.service import Service, served_model

BODYLESS = ("GET", "DELETE")
"""Methods whose endpoints take no body."""


class ParameterSources:
    """What the parameters of endpoints may come from, besides requests. `service_models` are the models of the services
    that they may be; `providers` make the rest; `wire_name` makes the names that clients send of members of bodies."""

    def __init__(
        self,
        catalog: Catalog,
        service_models: Mapping[type[Any], type[Any]],
        providers: Providers,
        mistakes: Mistakes,
        wire_name: WireName,
    ) -> None:
        self.wire_name = wire_name
        self.providers = providers
        self._catalog = catalog
        self._models = service_models
        self._mistakes = mistakes

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

    def model_for(self, name: str) -> str:
        """The name of the model of which a parameter of this name probably is a row, for hints."""
        models = [model.__name__ for model in self._catalog.by_model]
        return nearest(name, models) or models[0] if models else "..."

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


class ParameterBinding:
    """The parameters of one endpoint, as they are bound one after the other."""

    def __init__(
        self,
        sources: ParameterSources,
        location: str,
        route: Route,
        places: Mapping[str, tuple[int, str | None]],
        above: Mapping[str, PathRow],
    ) -> None:
        self._sources = sources
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
                hint=f'Write its place in the path, "/{{{parameter.name}}}", and the model of the row in Locked[...].',
            )
        elif (body := self._sources.body(parameter, self._location)) is not None:
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
        elif (make := self._sources.of_unit(kind)) is not None:
            self.of_unit.append((name, make))
        elif isinstance(kind, type) and kind in self._sources.providers:
            self.provided.append((name, cast("type[Any]", kind)))
        else:
            return False
        return True

    def _is_injected(self, kind: Any) -> bool:
        is_provided = isinstance(kind, type) and kind in self._sources.providers
        return kind in (Actor, Call) or is_provided or self._sources.of_unit(kind) is not None

    def check_all_used(self, signature: Signature) -> None:
        """Raise `ConfigurationError` for a parameter of the path that the method does not take."""
        names = [parameter.name for parameter in signature.parameters]
        for name in self._places:
            if name not in names:
                raise ConfigurationError(
                    f"has {{{name}}} in its path, and no parameter {name!r}.{did_you_mean(name, names)}",
                    location=self._location,
                    hint=f"Add `{name}: UUID` (a value), or `{name}: {self._sources.model_for(name)}` (a row), or take "
                    "it out of the path.",
                )

    def _add_place(self, parameter: SignedParameter, marker: Marker | None, place: int, attribute: str | None) -> None:
        served = self._sources.served(parameter.kind)
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
        compile_body_reader(body, self._location, BOUNDS, self._sources.wire_name)
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
