"""`App`: what a user's module makes of its resources, and what an ASGI server runs.

The declaration is read when the app is built, so that mistakes show at import; the chain is composed by `start`,
which an ASGI server calls through the lifespan protocol.
"""

import os
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from joserfc.jwk import OKPKey
from sqlalchemy import MetaData

from gatepost.actor import Actor, system
from gatepost.asgi import ASGIApp, Receive, Scope, Send
from gatepost.auth.authenticator import AnyAuthenticator
from gatepost.auth.bearer_tokens import BearerTokens
from gatepost.auth.keys import signing_key
from gatepost.call import CURRENT_SPENT, Call, Spent
from gatepost.composition import Composition
from gatepost.database.database import Database
from gatepost.declaration import Declaration
from gatepost.declaring.arguments import Declared, declared
from gatepost.declaring.controller import Controller
from gatepost.declaring.dialect import DEFAULT_DIALECT, Dialect
from gatepost.declaring.group import Group
from gatepost.declaring.info import Info, title_of
from gatepost.declaring.mount import Mount
from gatepost.declaring.objectives import MeasuredObjective, Objective
from gatepost.declaring.provided import Provide
from gatepost.declaring.resource import Resource
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError, Problem
from gatepost.events import Events
from gatepost.gateway.buckets import Buckets, BucketTable
from gatepost.gateway.buckets.factory import make_buckets
from gatepost.operations import Operation
from gatepost.personal_data import PersonalData
from gatepost.services.accounts import Accounts
from gatepost.services.service_transaction import ServiceTransaction
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.settings import Settings
from gatepost.sqlalchemy_refusals import as_configuration_error

T = TypeVar("T")


