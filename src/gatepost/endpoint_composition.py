"""Own endpoints, composed: what `declared_resources.py` has bound becomes operations with handlers. Used by
`composition.py`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gatepost.call import Endpoint, Handler
from gatepost.controllers.bound_endpoints import BoundEndpoint, EndpointMethod, unnamed
from gatepost.controllers.derived_routes import derived_routes
from gatepost.controllers.endpoint_controller import EndpointController
from gatepost.controllers.endpoint_lists import EndpointList
from gatepost.controllers.endpoint_requests import EndpointRequests
from gatepost.controllers.endpoint_responses import EndpointResponses, location_writer
from gatepost.controllers.envelopes import Envelope, Envelopes
from gatepost.controllers.file_endpoints import FileEndpoint
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.provided_values import ProvidedValues
from gatepost.controllers.queries import Queries
from gatepost.controllers.row_endpoints import RowEndpoint, handed_back
from gatepost.controllers.streamed_endpoints import StreamedEndpoint, StreamSending
from gatepost.controllers.streamed_items import plain_items, row_items
from gatepost.controllers.unsent_results import UnsentResults
from gatepost.declared_resources import DeclaredResources
from gatepost.declaring.dto import DTO, declared_of
from gatepost.declaring.rate_limits import NamedLimits, named
from gatepost.declaring.resource import Resource
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.json_values import Bounds
from gatepost.epoch import Epoch
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.dto_members import DTOMembers
from gatepost.openapi.described import DescribedEndpoint
from gatepost.operations import ANY_TYPE, JSON_TYPES, Operation, RouteRules
from gatepost.services.answers import RowAnswers
from gatepost.services.call_transactions import CallTransactions
from gatepost.settings import GateSettings, Settings
from gatepost.sources import location_of

FindTransactions = Callable[[EndpointMethod], CallTransactions]


class EndpointComposition:
    """Makes the endpoints of controllers. `answers` are those of every served model."""

    def __init__(  # noqa: PLR0913 - what endpoints are composed of
        self,
        declared: DeclaredResources,
        settings: Settings,
        answers: Mapping[type[Any], RowAnswers],
        queries: Queries,
        find_transactions: FindTransactions,
        *,
        provided: ProvidedValues,
        streams: OpenStreams,
        actor_columns: ActorColumns | None,
        epoch: Epoch,
    ) -> None:
        """`actor_columns` are those that a Select may name; `epoch` is that of entity tags."""
        self._epoch = epoch
        self._declared = declared
        self._actor_columns = actor_columns
        self._gate = settings.gate
        self._answers = answers
        self._queries = queries
        self._provided = provided
        self._streams = streams
        self._find_transactions = find_transactions
        self._envelopes = Envelopes(declared.dialect)
        self._derived = derived_routes(declared.catalog.served, declared.prefix, declared.dialect)

    def endpoint(self, bound: BoundEndpoint) -> tuple[Endpoint, DescribedEndpoint]:
        """One endpoint: what it is, with its handler, and what describes it."""
        listed, envelope, names = self._list(bound), self._body_envelope(bound), self._declared.dialect.names
        described = DescribedEndpoint(
            self._operation(bound),
            bound,
            self._dto(bound),
            self._envelope(bound),
            envelope,
            listed,
            EndpointRequests(bound, listed, self._bounds(bound.method), envelope, names, self._epoch),
        )
        return Endpoint(described.operation, self._handler(described)), described

    def _handler(self, described: DescribedEndpoint) -> Handler:
        bound, listed = described.bound, described.rows
        row, shown = handed_back(bound), self._shown(bound)
        names = self._declared.dialect.names
        responses = EndpointResponses(
            bound.method,
            bound.returned,
            shown,
            described.envelope,
            names,
            listed=listed,
            write_location=location_writer(bound.returned.served, self._declared.prefix, bound.nesting),
            actor_columns=self._actor_columns,
        )
        stream, is_file = bound.returned.stream, bound.returned.is_file
        is_sent_later = stream is not None or is_file
        if not is_sent_later and row is not None and shown is not None and not shown.asks_service:
            return RowEndpoint(bound, row, shown.reader(row.attribute), responses).handle
        transactions = self._find_transactions(bound.method)
        controller = EndpointController(
            bound,
            described.requests,
            UnsentResults() if is_sent_later else responses,
            transactions=transactions,
            answers=self._answers,
            provided=self._provided,
        )
        if is_file:
            return FileEndpoint(controller, responses, self._streams.events, described.operation.source).handle
        if stream is None:
            return controller.handle
        location = bound.method.location
        encode = plain_items(names, location) if shown is None else row_items(shown, transactions, location)
        sending = StreamSending(stream, encode, self._streams, described.operation.source)
        return StreamedEndpoint(controller, responses, sending).handle

    def _shown(self, bound: BoundEndpoint) -> RowAnswers | None:
        """What renders the rows that an endpoint returns; None where it returns none."""
        served = bound.returned.served
        return None if served is None else self._answers[served.entity.model].shown_as(self._dto(bound))

    def _dto(self, bound: BoundEndpoint) -> DTOMembers | None:
        """What an endpoint shows rows as."""
        answers = bound.method.route.answers
        return None if answers is None else self._declared.dtos.read(answers)

    def _envelope(self, bound: BoundEndpoint) -> Envelope:
        """What stands around that which an endpoint returns."""
        route, served = bound.method.route, bound.returned.served
        if route.answers is not None or served is None:
            return self._envelopes.of(route.answers, route.answers, route.name)
        return self._envelopes.of(served.resource.answers, served.resource.lists, route.name)

    def _body_envelope(self, bound: BoundEndpoint) -> BodyEnvelope | None:
        """What stands around the bodies of an endpoint."""
        dto = None if bound.body is None or bound.body.dto is None else bound.body.dto.dto
        return self._envelopes.of_body(dto, _answers(bound))

    def _list(self, bound: BoundEndpoint) -> EndpointList | None:
        """What reads the query strings of an endpoint that returns a `Select` of a served model."""
        returned, route = bound.returned, bound.method.route
        if returned.served is None or not returned.is_select:
            return None
        reader = self._queries.reader(returned.served, name=bound.method.operation_name, dto=self._dto(bound))
        return EndpointList(reader, bound.query, self._envelope(bound), pages=route.paging, filters=route.filters)

    def _operation(self, bound: BoundEndpoint) -> Operation:
        """What an own endpoint is: it has the limits, headers and origins of its resource where it declares none."""
        method, route, served = bound.method, bound.method.route, bound.method.served
        replaced = self._derived.get((route.method, unnamed(bound.pattern)))
        raw, answers = None if bound.body is None else bound.body.raw, _answers(bound)
        rules = RouteRules(
            pattern=bound.pattern,
            kind="auth" if route.auth else "probe" if route.probe else "api",
            limits=self._limits(bound),
            body_bytes_max=route.body_bytes_max if raw is None else raw.bytes_max,
            content_types=JSON_TYPES if raw is None else ANY_TYPE,
            headers=route.headers,
            cors=route.cors,
        )
        if served is not None:
            resource = served.resource
            rules = replace(
                rules,
                body_bytes_max=rules.body_bytes_max or resource.body_bytes_max,
                headers=rules.headers or resource.headers,
                cors=rules.cors or resource.cors,
            )
        return Operation(
            name=method.operation_name,
            method=route.method,
            rules=rules,
            allow=route.allow,
            source=f"{method.location} {location_of(method.function)}",
            resource=None if served is None else served.path,
            group=method.group,
            raises=route.raises,
            replaces=None if replaced is None else replaced.entity.name,
            envelope=route.name or (None if answers is None else declared_of(answers).name),
        )

    def _limits(self, bound: BoundEndpoint) -> NamedLimits:
        """The endpoint's own limits, or those that it shares with the rest of its resource; none for the default."""
        limits, served = bound.method.route.rate_limits, bound.method.served
        name = self._declared.limited_name(bound.method)
        if not limits and served is not None:
            limited = self._declared.limited(served)
            name, limits = limited.name, limited.resource.rate_limits.get(None, ())
        factor = self._gate.limit_factor or 1
        return named(name, [limit.times(factor) for limit in limits]) if limits else ()

    def _bounds(self, method: EndpointMethod) -> Bounds:
        """How deep and how long JSON may be: the nearest declaration wins."""
        gate, route = self._gate, method.route
        outer = Bounds(gate.json_depth_max, gate.json_items_max, gate.body_bytes_max)
        if method.served is not None:
            outer = bounds_of(method.served.resource, gate)
        return Bounds(
            route.json_depth_max or outer.depth,
            route.json_items_max or outer.items,
            route.body_bytes_max or outer.number_characters,
        )


def _answers(bound: BoundEndpoint) -> type[DTO[Any]] | None:
    """The DTO that an endpoint shows a row as; None where it shows the fields themselves, or no row."""
    served = bound.returned.served
    return bound.method.route.answers or (None if served is None else served.resource.answers)


def bounds_of(resource: Resource[Any], gate: GateSettings) -> Bounds:
    """How deep and how long the JSON of a resource may be."""
    return Bounds(
        resource.json_depth_max or gate.json_depth_max,
        resource.json_items_max or gate.json_items_max,
        gate.body_bytes_max if resource.body_bytes_max is None else resource.body_bytes_max,
    )
