"""The declaration of an app, read and checked: the catalog, the users, the services, the completed schema.

Made when the app is built, at import of the user's module. All mistakes that are found raise one `ConfigurationError`
there: each independent check runs in `mistakes.check()`, and what cannot be read is left out of later checks.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, cast

from sqlalchemy import MetaData, Table, inspect
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Mapper

from gatepost.accounts.models import UserColumns, complete_users_table, subclasses, user_model
from gatepost.accounts.sample_users import sample_users
from gatepost.accounts.snapshots import kept_names
from gatepost.actor import Actor, anonymous
from gatepost.asgi import ASGIApp
from gatepost.auth.authenticator import AnyAuthenticator, UserAuthenticator
from gatepost.auth.authenticator import checked as checked_authenticators
from gatepost.controllers.endpoint_binding import BoundEndpoint, EndpointBinder, check_alike
from gatepost.controllers.injection import Injected, check_not_per_call, injected
from gatepost.controllers.providers import Providers
from gatepost.declaring.controller import check_standalone, checked_controller
from gatepost.declaring.dialect import DEFAULT_DIALECT, Dialect, checked_dialect
from gatepost.declaring.dto import declared_of
from gatepost.declaring.info import Info
from gatepost.declaring.middleware import checked_middleware
from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.policies import Policy, is_nobody, owned_by
from gatepost.declaring.provided import Provide
from gatepost.declaring.resource import PATH, Resource
from gatepost.dtos.body import check_field
from gatepost.dtos.path_keys import check_key
from gatepost.errors import ConfigurationError
from gatepost.gateway.problem_pages import ProblemDescription, describe
from gatepost.mistakes import Mistakes, Source
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.addresses import check_above, check_address
from gatepost.models.base import Model, Row
from gatepost.models.catalog import Catalog, two_classes
from gatepost.models.column_mismatches import ExpectedTable, ExpectedTables
from gatepost.models.constructors import constructor_of
from gatepost.models.delete_cascades import check_deletable
from gatepost.models.dto_bodies import check_model, read_body
from gatepost.models.dto_members import ComputedMember, DTOReader
from gatepost.models.effects import check_effects
from gatepost.models.entity import Entity, entity_of
from gatepost.models.field_checks import check_field_rules
from gatepost.models.foreign_key_targets import check_foreign_keys
from gatepost.models.index_limits import IndexWarning, index_warnings
from gatepost.models.orm_reasons import WRITES, check_validators, orm_reasons
from gatepost.models.owner_checks import check_owner
from gatepost.models.owner_indexes import OwnerWarning, owner_warnings
from gatepost.models.policy_trials import Reach, check_can_be_called, reached_policies, try_functions
from gatepost.models.policy_warnings import PolicyWarning, policy_warnings
from gatepost.models.restrictions import check_restriction
from gatepost.models.sample_users import SampleUsers
from gatepost.models.schema import complete_schema
from gatepost.models.sql_trials import SQLTrial, sql_trials
from gatepost.models.table_definitions import check_definitions
from gatepost.services.service import Service, check_transactions, check_verbs, overridden, served_model
from gatepost.sources import attribute_location, location_of


class Declaration:
    """What an app serves. `entities` are all mapped models that belong to it, the users' included."""

    def __init__(  # noqa: PLR0913 - what an app declares
        self,
        resources: Sequence[Resource[Any]],
        *,
        users: type[Any] | None,
        prefix: str,
        mounts: Mapping[str, ASGIApp | Mount],
        bigint_as_string: bool,
        authenticators: Sequence[AnyAuthenticator],
        controllers: Sequence[Any],
        dialect: Dialect,
        provide: Provide,
        middleware: Sequence[Any],
        info: Info,
        source: str,
        mistakes: Mistakes,
    ) -> None:
        """`source` is where the app is declared, `mistakes` are those of its arguments: all are raised together."""
        self._source = source
        self._mistakes = mistakes
        self.info = info
        self.authenticators = mistakes.attempt(partial(checked_authenticators, authenticators), (), source)
        self.dialect = mistakes.attempt(partial(checked_dialect, dialect), DEFAULT_DIALECT, source)
        for mistake in self.dialect.mistakes:
            mistakes.add(mistake)
        self.paging = self.dialect.paging
        self.middleware = mistakes.attempt(partial(checked_middleware, middleware), (), source)
        self.prefix = mistakes.attempt(partial(_path, "prefix", prefix), "", source)
        self.mounts = self._read_mounts(mounts)
        known = self._read_resources(resources)
        if not resources and not mounts:
            mistakes.add(
                ConfigurationError(
                    "App() serves nothing.", location="App", hint="Give it a Resource(Model, read=...)."
                ),
                source,
            )
        with mistakes.check(source, "App"):  # before the other models are read: they may refer to its table
            base = _base_of(known[0].model) if known else Model
            self.user_model: type[Any] = user_model(base) if users is None else _checked_users(users)
            if users is None:
                _check_no_other_users(self.user_model, base, [resource.model for resource in known])
            for model in (self.user_model, *(resource.model for resource in known)):
                if UserColumns in model.__mro__ and hasattr(model, "__mapper__"):
                    complete_users_table(model)  # once more: a class may have been mapped after it was made
        self.catalog = Catalog(known, mistakes, bigint_as_string=bigint_as_string, wire_name=self.dialect.names)
        self._check_mounts()
        self.entities: list[Entity] = [served.entity for served in self.catalog.served]
        users_entity = self._read_users()
        with mistakes.check(source, "App"):
            complete_schema(self.entities, {served.entity.model: served.resource for served in self.catalog.served})
        for metadata in {entity.table.metadata for entity in self.entities}:
            check_foreign_keys(metadata, {resource.model for resource in known}, mistakes)
            if not mistakes:  # a foreign key without a target cannot be written
                models = {entity.table: entity.model for entity in reversed(self.entities)}
                check_definitions(metadata, models, mistakes)
        self.providers = Providers(provide, mistakes, source)
        self.services = self._services(known)
        self.injected = self._injected()
        self._check_unread(known)
        self._read_bodies()
        self.endpoints = self._bind_endpoints(controllers)
        users_known = sample_users(users_entity, self.authenticators) if users_entity is not None else None
        self._check_policies(users_known)
        self._check_fields()
        self.dtos = self._read_dtos()
        self._check_computed(users_known)
        self._check_actor_columns(users_known)
        mistakes.raise_any()
        self.expected_tables = ExpectedTables([*self._expected_tables(is_default_users=users is None)])

    @property
    def source(self) -> str:
        """Where the app is declared."""
        return self._source

    @property
    def metadata(self) -> MetaData:
        """The MetaData of the app's tables."""
        return self.entities[0].table.metadata

    def _read_resources(self, given: Sequence[Any]) -> list[Resource[Any]]:
        """The resources that name a class; their mistakes become the app's."""
        for each in given:
            if not isinstance(each, Resource):
                name = getattr(each, "__name__", repr(each))
                hint = "Write Resource(Model, read=...)."
                self._mistakes.add(
                    ConfigurationError(f"{name} is not a Resource.", location="App", hint=hint), self._source
                )
        resources: list[Resource[Any]] = [each for each in given if isinstance(each, Resource)]
        for mistake in chain.from_iterable(resource.mistakes for resource in resources):
            self._mistakes.add(mistake)
        return [resource for resource in resources if isinstance(cast("object", resource.model), type)]

    def _read_mounts(self, given: Mapping[str, ASGIApp | Mount]) -> dict[str, Mount]:
        mounts: dict[str, Mount] = {}
        for path, app in given.items():
            with self._mistakes.check(self._source):
                mounts[_path("mount", path)] = app if isinstance(app, Mount) else Mount(_callable(path, app))
        return mounts

    def _check_mounts(self) -> None:
        for served in self.catalog.by_path.values():
            path = f"{self.prefix}/{served.template}"
            if path in self.mounts:
                self._mistakes.add(taken_by_mount(path, f"Resource({served.entity.name})"), self._source)

    def _read_users(self) -> Entity | None:
        """The entity of those who sign in, which is one of the app's; None where it cannot be."""
        users = getattr(self, "user_model", None)
        if users is None:
            return None
        with self._mistakes.check(partial(location_of, users), users.__name__):
            served = self.catalog.by_model.get(users)
            if served is not None:
                return served.entity
            entity = entity_of(users, mistakes=self._mistakes)
            stranger = self.catalog.find_stranger(entity)
            if stranger is not None:
                raise two_classes(entity, stranger)
            self.entities.append(entity)
            return entity
        return None

    def _expected_tables(self, *, is_default_users: bool) -> Iterator[ExpectedTable]:
        for entity in self.entities:
            served = self.catalog.by_model.get(entity.model)
            is_users = entity.model is self.user_model
            policies = {} if served is None else served.resource.policies
            writes = [action for action in WRITES if action in policies and not is_nobody(policies[action])]
            yield ExpectedTable(
                entity, is_users or "create" in writes, writes, is_default=is_users and is_default_users
            )

    def _services(self, known: Sequence[Resource[Any]]) -> dict[type[Any], type[Service[Any]]]:
        services: dict[type[Any], type[Service[Any]]] = {}
        for resource in known:
            service: type[Any] | None = resource.service
            if service is not None:
                with self._mistakes.check(resource.source):
                    _check_service(service, resource.model, services.values())
                    services[resource.model] = service
                    check_transactions(service)
                    check_verbs(service)
        return services

    def _injected(self) -> dict[type[Service[Any]], Injected]:
        """What is injected into services, which are made outside of calls as well."""
        found: dict[type[Service[Any]], Injected] = {}
        for service in self.services.values():
            with self._mistakes.check(partial(location_of, service)):
                attributes = injected(service, self.providers)
                check_not_per_call(service, attributes, self.providers)
                if attributes:
                    found[service] = attributes
        return found

    def _read_bodies(self) -> None:
        """The DTOs of the bodies of derived creations and changes."""
        for served in self.catalog.served:
            resource = served.resource
            # A changed body may repeat what only a creation sets.
            bodies = (("create", resource.creates, ("create",)), ("update", resource.updates, ("create", "update")))
            for action, dto, actions in bodies:
                if dto is not None:
                    with self._mistakes.check(resource.source):
                        check_model(dto, served, f"{action}s")
                        served.bodies[action] = read_body(dto, served, self._mistakes, actions)

    def _read_dtos(self) -> DTOReader:
        """The DTOs by which resources and endpoints show rows."""
        reader = DTOReader(self.catalog, self._mistakes)
        for served in self.catalog.served:
            answers, lists = served.resource.answers, served.resource.lists
            if answers is not None:
                with self._mistakes.check(served.resource.source):
                    check_model(answers, served, "answers")
                    served.answers = reader.read(answers)
            if lists is answers:
                served.lists = served.answers
            elif lists is not None:
                with self._mistakes.check(served.resource.source):
                    check_model(lists, served, "lists")
                    served.lists = reader.read(lists)
        for bound in self.endpoints:
            if bound.method.route.answers is not None:
                reader.read(bound.method.route.answers)
        return reader

    def _bind_endpoints(self, controllers: Sequence[Any]) -> list[BoundEndpoint]:
        """The endpoints of the resources' controllers, then those of the others."""
        binder = EndpointBinder(
            self.catalog,
            self.services,
            self.providers,
            self.prefix,
            self._mistakes,
            wire_name=self.dialect.names,
        )
        found: list[BoundEndpoint] = []
        for served in self.catalog.served:
            controller = served.resource.controller
            if controller is not None:
                with self._mistakes.check(served.resource.source):
                    found += binder.bind(checked_controller(controller, f"Resource({served.entity.name})"), served)
        for controller in controllers:
            with self._mistakes.check(self._source):
                checked = checked_controller(controller, "App")
                found += binder.bind(checked)
                with self._mistakes.check(partial(location_of, checked)):
                    check_standalone(checked)
        self._check_raises(found)
        check_alike(found, self._mistakes)
        return found

    def _check_raises(self, endpoints: Sequence[BoundEndpoint]) -> None:
        found: dict[str, ProblemDescription] = {}
        for method in (endpoint.method for endpoint in endpoints):
            for problem in method.route.raises:
                with self._mistakes.check(method.route.source):
                    describe(problem, found, method.location)
        for served in self.catalog.served:
            for problem in chain.from_iterable(served.resource.raises.values()):
                with self._mistakes.check(served.resource.source):
                    describe(problem, found, f"Resource({served.entity.name})")

    def policy_warnings(self) -> list[PolicyWarning]:
        """What of the policies can raise on a row. Computed anew: for the start, and for `gatepost doctor`."""
        users = sample_users(entity_of(self.user_model), self.authenticators)
        signed_in = [] if users is None else [users.actor(), users.actor(without=users.nullable)]
        return policy_warnings(self.catalog.served, [anonymous, *signed_in])

    def sample_user(self) -> Actor | None:
        """A signed-in user without roles, made up; None where no user can be."""
        users = sample_users(entity_of(self.user_model), self.authenticators)
        return None if users is None else users.actor()

    def sql_trials(self) -> list[SQLTrial]:
        """What PostgreSQL is asked about the SQL of the declaration. Computed anew: for the start, and for `gatepost
        doctor`."""
        return sql_trials(self.catalog.served, sample_users(entity_of(self.user_model), self.authenticators))

    def index_warnings(self) -> list[IndexWarning]:
        """Which values may be too long for an index. Computed anew: for the start, and for `gatepost doctor`."""
        return index_warnings(self.catalog.served)

    def owner_warnings(self) -> list[OwnerWarning]:
        """By which columns lists find the rows of an owner without an index. Computed anew: for the start, and for
        `gatepost doctor`."""
        return owner_warnings(self.catalog.served)

    def _check_unread(self, known: Sequence[Resource[Any]]) -> None:
        """What can be checked of policies whose model cannot be read."""
        read = {served.entity.model for served in self.catalog.served}
        for resource in known:
            for policy in resource.policies.values() if resource.model not in read else ():
                with self._mistakes.check(resource.source):
                    check_can_be_called(policy)

    def _check_policies(self, users: SampleUsers | None) -> None:
        """Every path of `owner()` has to lead somewhere, and every function to give SQL."""
        for served in self.catalog.served:
            with self._mistakes.check(served.resource.source, served.entity.name):
                check_restriction(served.resource, served.entity)
            entity, source = served.entity, served.resource.source
            for policy, is_reached in reached_policies(served):
                self._check_policy(policy, entity, users, is_reached, source)

    def _check_policy(
        self, policy: Policy, entity: Entity, users: SampleUsers | None, is_reached: Reach, source: Source
    ) -> None:
        for owner in owned_by(policy):
            with self._mistakes.check(source, entity.name):
                check_owner(owner, entity, None if users is None else type(users.key))
        with self._mistakes.check(source, entity.name):
            try_functions(policy, entity, users, is_reached)

    def _check_computed(self, users: SampleUsers | None) -> None:
        """The rules of computed members are tried as those of fields are."""
        for dto in self.dtos.known:
            for member in dto.members:
                if isinstance(member, ComputedMember) and not member.read.is_constant:
                    source = partial(attribute_location, dto.dto, member.name)
                    self._check_policy(member.read, dto.served.entity, users, lambda _: True, source)

    @property
    def actor_columns(self) -> ActorColumns | None:
        """The columns that actors have; None where authenticators make users, which are of no model."""
        if not any(isinstance(each, UserAuthenticator) for each in self.authenticators):
            return None
        return ActorColumns(self.user_model, kept_names(entity_of(self.user_model)))

    def _check_actor_columns(self, users: SampleUsers | None) -> None:
        columns = self.actor_columns if users is not None else None
        if columns is None:
            return
        for served in self.catalog.served:
            location = f"Resource({served.entity.name})"
            for policy, is_reached in reached_policies(served):
                with self._mistakes.check(served.resource.source):
                    columns.check_policy(policy, served.entity, users, is_reached, location)
        for dto in self.dtos.known:
            with self._mistakes.check(declared_of(dto.dto).source):
                columns.check_dto(dto)
                for member in dto.members:
                    if isinstance(member, ComputedMember):
                        location = f"{dto.dto.__name__}.{member.name}"
                        columns.check_policy(member.read, dto.served.entity, users, lambda _: True, location)

    def _check_fields(self) -> None:
        for served in self.catalog.served:
            service = self.services.get(served.entity.model)
            is_filled = service is not None and overridden(service).get("create") in ("create", "before_create")
            if not is_nobody(served.resource.policies["create"]):
                with self._mistakes.check(partial(location_of, served.entity.model)):
                    constructor_of(served.entity)
                    is_filled = is_filled or bool(orm_reasons(served.entity, [], ["create"]))
            if not is_nobody(served.resource.policies["delete"]):
                with self._mistakes.check(served.resource.source):
                    check_deletable(cast("Mapper[Any]", inspect(served.entity.model)))
            check_field_rules(served, self._mistakes, is_filled=is_filled)
            check_effects(served, self.catalog.served, self._mistakes)
            for attribute in served.writable:
                with self._mistakes.check(partial(attribute_location, served.entity.model, attribute.name)):
                    check_field(attribute, served.entity.name)
            with self._mistakes.check(partial(location_of, served.entity.model)):
                check_key(served.entity)
            with self._mistakes.check(served.resource.source):
                check_address(served)
                check_above(served)
                if served.resource.key is not None:
                    check_key(served.addressed.entity)
            with self._mistakes.check(partial(location_of, served.entity.model)):
                check_validators(served.entity)