class App(Declared):
    """An API derived from its resources: an ASGI application.

    A `Group` among the resources has a prefix of its own below that of the app.
    `users` is the model of the users (mixin `UserColumns`); without it there is a table `users`. `mount` maps
    path prefixes to other ASGI applications, which stand behind the same gate; a `Mount` has its own rules.
    `bigint="string"` shows 64-bit integers as strings, for JavaScript. `rate_limits` is where the buckets are kept,
    such as `ValkeyBuckets(url)`; without it, where `GATEPOST_VALKEY_URL` says, else on each machine.
    `authenticators` find out who sends a request: the first that claims it decides. `controllers` have endpoints of
    their own; those of one resource stand in its `controller=`. `dialect` chooses names and errors as clients see them,
    such as `CamelCase()`. `title`, `version` and `description` (Markdown) are those of the API in its OpenAPI document;
    without a title it has the name of the module. `objectives` say which share of which requests has to succeed,
    and how fast; without them there are default ones.
    """

    @declared
    def __init__(  # noqa: PLR0913 - a declaration
        self,
        *resources: Resource[Any] | Group,
        users: type[Any] | None = None,
        prefix: str = "/api",
        mount: Mapping[str, ASGIApp | Mount] | None = None,
        bigint: Literal["number", "string"] = "number",
        rate_limits: Buckets | None = None,
        authenticators: Sequence[AnyAuthenticator] = (BearerTokens(),),
        controllers: Sequence[type[Controller[Any]]] = (),
        dialect: Dialect = DEFAULT_DIALECT,
        provide: Provide | None = None,
        middleware: Sequence[Any] = (),
        objectives: Sequence[Objective] | None = None,
        title: str | None = None,
        version: str = "1.0.0",
        description: str = "",
    ) -> None:
        if bigint not in ("number", "string"):
            wrong = ConfigurationError(f"bigint={bigint!r}.", location="App", hint='Write "number" or "string".')
            self.mistakes.add(wrong, self.source)
        self.declaration = Declaration(
            resources,
            users=users,
            prefix=prefix,
            mounts=mount or {},
            bigint_as_string=bigint == "string",
            authenticators=authenticators,
            controllers=controllers,
            dialect=dialect,
            provide=provide or {},
            middleware=middleware,
            objectives=objectives,
            info=Info(title or title_of(self.source), version, description),
            source=self.source,
            mistakes=self.mistakes,
        )
        self.events = Events()
        self._composition: Composition | None = None
        self._last_readings: dict[str, float] = {}
        self._personal_data: PersonalData | None = None
        self.rate_limits = rate_limits
        self._table: BucketTable | None = None
        self._serves_what_fits = False
        self._admin_socket: Path | None = None

    @property
    def metadata(self) -> MetaData:
        """The MetaData of the app's tables, completed with constraints, indexes and triggers."""
        return self.declaration.metadata

    @property
    def resources(self) -> list[Resource[Any]]:
        """The resources, in the order of the declaration: the app's own, then those of its groups."""
        return [served.resource for served in self.declaration.served]

    @property
    def user_model(self) -> type[Any]:
        """The model of the users who sign in."""
        return self.declaration.user_model

    @property
    def objectives(self) -> tuple[MeasuredObjective, ...]:
        """What the monitor judges: the declared objectives, or the default ones."""
        return self.declaration.objectives

    @property
    def operations(self) -> list[Operation]:
        """Every endpoint: what `gatepost routes` shows. Needs neither a database nor a start."""
        return (self._composition or self.composed(Settings())).operations

    def composed(self, settings: Settings, database_type: type[Database] = Database) -> Composition:
        """The layers as these settings make them, to look at: `operations`, and the `rules` of their `table`."""
        key = OKPKey.generate_key("Ed25519")
        return Composition(self.declaration, settings, key, Events(), database_type=database_type)

    @property
    def running(self) -> Composition:
        """The composed layers. Raises `ConfigurationError` before `start`."""
        if self._composition is None:
            raise ConfigurationError(
                "the app is not started.", location="App", hint="Call `await app.start(settings)`."
            )
        return self._composition

    async def start(self, settings: Settings, *, provide: Provide | None = None) -> None:
        """Compose the chain and open connections. `provide` stands in place of what the app provides, for tests. Raises
        `ConfigurationError` for settings it cannot start with, and where the tables in the database are not those of
        the models."""
        if settings.database.url is None:
            raise ConfigurationError(
                "is not set.",
                location="DATABASE_URL",
                hint="Set it to postgresql://user:password@host/database, or run `gatepost dev`, which brings its own.",
            )
        key = signing_key(settings)
        buckets = make_buckets(self.rate_limits, settings.valkey, self._table)
        try:
            with as_configuration_error("App", self.source):
                providers = self.declaration.providers.replaced(provide or {})
                composition = Composition(
                    self.declaration,
                    settings,
                    key,
                    self.events,
                    buckets,
                    providers=providers,
                    app=self,
                    admin_socket=self._admin_socket,
                )
                await composition.start(serves_what_fits=self._serves_what_fits)
        except ConfigurationError:
            self.events.reopen()
            raise
        self._composition = composition
        self._personal_data = composition.personal_data
        try:
            await composition.mounts.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Let requests in flight finish and close the connections."""
        composition = self._composition
        if composition is None:
            return
        try:
            await composition.stop_mounted()
        finally:
            self._composition, self._last_readings = None, composition.readings()
            await composition.stop()
            self.events.reopen()

    @property
    def entry(self) -> ASGIApp:
        """What serves HTTP once the app is started: a server that calls it directly saves a step per request."""
        return self.running.gate.__call__  # a method: Python calls it in half the time of an object

    def find_request_id(self) -> str | None:
        """The id of the request that the running task serves, else None. For what is rare, such as lines of logs."""
        request = self._composition.gate.find_current() if self._composition is not None else None
        return None if request is None else request.id

    def find_personal_data(self) -> PersonalData | None:
        """Which of its fields are personal; None before it is started."""
        return self._personal_data

    def find_personal_forms(self) -> tuple[str, ...]:
        """The texts that the running task must not write down, because they are values of personal fields: in lower
        case, the longest first."""
        if self._personal_data is None:
            return ()
        request = self._composition.gate.find_current() if self._composition is not None else None
        return self._personal_data.forms_of(request)

    def readings(self) -> dict[str, float]:
        """How busy the process is, and whether it is ready: numbers by name, for metrics."""
        return self._last_readings if self._composition is None else self._composition.readings()

    def share(self, table: BucketTable) -> None:
        """Keep the rate limits in a table that other processes of this machine share. Before `start`."""
        self._table = table

    def show_console(self, admin_socket: Path | None) -> None:
        """Have the console show what the monitor at this socket says. Before `start`."""
        self._admin_socket = admin_socket

    def replace_another(self) -> None:
        """This process takes the place of one that served: where the tables have changed since, it serves what fits
        instead of ending. Before `start`."""
        self._serves_what_fits = True

    def drain(self) -> None:
        """Tell load balancers to go elsewhere: readiness turns false, and responses close their connections."""
        if self._composition is not None:
            self._composition.drain()

    def hand_over(self) -> None:
        """Tell clients to come back on another connection, which another process takes: responses close theirs."""
        if self._composition is not None:
            self._composition.hand_over()

    def provided(self, kind: Callable[..., T]) -> T:  # a class; as a `type`, mypy would refuse those that are abstract
        """What the app provides by this class, while it runs: for mounts and scheduled jobs. Raises
        `ConfigurationError` for what nothing provides, and for what is made for each call."""
        found: T = self.running.provided.get(cast("type[Any]", kind))
        return found

    @asynccontextmanager
    async def transaction(
        self, actor: Actor = system, call: Call | None = None, *, group: str | None = None
    ) -> AsyncGenerator[ServiceTransaction]:
        """Services outside of an endpoint, in one transaction: `async with app.transaction() as tx`.

        Committed at the end of the block, rolled back when it raises. Tried once: what runs here can run again. A
        mounted application passes the `call` that it serves, `scope["gatepost"]`, to sign users in. It works by the
        app's own resources, or by those of the group with this prefix: `group="/v2"`.
        """
        async with self._unit(call, group) as unit:
            yield ServiceTransaction(unit, actor)

    @property
    def accounts(self) -> Accounts:
        """The users who sign in, each method in a transaction of its own: for mounts, seeds and commands. In a mount,
        they belong to the request that the running task serves."""
        return Accounts(lambda: self._unit(self.running.gate.find_current()))

    @asynccontextmanager
    async def _unit(self, call: Call | None, group: str | None = None) -> AsyncGenerator[UnitOfWork]:
        running = self.running
        if CURRENT_SPENT.get(None) is None:
            CURRENT_SPENT.set(Spent())  # outside of a request as well, its lines must not show what it has loaded
        registry = running.registry if group is None else running.registry_of(group)
        try:
            async with running.database.transaction() as transaction:
                yield UnitOfWork(transaction, registry, call=call)
        except Problem:
            raise
        except Exception as error:
            problem = running.database.problem_of(error)
            if problem is None:
                raise
            raise problem from error

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        composition = self._composition
        if composition is not None and scope["type"] != "lifespan":
            await composition.gate(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise ConfigurationError("a request came before the lifespan's startup.", location="App")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start(load_settings(os.environ))
        except ConfigurationError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})
