"""The resources of an app, or of a group of it, composed: their verbs, their services, and the endpoints that are
derived from them and written beside them. Used by `composition.py`."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from gatepost.accounts.user_accounts import UserAccounts
from gatepost.call import Endpoint
from gatepost.controllers.bound_endpoints import BoundEndpoint, EndpointMethod, unnamed
from gatepost.controllers.cursors import Cursors
from gatepost.controllers.derived_routes import derived_route
from gatepost.controllers.envelopes import Envelopes
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.provided_values import ProvidedValues
from gatepost.controllers.queries import Queries, QueryParsers
from gatepost.controllers.resource_controller import ResourceController
from gatepost.controllers.rows_above import RowsAbove
from gatepost.database.database import Database
from gatepost.database.fair_sharing import ACCOUNTS
from gatepost.database.listeners import Listener
from gatepost.database.session_listeners import session_listeners
from gatepost.declared_resources import DeclaredResources
from gatepost.declaring.rate_limits import NamedLimits, named
from gatepost.declaring.resource import ACTIONS
from gatepost.endpoint_composition import EndpointComposition, bounds_of
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.orm_reasons import Reasons, orm_reasons
from gatepost.models.served_model import ServedModel
from gatepost.models.trigrams import Trigrams
from gatepost.openapi_composition import DerivedOperation, OpenAPIComposition
from gatepost.operations import Operation, RouteRules
from gatepost.services.answers import RowAnswers
from gatepost.services.call_transactions import CallTransactions
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.plans import Plans
from gatepost.services.service import ROW_WRITES, Service, overridden
from gatepost.services.service_registry import ServiceRegistry
from gatepost.services.service_verbs import ServiceVerbs
from gatepost.services.verbs import Verbs
from gatepost.settings import Settings
from gatepost.sources import location_of


class SharedParts(NamedTuple):
    """What all resources of an app are composed with. `provided` is what the app provides, `described` notes every
    operation, `actor_columns` are those that expressions may name, and `replaced` are the methods and paths of the
    app's own endpoints."""

    settings: Settings
    database: Database
    plans: Plans
    accounts: UserAccounts
    provided: ProvidedValues
    cursors: Cursors
    trigrams: Trigrams
    streams: OpenStreams
    described: OpenAPIComposition
    actor_columns: ActorColumns | None
    replaced: Collection[tuple[str, str]]


