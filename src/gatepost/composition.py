"""One running app: the chain from the gate to the database, composed once from the declaration and the settings.

    gate -> dispatch -> controllers -> verbs (compiled, or through a service) -> database

Nothing here runs per request.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from joserfc.jwk import OKPKey

from gatepost.accounts.sign_in import SignedIn, SignIn
from gatepost.accounts.user_accounts import UserAccounts
from gatepost.auth.access_control import AccessControl
from gatepost.auth.bearer_tokens import BearerTokens
from gatepost.auth.tokens import Tokens
from gatepost.call import Endpoint
from gatepost.controllers.cursors import Cursors
from gatepost.controllers.derived_routes import derived_route
from gatepost.controllers.endpoint_binding import BoundEndpoint, EndpointBinder, EndpointMethod, known_patterns, unnamed
from gatepost.controllers.envelopes import Envelopes
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.provided_values import ProvidedValues
from gatepost.controllers.providers import Providers
from gatepost.controllers.queries import Queries, QueryParsers
from gatepost.controllers.resource_controller import ResourceController
from gatepost.controllers.rows_above import RowsAbove
from gatepost.database.database import Database
from gatepost.database.fair_sharing import ACCOUNTS
from gatepost.database.listeners import Listener
from gatepost.database.session_listeners import session_listeners
from gatepost.database.sql_trials import SQLTrials
from gatepost.database.startup_check import connect_once
from gatepost.database.trigram_probe import TrigramProbe
from gatepost.declaration import Declaration
from gatepost.declaring.controller import Controller
from gatepost.declaring.dialect import Dialect
from gatepost.declaring.origins import Origins
from gatepost.declaring.rate_limits import NamedLimits, named
from gatepost.declaring.resource import ACTIONS
from gatepost.device_cookies import Devices
from gatepost.endpoint_composition import EndpointComposition, bounds_of
from gatepost.events import Events, OwnerNotIndexed, PolicyMayFail, ValueMayBeTooLong
from gatepost.gateway.buckets import Buckets, LocalBuckets
from gatepost.gateway.cross_site_requests import CrossSiteRequests
from gatepost.gateway.dialect_problems import DialectProblems
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.gateway.middleware import MiddlewareStack
from gatepost.gateway.problem_pages import ProblemPages, declared_problems, gatepost_problems, problem_types
from gatepost.health import AWAY, NO_CONNECTION, NOTHING_FITS, OK, READ_ONLY, SCHEMA_CHANGED, Probes, Readiness
from gatepost.mistakes import Mistakes, together
from gatepost.models.catalog import ServedModel
from gatepost.models.constraint_violations import ConstraintErrors
from gatepost.models.orm_reasons import Reasons, orm_reasons
from gatepost.models.recipes import Options
from gatepost.models.trigrams import Trigrams
from gatepost.mounts import Mounts
from gatepost.openapi.docs_page import TokenSignIn
from gatepost.openapi.openapi_controller import openapi_controller
from gatepost.openapi.pages import PageOptions, Pages
from gatepost.openapi.pages_controllers import docs_controller, start_controller
from gatepost.openapi.served_documents import OpenAPI
from gatepost.openapi_composition import DerivedOperation, OpenAPIComposition
from gatepost.operations import Operation, RouteRules
from gatepost.routes.dispatch import Dispatch
from gatepost.routes.route_table import RouteTable
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

"""Those of the derived verbs, except for that of updates, which is a matter of the dialect."""


class Composition:
    """The layers of one app in one process. Made without touching the network; `start` opens connections."""

    def __init__(  # noqa: PLR0913 - what an app is composed of
        self,
        declaration: Declaration,
        settings: Settings,
        key: OKPKey,
        events: Events,
        buckets: Buckets | None = None,
        *,
        providers: Providers | None = None,
        app: Any = None,
        database_type: type[Database] = Database,
    ) -> None:
        """`providers` stand in place of those that are declared; `app` is the one that mounted applications find in
        their scopes; `database_type` makes the database."""
        self.declaration = declaration
        self.settings = settings
        self.events = events
        dialect = declaration.dialect
        metadatas = dict.fromkeys(item.table.metadata for item in declaration.entities)
        violations = ConstraintErrors(metadatas, dialect.names)
        self.database = database_type(
            settings.database.url or "", settings.database, events, violations, declaration.expected_tables
        )
        self.tokens = Tokens(settings.auth, key, dialect.scheme)
        secret = key.as_pem(private=True)
        devices = Devices(secret)
        self.buckets = buckets or LocalBuckets()
        limiter = make_limiter(settings.gate, events, self.buckets, find_device=devices.find_key)
        self.accounts = UserAccounts(
            declaration.user_model,
            self.database.for_resource(ACCOUNTS),
            self.tokens,
            events,
            limiter=limiter,
            devices=devices,
            authenticators=declaration.authenticators,
        )
        plans = Plans(Options(settings.gate.page_bytes_max))
        self._compiled = {
            served.entity.model: CompiledVerbs(
                served,
                declaration.catalog,
                self.database.for_resource(served.path),
                plans,
                bounds_of(served.resource, settings.gate),
            )
            for served in declaration.catalog.served
        }
        listeners = session_listeners()
        self._orm_reasons = {
            served.entity.model: self._reasons(served, listeners) for served in declaration.catalog.served
        }
        self.provided = ProvidedValues(providers or declaration.providers, events)
        self.registry = ServiceRegistry(
            self._compiled,
            declaration.services,
            self._orm_reasons,
            self.accounts,
            injected=declaration.injected,
            provided=self.provided.values,
        )
        self._served_tables = frozenset(served.entity.table.fullname for served in declaration.catalog.served)
        self.is_leaving = False
        self._trigrams = Trigrams()
        self._trigram_probe: TrigramProbe | None = None
        self._sql_trials = SQLTrials(self.database, declaration.sql_trials, events)
        cross_site = CrossSiteRequests(Origins(settings.gate.cors_origins, location="GATEPOST_CORS_ORIGINS"))
        access = AccessControl(
            self.accounts.authenticators,
            limiter.admit_actor,
            cross_site.check,
            refuses_unclaimed=True,
        )
        self.streams = OpenStreams(settings.streams, events, access.confirm)
        queries = self._queries(secret)
        self.described = described = OpenAPIComposition(declaration)
        self.openapi = OpenAPI(lambda: described.described(queries.parsers, self.accounts.authenticators))
        self._replaced = known_patterns(declaration.endpoints)
        built_in, provided = self._built_in()
        endpoints = [
            *self._resource_endpoints(queries),
            *self._own_endpoints(declaration.endpoints, plans, queries, self.provided, runs_code=True),
            *self._own_endpoints(built_in, plans, queries, provided, runs_code=False),
        ]
        raised = (problem for endpoint in endpoints for problem in endpoint.operation.raises)
        problems = {**gatepost_problems(), **declared_problems(raised)}
        endpoints += ProblemPages(problems).endpoints()
        self.operations = [endpoint.operation for endpoint in endpoints]
        self.mounts = Mounts(declaration.mounts, settings.gate, events)
        self.table = RouteTable(
            endpoints, declaration.mounts, self.mounts.find, names_nearest=not settings.is_production
        )
        self.rules = (*self.table.rules, *self.mounts.rules)
        self.mounts.compose(access, cross_site, limiter, devices, app)
        dispatch = Dispatch(
            admit=access.admit,
            mounts=self.mounts.by_route(self.table.rules),
            explain=self.database.explain_failure,
            is_wrapped=bool(declaration.middleware),
        )
        middleware = declaration.middleware
        self.gate = GateMiddleware(
            MiddlewareStack(dispatch.handle, middleware, declaration.source).handle if middleware else dispatch.handle,
            settings=settings.gate,
            events=events,
            match=self.table.match,
            limiter=limiter,
            routes=self.rules,
            problem_types=problem_types(problems, settings.gate.problem_base_url),
            dialect_problems=DialectProblems(declaration.prefix, dialect.problem) if dialect.has_problems else None,
            challenges=[*dict.fromkeys(each.challenge for each in self.accounts.authenticators)],
            credential_headers=[*dict.fromkeys(name for each in self.accounts.authenticators for name in each.headers)],
            is_known=access.is_known,
            backlog=self.database.backlog,
            find_writing=self.database.find_writing,
        )

    async def start(self, *, serves_what_fits: bool = False) -> None:
        """Make what is provided, open a connection, so that the first request finds one, and begin to listen for
        changes of users.

        Raises ConfigurationError where the database refuses us, its tables are not those of the models, or it refuses
        SQL of the declaration, unless this process `serves_what_fits`; a database that is away is no reason not to
        start.
        """
        await self.provided.start()
        try:
            await self._start(serves_what_fits=serves_what_fits)
        except BaseException:
            await self.provided.stop()
            raise

    async def _start(self, *, serves_what_fits: bool) -> None:
        self._warn()
        is_reachable = await connect_once(self.database)
        if is_reachable:
            self.accounts.identities.listener.heartbeat.record()
        refused = await self._sql_trials.run(is_reachable=is_reachable)
        refusal = self.declaration.expected_tables.refusal(self.database.schema.changed)
        mistakes = refused if refusal is None else [refusal, *refused]
        if mistakes and not serves_what_fits:
            self._sql_trials.stop()
            await self.database.close()
            raise together(mistakes)
        self._sql_trials.emit(refused)
        self.database.schema.start()
        if self._trigram_probe is not None:
            await self._trigram_probe.probe()
        await self.buckets.start(self.events)
        await self.accounts.start()

    def _warn(self) -> None:
        """Say what of the declaration may fail, or be slow."""
        if (warn_of_policy := self.events.emitter(PolicyMayFail)) is not None:
            for policy in self.declaration.policy_warnings():
                warn_of_policy(PolicyMayFail(*policy))
        if (warn_of_index := self.events.emitter(ValueMayBeTooLong)) is not None:
            for index in self.declaration.index_warnings():
                warn_of_index(ValueMayBeTooLong(*index))
        if (warn_of_owner := self.events.emitter(OwnerNotIndexed)) is not None:
            for owner in self.declaration.owner_warnings():
                warn_of_owner(OwnerNotIndexed(*owner))

    async def stop_mounted(self) -> None:
        """Let requests in flight finish, and stop the mounted applications."""
        self.drain()
        await self.gate.wait_idle(self.settings.server.drain_seconds)
        await self.gate.callbacks.stop()
        await self.mounts.stop(self.settings.server.drain_seconds)

    async def stop(self) -> None:
        """Close what was made, stop listening and close the connections."""
        await self.provided.stop()
        if self._trigram_probe is not None:
            self._trigram_probe.stop()
        self._sql_trials.stop()
        await self.accounts.stop()
        await self.buckets.stop()
        await self.database.close()

    def drain(self) -> None:
        """From now on not ready; and every response closes its connection."""
        self.is_leaving = True
        self.hand_over()

    def hand_over(self) -> None:
        """From now on every response closes its connection, and streams end: clients come back on another one."""
        self.gate.drain()
        self.streams.drain()

    def _database_state(self) -> str:
        """How the database is, for readiness, as the listener knows it."""
        reachability = self.database.pool.reachability
        if reachability.is_refused:
            return NO_CONNECTION
        if self.accounts.identities.listener.heartbeat.is_silent or reachability.is_lost:
            return AWAY
        changed = self.database.schema.changed
        if self._served_tables and changed.keys() >= self._served_tables:
            return NOTHING_FITS
        if self.database.is_read_only:
            return READ_ONLY
        return SCHEMA_CHANGED if changed else OK

    def _queries(self, secret: bytes) -> Queries:
        """What query strings of lists are read with."""
        catalog = self.declaration.catalog
        parsers = {served: QueryParsers(served) for served in (*catalog.served, *catalog.narrowed)}
        if any(item.filterable.by_trigrams for item in parsers.values()):
            self._trigram_probe = TrigramProbe(self.database, self._trigrams, self.events)
        return Queries(parsers, Cursors(secret), self._trigrams, self.declaration.paging)

    def _resource_endpoints(self, queries: Queries) -> list[Endpoint]:
        catalog = self.declaration.catalog
        prefix, dialect = self.declaration.prefix, self.declaration.dialect
        envelopes = Envelopes(dialect)
        services = {
            served.entity.model: self._through_service(served).get_above
            for served in catalog.served
            if "get" in self.registry.overridden(served.entity.model)
        }
        endpoints: list[Endpoint] = []
        for served in catalog.served:
            if not served.resource.routes:
                continue
            is_derived = "list" not in overridden(self.declaration.services.get(served.entity.model, Service))
            reader = queries.reader(served, offers_total=is_derived)
            controller = ResourceController(
                served,
                self._verbs(served),
                reader,
                prefix,
                bounds=bounds_of(served.resource, self.settings.gate),
                wire_name=dialect.names,
                envelopes=envelopes,
                above=RowsAbove.of(served, self._compiled[served.entity.model].key_above, services),
            )
            origin = f"derived from {served.entity.name} {location_of(served.entity.model)}"
            operations = [(verb, self._operation(served, verb, origin)) for verb in ACTIONS if served.offers(verb)]
            derived = [
                (verb, operation)
                for verb, operation in operations
                if (operation.method, unnamed(operation.path)) not in self._replaced
            ]
            endpoints += [Endpoint(operation, controller.handler(verb)) for verb, operation in derived]
            self.described.derived += [
                DerivedOperation(operation, served, verb, reader.paging) for verb, operation in derived
            ]
        return endpoints

    def _built_in(self) -> tuple[list[BoundEndpoint], ProvidedValues]:
        """The endpoints of Gatepost's own controllers: sign-in, which an app may replace, and the probes; and what they
        take."""
        readiness = Readiness(
            self._database_state,
            lambda: self.is_leaving,
            lambda: self.buckets.details,
            needs_writes=self.settings.database.ready_needs_writes,
        )
        mistakes, catalog = Mistakes(), self.declaration.catalog
        given = {
            Settings: self.settings,
            Dialect: self.declaration.dialect,
            Readiness: readiness,
            OpenAPI: self.openapi,
            Pages: self._pages(),
        }
        providers = Providers(given, mistakes, source=self.declaration.source)
        binder = EndpointBinder(catalog, {}, providers, self.declaration.prefix, mistakes)
        controllers = [SignIn, SignedIn] if self.accounts.accepts_tokens else [SignedIn]
        signing_in = (bound for controller in controllers for bound in binder.bind(controller))
        found = [bound for bound in signing_in if not self._is_replaced(bound)]
        outside = EndpointBinder(catalog, {}, providers, "", mistakes)
        found += outside.bind(Probes)
        for controller in self._describing():
            found += [each for each in outside.bind(controller) if self._is_free(each)]
        mistakes.raise_any()
        return found, ProvidedValues(providers, self.events)

    def _describing(self) -> Iterator[type[Controller]]:
        """The controllers that tell clients and people what is served."""
        document = openapi_controller(self.settings.server.openapi)
        if document is not None:
            yield from (document, docs_controller())
        if self.settings.has_start_page:
            yield start_controller()

    def _pages(self) -> Pages:
        settings, dialect = self.settings, self.declaration.dialect
        login = f"{self.declaration.prefix}/auth/login"
        bearer = next((each for each in self.declaration.authenticators if isinstance(each, BearerTokens)), None)
        sign_in = None
        if bearer is not None and ("POST", login) not in self._replaced:
            sign_in = TokenSignIn(
                login,
                Envelopes(dialect).of(None, None).key,
                dialect.names("access_token"),
                type(bearer).__name__,
                dialect.scheme,
            )
        email, _, password = (settings.server.demo_user or "").partition(":")
        options = PageOptions(
            settings.server.openapi != "nobody",
            sign_in,
            (email, password) if password else None,
            shows_policies=not settings.is_production,
        )
        return Pages(self.declaration.info, lambda: self.openapi.api, options)

    def _is_replaced(self, bound: BoundEndpoint) -> bool:
        return (bound.method.route.method, unnamed(bound.pattern)) in self._replaced

    def _is_free(self, bound: BoundEndpoint) -> bool:
        """Whether an app has nothing of its own at the path of an endpoint of Gatepost's."""
        if self._is_replaced(bound):
            return False
        prefixes = [prefix.rstrip("/") for prefix in self.declaration.mounts]
        return not any(
            bound.pattern.rstrip("/") == each or (each and bound.pattern.startswith(f"{each}/")) for each in prefixes
        )

    def _own_endpoints(
        self,
        endpoints: Sequence[BoundEndpoint],
        plans: Plans,
        queries: Queries,
        provided: ProvidedValues,
        *,
        runs_code: bool,
    ) -> list[Endpoint]:
        """The endpoints of controllers, which are the application's where they run code of its own."""
        actor_columns = self.declaration.actor_columns
        composition = EndpointComposition(
            self.declaration,
            self.settings,
            {
                model: RowAnswers(
                    compiled,
                    asks_service="get" in self.registry.overridden(model),
                    actor_columns=actor_columns,
                )
                for model, compiled in self._compiled.items()
            },
            queries,
            self._transactions,
            provided=provided,
            streams=self.streams,
        )
        composed = [composition.endpoint(bound) for bound in endpoints]
        self.described.endpoints += [described._replace(runs_code=runs_code) for _, described in composed]
        return [endpoint for endpoint, _ in composed]

    def _transactions(self, method: EndpointMethod) -> CallTransactions:
        """The transactions of calls: what they borrow counts for their resource, or for sign-in."""
        path = ACCOUNTS if method.route.auth else None if method.served is None else method.served.path
        database = self.database if path is None else self.database.for_resource(path)
        return CallTransactions(database, self.registry)

    def _verbs(self, served: ServedModel) -> dict[str, Verbs]:
        model = served.entity.model
        through = self.registry.overridden(model) | self._orm_reasons[model].keys()
        through_service = self._through_service(served)
        return {action: through_service if action in through else self._compiled[model] for action in ACTIONS}

    def _through_service(self, served: ServedModel) -> ServiceVerbs:
        """The verbs of a resource through its service, and through those of subclasses with resources."""
        services = self.declaration.services
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
                overriding = _overriding(self.declaration.services.get(item.model), action)
                if overriding is not None:
                    found[action] = (*found.get(action, ()), overriding)
        return found

    def _operation(self, served: ServedModel, verb: str, origin: str) -> Operation:
        resource = served.resource
        method, path = derived_route(served, verb, self.declaration.prefix, self.declaration.dialect)
        overriding = _overriding(self.declaration.services.get(served.entity.model), verb)
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
            orm_reasons=() if overriding else self._orm_reasons[served.entity.model].get(verb, ()),
            envelope=served.row_name,
        )

    def _limits(self, served: ServedModel, action: str) -> NamedLimits:
        """The limits of an action, or those that it shares with the rest of its resource; none for the default."""
        declared = served.resource.rate_limits
        name, limits = f"{served.name}.{action}", declared.get(action, ())
        if not limits:
            name, limits = served.name, declared.get(None, ())
        factor = self.settings.gate.limit_factor or 1
        return named(name, [limit.times(factor) for limit in limits]) if limits else ()


def _overriding(service: type[Service[Any]] | None, action: str) -> str | None:
    """The method of a service that overrides an action, and its location; None where none does."""
    if service is not None and (method := overridden(service).get(action)) is not None:
        return f"{service.__name__}.{method} {location_of(getattr(service, method))}"
    return None