def _check_no_other_users(users: type[Any], base: type[DeclarativeBase], served: Collection[type[Any]]) -> None:
    """A model of users that is not the one who sign in: there would be two tables of users, silently."""
    mapped = [model for model in subclasses(Row if base is Model else base) if "__mapper__" in vars(model)]
    for model in (*served, *mapped):
        is_of_base = getattr(model, "metadata", None) is base.metadata
        if is_of_base and issubclass(model, UserColumns) and not issubclass(model, users):
            raise ConfigurationError(
                f"{model.__name__} inherits UserColumns, but users= is not given: users would sign in by the table "
                f"{users.__tablename__!r}.",
                location="App",
                hint=f"Write App(..., users={model.__name__}).",
            )


def _check_service(service: Any, served: type[Any], others: Collection[type[Any]]) -> None:
    location, model_name = f"Resource({served.__name__})", served.__name__
    name = getattr(service, "__name__", repr(service))
    if isinstance(service, Service):
        name = type(service).__name__  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
        raise ConfigurationError(
            f"service={name}(...) is an object.", location=location, hint=f"Give it the class: service={name}."
        )
    if not (isinstance(service, type) and issubclass(service, Service)):
        raise ConfigurationError(
            f"service={name} is not a subclass of Service.",
            location=location,
            hint=f"Write class {model_name}s(Service[{model_name}]), and service={model_name}s.",
        )
    model = served_model(cast("type[Any]", service))
    if model is not None and model is not served:
        hint = f"Write class {name}(Service[{model_name}])."
        raise ConfigurationError(f"{name} is a service of {model.__name__}.", location=location, hint=hint)
    if service in others:
        raise ConfigurationError(f"{name} serves two resources.", location=location, hint="Make a subclass for one.")