class ResourceComposition:
    """The layers of the resources of an app, or of a group of it, from controllers to compiled statements."""

    def __init__(self, declared: DeclaredResources, shared: SharedParts) -> None:
        self._declared = declared
        self.group = declared.group
        self._shared = shared
        self._compiled = {
            served.entity.model: CompiledVerbs(
                served,
                declared.catalog,
                self._database_of(served),
                shared.plans,
                bounds_of(served.resource, shared.settings.gate),
            )
            for served in declared.catalog.used
        }
        listeners = session_listeners()
        self._orm_reasons = {served.entity.model: self._reasons(served, listeners) for served in declared.catalog.used}
        self.registry = ServiceRegistry(
            self._compiled,
            declared.services,
            self._orm_reasons,
            shared.accounts,
            models=declared.service_models,
            injected=declared.injected,
            provided=shared.provided.values,
        )
        catalog = declared.catalog
        self.parsers = {served: QueryParsers(served) for served in (*catalog.used, *catalog.narrowed)}
        self._queries = Queries(self.parsers, shared.cursors, shared.trigrams, declared.paging)

    @property
    def searches_by_trigrams(self) -> bool:
        """Whether some field is filtered by patterns, through a trigram index."""
        return any(item.filterable.by_trigrams for item in self.parsers.values())

    def endpoints(self) -> list[Endpoint]:
        """Those that are derived, then those of the application's controllers."""
        return [*self._derived_endpoints(), *self.own_endpoints(self._declared.endpoints, self._shared.provided)]

    def own_endpoints(
        self, endpoints: Sequence[BoundEndpoint], provided: ProvidedValues, *, runs_code: bool = True
    ) -> list[Endpoint]:
        """The endpoints of controllers, which are the application's where they run code of its own."""
        actor_columns, described = self._shared.actor_columns, self._shared.described
        composition = EndpointComposition(
            self._declared,
            self._shared.settings,
            {
                model: RowAnswers(
                    compiled,
                    asks_service="get" in self.registry.overridden(model),
                    actor_columns=actor_columns,
                )
                for model, compiled in self._compiled.items()
            },
            self._queries,
            self._transactions,
            provided=provided,
            streams=self._shared.streams,
            actor_columns=actor_columns,
            epoch=self._shared.database.epoch,
        )
        composed = [composition.endpoint(bound) for bound in endpoints]
        described.endpoints += [each._replace(runs_code=runs_code) for _, each in composed]
        return [endpoint for endpoint, _ in composed]

    def _derived_endpoints(self) -> list[Endpoint]:
        services = {
            served.entity.model: self._through_service(served).get_above
            for served in self._declared.catalog.used
            if "get" in self.registry.overridden(served.entity.model)
        }
        endpoints: list[Endpoint] = []
        for served in self._declared.catalog.served:
            if served.has_routes:
                above = RowsAbove.of(served, self._compiled[served.entity.model].key_above, services)
                endpoints += self._endpoints_of(served, above)
        return endpoints

    def _endpoints_of(self, served: ServedModel, above: RowsAbove | None) -> list[Endpoint]:
        """Those of one resource, but for those that the app replaces."""
        prefix, dialect = self._declared.prefix, self._declared.dialect
        is_derived = "list" not in overridden(self._declared.services.get(served.entity.model, Service))
        reader = self._queries.reader(served, offers_total=is_derived)
        controller = ResourceController(
            served,
            self._verbs(served),
            reader,
            prefix,
            bounds=bounds_of(served.resource, self._shared.settings.gate),
            wire_name=dialect.names,
            envelopes=Envelopes(dialect),
            epoch=self._shared.database.epoch,
            above=above,
        )
        origin = f"derived from {served.entity.name} {location_of(served.entity.model)}"
        operations = [(verb, self._operation(served, verb, origin)) for verb in ACTIONS if served.offers(verb)]
        derived = [
            (verb, operation)
            for verb, operation in operations
            if (operation.method, unnamed(operation.path)) not in self._shared.replaced
        ]
        self._shared.described.derived += [
            DerivedOperation(operation, served, verb, reader.paging) for verb, operation in derived
        ]
        return [Endpoint(operation, controller.handler(verb)) for verb, operation in derived]

    def _database_of(self, served: ServedModel) -> Database:
        """The database for the requests of a resource. What they borrow counts for the app's resource of the model,
        because they meet the same locks."""
        of_app = self._declared.find_resource(served.entity.model)
        return self._shared.database.for_resource(served.path if of_app is None else of_app.path)

    def _transactions(self, method: EndpointMethod) -> CallTransactions:
        """The transactions of calls: what they borrow counts for their resource, or for sign-in."""
        database = self._shared.database
        if method.route.auth:
            database = database.for_resource(ACCOUNTS)
        elif method.served is not None:
            database = self._database_of(method.served)
        return CallTransactions(database, self.registry)

    def _verbs(self, served: ServedModel) -> dict[str, Verbs]:
        model = served.entity.model
        through = self.registry.overridden(model) | self._orm_reasons[model].keys()
        through_service = self._through_service(served)
        return {action: through_service if action in through else self._compiled[model] for action in ACTIONS}

    def _through_service(self, served: ServedModel) -> ServiceVerbs:
        """The verbs of a resource through its service, and through those of subclasses with resources."""
        services = self._declared.services
        found = [services[item.model] for item in served.others if item.model in services]
        others = [service for service in found if ROW_WRITES & overridden(service).keys()]
        own = services.get(served.entity.model, Service)
        return ServiceVerbs((own, *others), self._compiled[served.entity.model], self.registry)

    def _reasons(self, served: ServedModel, listeners: Collection[Listener]) -> dict[str, Reasons]:
        """Why verbs that the resource's service does not override go through the ORM. A row that belongs to the
        resource of a subclass is written by that one's service."""
        found = dict(orm_reasons(served.entity, listeners))
        for item in served.others:
            for action in ROW_WRITES:
                overriding = _overriding(self._declared.services.get(item.model), action)
                if overriding is not None:
                    found[action] = (*found.get(action, ()), overriding)
        return found

    def _operation(self, served: ServedModel, verb: str, origin: str) -> Operation:
        resource = served.resource
        method, path = derived_route(served, verb, self._declared.prefix, self._declared.dialect)
        overriding = _overriding(self._declared.services.get(served.entity.model), verb)
        return Operation(
            name=f"{served.name}.{verb}",
            method=method,
            raises=resource.raises.get(verb, ()),
            rules=RouteRules(
                pattern=path,
                limits=self._limits(served, verb),
                body_bytes_max=resource.body_bytes_max,
                headers=resource.headers,
                cors=resource.cors,
            ),
            allow=served.policies[verb],
            source=overriding or origin,
            resource=served.path,
            group=served.group,
            orm_reasons=() if overriding else self._orm_reasons[served.entity.model].get(verb, ()),
            envelope=served.row_name,
        )

    def _limits(self, served: ServedModel, action: str) -> NamedLimits:
        """The limits of an action, or those that it shares with the rest of its resource; none for the default."""
        limited = self._declared.limited(served)
        declared = limited.resource.rate_limits
        name, limits = f"{limited.name}.{action}", declared.get(action, ())
        if not limits:
            name, limits = limited.name, declared.get(None, ())
        factor = self._shared.settings.gate.limit_factor or 1
        return named(name, [limit.times(factor) for limit in limits]) if limits else ()


def _overriding(service: type[Service[Any]] | None, action: str) -> str | None:
    """The method of a service that overrides an action, and its location; None where none does."""
    if service is not None and (method := overridden(service).get(action)) is not None:
        return f"{service.__name__}.{method} {location_of(getattr(service, method))}"
    return None
