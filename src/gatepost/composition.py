"""One running app: the chain from the gate to the database, composed once from the declaration and the settings.

    gate -> dispatch -> controllers -> verbs (compiled, or through a service) -> database

Nothing here runs per request.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

from joserfc.jwk import OKPKey

from gatepost.accounts.user_accounts import UserAccounts
from gatepost.auth.access_control import AccessControl
from gatepost.auth.tokens import Tokens
from gatepost.built_in_controllers import BuiltInControllers
from gatepost.call import Endpoint
from gatepost.console.console_endpoints import ConsoleEndpoints
from gatepost.console.console_sessions import ConsoleSessions
from gatepost.controllers.bound_endpoints import known_patterns
from gatepost.controllers.cursors import Cursors
from gatepost.controllers.open_streams import OpenStreams
from gatepost.controllers.provided_values import ProvidedValues
from gatepost.controllers.providers import Providers
from gatepost.database.database import Database
from gatepost.database.fair_sharing import ACCOUNTS
from gatepost.database.sql_trials import SQLTrials
from gatepost.database.startup_check import connect_once
from gatepost.database.trigram_probe import TrigramProbe
from gatepost.declaration import Declaration
from gatepost.declaring.origins import Origins
from gatepost.declaring.rate_limits import RateLimit
from gatepost.device_cookies import Devices
from gatepost.errors import ConfigurationError
from gatepost.events import DrainBegan, Events, OwnerNotIndexed, PolicyMayFail, RelationNotServed, ValueMayBeTooLong
from gatepost.gateway.buckets import Buckets, LocalBuckets
from gatepost.gateway.cross_site_requests import CrossSiteRequests
from gatepost.gateway.dialect_problems import DialectProblems
from gatepost.gateway.gate import GateMiddleware, make_limiter
from gatepost.gateway.middleware import MiddlewareStack
from gatepost.gateway.problem_pages import ProblemPages, declared_problems, gatepost_problems, problem_types
from gatepost.health import AWAY, NO_CONNECTION, NOTHING_FITS, OK, READ_ONLY, SCHEMA_CHANGED, Readiness
from gatepost.mistakes import together
from gatepost.models.constraint_violations import ConstraintErrors
from gatepost.models.entity import entity_of
from gatepost.models.personal_values import note_personal_values
from gatepost.models.recipes import Options
from gatepost.models.trigrams import Trigrams
from gatepost.mounts import Mounts
from gatepost.openapi.served_documents import OpenAPI
from gatepost.openapi_composition import OpenAPIComposition
from gatepost.personal_data import PersonalData
from gatepost.resource_composition import ResourceComposition, SharedParts
from gatepost.routes.dispatch import Dispatch
from gatepost.routes.route_table import RouteTable
from gatepost.services.plans import Plans
from gatepost.services.service_registry import ServiceRegistry
from gatepost.settings import Settings


class Composition:
    """The layers of one app in one process. Made without touching the network; `start` opens connections."""

    def __init__(  # noqa: PLR0913, PLR0915 - what an app is composed of
        self,
        declaration: Declaration,
        settings: Settings,
        key: OKPKey,
        events: Events,
        buckets: Buckets | None = None,
        *,
        providers: Providers | None = None,
        app: Any = None,
        admin_socket: Path | None = None,
        database_type: type[Database] = Database,
    ) -> None:
        """`providers` stand in place of those that are declared; `app` is the one that mounted applications find in
        their scopes; the console asks the monitor at `admin_socket`; `database_type` makes the database."""
        self.declaration = declaration
        self.settings = settings
        self.events = events
        dialect = declaration.dialect
        metadatas = dict.fromkeys(item.table.metadata for item in declaration.entities)
        violations = ConstraintErrors(metadatas, dialect.names)
        self.database = database_type(
            settings.database.url or "", settings.database, events, violations, declaration.expected_tables
        )
        epoch = self.database.epoch
        self.tokens = Tokens(settings.auth, key, dialect.scheme, epoch=epoch)
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
        self.provided = ProvidedValues(providers or declaration.providers, events)
        self._served_tables = frozenset(served.entity.table.fullname for served in declaration.served)
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
        self.described = described = OpenAPIComposition(declaration)
        replaced = known_patterns([bound for declared in declaration.all for bound in declared.endpoints])
        shared = SharedParts(
            settings,
            self.database,
            self._make_plans(),
            self.accounts,
            self.provided,
            Cursors(secret, epoch),
            self._trigrams,
            self.streams,
            described,
            declaration.actor_columns,
            replaced,
        )
        own = ResourceComposition(declaration.own, shared)
        groups = [
            ResourceComposition(
                declared,
                shared._replace(database=self.database.describing(ConstraintErrors(metadatas, declared.dialect.names))),
            )
            for declared in declaration.groups
        ]
        resources = [own, *groups]
        self.registries = {item.group: item.registry for item in resources}
        if any(item.searches_by_trigrams for item in resources):
            self._trigram_probe = TrigramProbe(self.database, self._trigrams, events)
        parsers = {served: found for item in resources for served, found in item.parsers.items()}
        self.openapi = OpenAPI(lambda: described.described(parsers, self.accounts.authenticators))
        built_in = BuiltInControllers(declaration, settings, self.openapi, replaced)
        self.readiness = self._make_readiness()
        sessions = ConsoleSessions(settings, key, self.accounts.identities, events) if settings.has_console else None
        self.console = None if sessions is None else ConsoleEndpoints(sessions, admin_socket)
        bound, given = built_in.bind(self.readiness, sessions, accepts_tokens=self.accounts.accepts_tokens)
        endpoints = [endpoint for item in resources for endpoint in item.endpoints()]
        endpoints += own.own_endpoints(bound, ProvidedValues(given, events), runs_code=False)
        raised = (problem for endpoint in endpoints for problem in endpoint.operation.raises)
        problems = {**gatepost_problems(), **declared_problems(raised)}
        endpoints += ProblemPages(problems).endpoints()
        if self.console is not None:
            endpoints += [
                each
                for each in self.console.endpoints()
                if built_in.is_free(each.operation.method, each.operation.path)
            ]
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
            dialect_problems=self._dialect_problems(),
            challenges=[*dict.fromkeys(each.challenge for each in self.accounts.authenticators)],
            credential_headers=[*dict.fromkeys(name for each in self.accounts.authenticators for name in each.headers)],
            is_known=access.is_known,
            backlog=self.database.backlog,
            find_writing=self.database.find_writing,
        )

    @cached_property
    def personal_data(self) -> PersonalData:
        """What must not be written down of the fields that it serves."""
        declaration = self.declaration
        return PersonalData(
            [*declaration.entities, *(item.entity for item in declaration.served)],
            [(each.prefix, item) for each in declaration.all for item in each.catalog.by_path.values()],
            entity_of(declaration.user_model),
            self.rules,
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
        note_personal_values(self.personal_data.attributes)
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
        """Say what of the declaration may fail, be slow, or is not served."""
        if (warn_of_policy := self.events.emitter(PolicyMayFail)) is not None:
            for policy in self.declaration.policy_warnings():
                warn_of_policy(PolicyMayFail(*policy))
        if (warn_of_index := self.events.emitter(ValueMayBeTooLong)) is not None:
            for index in self.declaration.index_warnings():
                warn_of_index(ValueMayBeTooLong(*index))
        if (warn_of_owner := self.events.emitter(OwnerNotIndexed)) is not None:
            for owner in self.declaration.owner_warnings():
                warn_of_owner(OwnerNotIndexed(*owner))
        if (warn_of_relation := self.events.emitter(RelationNotServed)) is not None:
            for relation in self.declaration.relation_warnings():
                warn_of_relation(RelationNotServed(*relation))

    async def stop_mounted(self) -> None:
        """Let requests in flight finish, and stop the mounted applications."""
        self.drain()
        await self.gate.wait_idle(self.settings.server.drain_seconds)
        await self.gate.callbacks.stop()
        await self.mounts.stop(self.settings.server.drain_seconds)

    async def stop(self) -> None:
        """Close what was made, stop listening and close the connections."""
        await self.provided.stop()
        if self.console is not None:
            self.console.close()
        if self._trigram_probe is not None:
            self._trigram_probe.stop()
        self._sql_trials.stop()
        await self.accounts.stop()
        await self.buckets.stop()
        await self.database.close()

    def limits(self) -> list[tuple[str, str, RateLimit]]:
        """The rate limits that hold: of which kind their keys are, their name, and what they admit."""
        limiter = self.gate.limiter
        return [
            (kind, spec.name, spec.limit)
            for kind in ("address", "actor", "account")
            for limit_set in limiter.limit_sets(kind, self.rules)
            for spec in limit_set.specs
        ]

    def readings(self) -> dict[str, float]:
        """How busy the process is, and whether it is ready."""
        running, waiting = self.gate.load
        pool, limiter = self.database.pool, self.gate.limiter
        return {
            "requests_in_flight": running,
            "requests_waiting": waiting,
            "pool_connections": pool.size,
            "pool_connections_max": pool.reachability.size_max,
            "pool_connections_in_use": pool.in_use,
            "pool_waiting": len(pool.waiting),
            "worker_ready": self.readiness.is_ready,
            "transactions_committed": self.database.transactions.committed,
            "transactions_rolled_back": self.database.transactions.rolled_back,
            "bucket_decisions_local": limiter.decisions - limiter.remote_decisions,
            "bucket_decisions_valkey": limiter.remote_decisions,
            "database_reachable": self.readiness.has_database,
        }

    def drain(self) -> None:
        """From now on not ready; and every response closes its connection."""
        self.is_leaving = True
        self.hand_over()

    def hand_over(self) -> None:
        """From now on every response closes its connection, and streams end: clients come back on another one."""
        if not self.gate.is_draining:
            self.events.emit(DrainBegan())
        self.gate.drain()
        self.streams.drain()

    @property
    def registry(self) -> ServiceRegistry:
        """That of the app's own resources."""
        return self.registries[""]

    def registry_of(self, prefix: str) -> ServiceRegistry:
        """That of the group with this prefix. Raises `ConfigurationError` where there is none."""
        groups = {each.location: each.group for each in self.declaration.groups}
        location = f"Group({prefix!r})"
        if location not in groups:
            hint = f"The groups are {', '.join(groups)}." if groups else "The app has no group."
            raise ConfigurationError(f"there is no {location}.", location="transaction(group=...)", hint=hint)
        return self.registries[groups[location]]

    def _dialect_problems(self) -> DialectProblems | None:
        """The forms of refusals by prefix; None where all are problem details."""
        by_prefix = {
            declared.prefix: declared.dialect.problem if declared.dialect.has_problems else None
            for declared in self.declaration.all
        }
        return DialectProblems(by_prefix) if any(by_prefix.values()) else None

    def _console_endpoints(self, built_in: BuiltInControllers) -> list[Endpoint]:
        """Those of the console, where the app has nothing of its own at their paths."""
        found = [] if self.console is None else self.console.endpoints()
        return [each for each in found if built_in.is_free(each.operation.method, each.operation.path)]

    def _make_plans(self) -> Plans:
        """The compiled statements, which make entity tags: they are compiled again when the epoch rises."""
        page_bytes_max, epoch = self.settings.gate.page_bytes_max, self.database.epoch
        plans = Plans(Options(page_bytes_max, epoch.tag_prefix))
        epoch.on_raise(lambda: plans.compile_with(Options(page_bytes_max, epoch.tag_prefix)))
        return plans

    def _make_readiness(self) -> Readiness:
        return Readiness(
            self._database_state,
            lambda: self.is_leaving,
            lambda: self.buckets.details,
            needs_writes=self.settings.database.ready_needs_writes,
        )

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