def _base_of(model: type[Any]) -> type[DeclarativeBase]:
    """The base of the users' model, in the MetaData of a model: its most general declarative base, but `Model` for
    `Row`, which has no key. A model without one, or with one that makes dataclasses, gets another base over the same
    MetaData."""
    mapper = cast("Any", inspect(model, raiseerr=False))
    table = mapper.local_table if isinstance(mapper, Mapper) else None
    if not isinstance(table, Table):
        return Model
    metadata = table.metadata
    bases = [base for base in model.__mro__ if issubclass(base, DeclarativeBase) and base is not DeclarativeBase]
    own = [base for base in bases if base.metadata is metadata and not issubclass(base, MappedAsDataclass)]
    if own:
        return Model if own[-1] is Row else own[-1]
    # With the registry, relationships find the class by its name.
    shared = {"registry": mapper.registry} if mapper.registry.metadata is metadata else {"metadata": metadata}
    return cast("type[DeclarativeBase]", type("Base", (DeclarativeBase,), {**shared, "__module__": model.__module__}))


def _checked_users(users: type[Any]) -> type[Any]:
    if not (isinstance(users, type) and issubclass(users, UserColumns)):  # pyright: ignore[reportUnnecessaryIsInstance]
        name = getattr(users, "__name__", "User")
        raise ConfigurationError(
            f"users={getattr(users, '__name__', repr(users))} does not inherit UserColumns.",
            location="App",
            hint=f"Write class {name}(Model, UserColumns).",
        )
    return users


def _callable(path: str, app: ASGIApp) -> ASGIApp:
    if not callable(app):
        raise ConfigurationError(
            f"mount={path!r} is {app!r}, which is not an ASGI application.",
            location="App",
            hint="Mount a callable, or a Mount of one.",
        )
    return app


def _path(what: str, path: str) -> str:
    if not path.startswith("/") or not PATH.fullmatch(path[1:]):
        hint = 'Begin with a slash, end without; letters, digits, "-", "_", "." and "~" between.'
        raise ConfigurationError(f"{what}={path!r} is not a path.", location="App", hint=hint)
    return path
