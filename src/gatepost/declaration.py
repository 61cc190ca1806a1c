"""The declaration of an app, read and checked: the catalog, the users, the services, the completed schema.

Made when the app is built, at import of the user's module. All mistakes that are found raise one `ConfigurationError`
there: each independent check runs in `mistakes.check()`, and what cannot be read is left out of later checks.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar, cast

from sqlalchemy import MetaData, Table, inspect
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Mapper

from gatepost.accounts.models import UserColumns, complete_users_table, subclasses, user_model
from gatepost.accounts.sample_users import sample_users
from gatepost.accounts.snapshots import kept_names
from gatepost.actor import Actor, anonymous
from gatepost.asgi import ASGIApp
from gatepost.auth.authenticator import AnyAuthenticator, UserAuthenticator
from gatepost.auth.authenticator import checked as checked_authenticators
from gatepost.controllers.bound_endpoints import check_alike, known_patterns, unnamed
from gatepost.controllers.derived_routes import derived_route
from gatepost.controllers.providers import Providers
from gatepost.declared_resources import DeclaredResources, KnownUsers
from gatepost.declaring.dialect import DEFAULT_DIALECT, Dialect, checked_dialect
from gatepost.declaring.group import Group
from gatepost.declaring.info import Info
from gatepost.declaring.middleware import checked_middleware
from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.objectives import MeasuredOperation, Objective, OperationKind, measured_objectives
from gatepost.declaring.policies import is_nobody, role_names
from gatepost.declaring.provided import Provide
from gatepost.declaring.resource import ACTIONS, PATH, Resource
from gatepost.errors import ConfigurationError
from gatepost.gateway.problem_pages import ProblemDescription
from gatepost.group_checks import check_names, check_paths, check_prefixes
from gatepost.mistakes import Mistakes
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.base import Model, Row
from gatepost.models.catalog import two_classes
from gatepost.models.column_mismatches import ExpectedTable, ExpectedTables
from gatepost.models.entity import Entity, entity_of
from gatepost.models.foreign_key_targets import check_foreign_keys
from gatepost.models.index_limits import IndexWarning, index_warnings
from gatepost.models.orm_reasons import WRITES
from gatepost.models.owner_indexes import OwnerWarning, owner_warnings
from gatepost.models.policy_warnings import PolicyWarning, policy_warnings
from gatepost.models.schema import complete_schema
from gatepost.models.served_model import ServedModel
from gatepost.models.sql_trials import SQLTrial, sql_trials
from gatepost.models.table_definitions import check_definitions
from gatepost.models.unserved_relations import RelationWarning, relation_warnings
from gatepost.sources import location_of

T = TypeVar("T")


class Declaration:
    """What an app serves. `entities` are all mapped models that belong to it, the users' included."""

    def __init__(  # noqa: PLR0913 - what an app declares
        self,
        resources: Sequence[Resource[Any] | Group],
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
        objectives: Sequence[Objective] | None,
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
        self.middleware = mistakes.attempt(partial(checked_middleware, middleware), (), source)
        self.prefix = mistakes.attempt(partial(_path, "prefix", prefix), "", source)
        self.mounts = self._read_mounts(mounts)
        groups = [each for each in resources if isinstance(each, Group)]
        own, *of_groups = self._read_resources(resources, groups)
        known = [*own, *chain.from_iterable(of_groups)]
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
        self.own = DeclaredResources(
            own,
            prefix=self.prefix,
            dialect=self.dialect,
            bigint_as_string=bigint_as_string,
            source=source,
            mistakes=mistakes,
        )
        self.groups = [
            DeclaredResources(
                resources,
                prefix=self.prefix + group.prefix,
                dialect=group.dialect or self.dialect,
                bigint_as_string=bigint_as_string,
                source=group.source,
                mistakes=mistakes,
                location=group.location,
                group=group.name,
                of_app=self.own,
            )
            for group, resources in zip(groups, of_groups, strict=True)
        ]
        self.catalog = self.own.catalog
        self._check_mounts(groups)
        entities: dict[type[Any], Entity] = {}
        for served in self.served:
            entities.setdefault(served.entity.model, served.entity)
        self.entities: list[Entity] = [*entities.values()]
        users_entity = self._read_users()
        by_model = self._resources_by_model()
        with mistakes.check(source, "App"):
            complete_schema(self.entities, by_model)
        for metadata in {entity.table.metadata for entity in self.entities}:
            check_foreign_keys(metadata, {resource.model for resource in known}, mistakes)
            if not mistakes:  # a foreign key without a target cannot be written
                models = {entity.table: entity.model for entity in reversed(self.entities)}
                check_definitions(metadata, models, mistakes)
        self.providers = Providers(provide, mistakes, source)
        samples = None if users_entity is None else sample_users(users_entity, self.authenticators)
        known_users = KnownUsers(samples, None if samples is None else self.actor_columns)
        problems: dict[str, ProblemDescription] = {}
        self.own.complete(controllers, self.providers, problems, known_users)
        for group, declared in zip(groups, self.groups, strict=True):
            declared.complete(group.controllers, self.providers, problems, known_users)
        check_alike([*chain.from_iterable(declared.endpoints for declared in self.all)], mistakes)
        check_paths(self.own, self.groups, mistakes)
        check_names(self.own, self.groups, mistakes)
        # What is refused has no operations that an objective could name.
        measured = None if mistakes else [*self._measured_operations()]
        self.objectives = measured_objectives(objectives, measured, mistakes, source)
        mistakes.raise_any()
        self.expected_tables = ExpectedTables([*self._expected_tables(is_default_users=users is None)])

    @property
    def source(self) -> str:
        """Where the app is declared."""
        return self._source

    @property
    def all(self) -> "list[DeclaredResources]":
        """The app's own resources, then those of its groups."""
        return [self.own, *self.groups]

    @property
    def role_names(self) -> frozenset[str]:
        """The roles that policies name: of resources, fields, endpoints and members of DTOs. Those that functions ask
        for are unknown."""
        policies = [policy for served in self.served for policy in served.resource.policies.values()]
        for rules in chain.from_iterable(served.rules.values() for served in self.served):
            policies += [rules.read, rules.create, rules.update]
        for declared in self.all:
            policies += [bound.method.route.allow for bound in declared.endpoints]
            policies += [member.read for dto in declared.dtos.known for member in dto.members]
        return frozenset(chain.from_iterable(map(role_names, policies)))

    @property
    def served(self) -> Iterator[ServedModel]:
        """What is served: by the app, then by its groups."""
        return chain.from_iterable(declared.catalog.served for declared in self.all)

    @property
    def metadata(self) -> MetaData:
        """The MetaData of the app's tables."""
        return self.entities[0].table.metadata

    def _measured_operations(self) -> Iterator[MeasuredOperation]:
        """What objectives can be of: the operations that are derived and those of the app's controllers."""
        replaced = known_patterns([*chain.from_iterable(declared.endpoints for declared in self.all)])
        for declared in self.all:
            for served in (each for each in declared.catalog.served if each.has_routes):
                owners = frozenset({served.name, served.full_path, served.entity.model})
                for action in (action for action in ACTIONS if served.offers(action)):
                    method, path = derived_route(served, action, declared.prefix, declared.dialect)
                    if (method, unnamed(path)) not in replaced:
                        kind: OperationKind = "writes" if action in WRITES else "reads"
                        yield MeasuredOperation(f"{served.name}.{action}", kind, owners)
            for own in (bound.method for bound in declared.endpoints if not bound.method.route.probe):
                above = own.served
                of_resource = () if above is None else (above.name, above.full_path, above.entity.model)
                yield MeasuredOperation(own.operation_name, "endpoints", frozenset({own.controller, *of_resource}))

    def _read_resources(self, given: Sequence[Any], groups: Sequence[Group]) -> list[list[Resource[Any]]]:
        """The resources that name a class: the app's own, then those of each group; their mistakes become the app's."""
        for each in given:
            if not isinstance(each, Resource | Group):
                name = getattr(each, "__name__", repr(each))
                hint = "Write Resource(Model, read=...)."
                self._mistakes.add(
                    ConfigurationError(f"{name} is not a Resource.", location="App", hint=hint), self._source
                )
        own: list[Resource[Any]] = [each for each in given if isinstance(each, Resource)]
        for mistake in chain.from_iterable(group.mistakes for group in groups):
            self._mistakes.add(mistake)
        check_prefixes(groups, self.dialect, self._mistakes)
        found: list[list[Resource[Any]]] = []
        for resources in (own, *(group.resources for group in groups)):
            for mistake in chain.from_iterable(resource.mistakes for resource in resources):
                self._mistakes.add(mistake)
            found.append([resource for resource in resources if isinstance(cast("object", resource.model), type)])
        return found

    def _resources_by_model(self) -> dict[type[Any], list[Resource[Any]]]:
        found: dict[type[Any], list[Resource[Any]]] = {}
        for served in self.served:
            found.setdefault(served.entity.model, []).append(served.resource)
        return found

    def _read_mounts(self, given: Mapping[str, ASGIApp | Mount]) -> dict[str, Mount]:
        mounts: dict[str, Mount] = {}
        for path, app in given.items():
            with self._mistakes.check(self._source):
                mounts[_path("mount", path)] = app if isinstance(app, Mount) else Mount(_callable(path, app))
        return mounts

    def _check_mounts(self, groups: Sequence[Group]) -> None:
        for group in groups:
            if (path := self.prefix + group.prefix) in self.mounts:
                self._mistakes.add(taken_by_mount(path, group.location, "prefix"), self._source)
        for declared in self.all:
            for served in declared.catalog.by_path.values():
                path = f"{declared.prefix}/{served.template}"
                if path in self.mounts:
                    self._mistakes.add(taken_by_mount(path, f"Resource({served.entity.name})"), self._source)

    def _read_users(self) -> Entity | None:
        """The entity of those who sign in, which is one of the app's; None where it cannot be."""
        users = getattr(self, "user_model", None)
        if users is None:
            return None
        with self._mistakes.check(partial(location_of, users), users.__name__):
            served = next((entity for entity in self.entities if entity.model is users), None)
            if served is not None:
                return served
            entity = entity_of(users, mistakes=self._mistakes)
            for declared in self.all:
                stranger = declared.catalog.find_stranger(entity)
                if stranger is not None:
                    raise two_classes(entity, stranger)
            self.entities.append(entity)
            return entity
        return None

    def _expected_tables(self, *, is_default_users: bool) -> Iterator[ExpectedTable]:
        by_model = self._resources_by_model()
        for entity in self.entities:
            is_users = entity.model is self.user_model
            policies = [resource.policies for resource in by_model.get(entity.model, ())]
            writes = [action for action in WRITES if not all(is_nobody(each[action]) for each in policies)]
            yield ExpectedTable(
                entity, is_users or "create" in writes, writes, is_default=is_users and is_default_users
            )

    def policy_warnings(self) -> list[PolicyWarning]:
        """What of the policies can raise on a row. Computed anew: for the start, and for `gatepost doctor`."""
        users = sample_users(entity_of(self.user_model), self.authenticators)
        signed_in = [] if users is None else [users.actor(), users.actor(without=users.nullable)]
        return _once(policy_warnings(self.served, [anonymous, *signed_in]))

    def sample_user(self) -> Actor | None:
        """A signed-in user without roles, made up; None where no user can be."""
        users = sample_users(entity_of(self.user_model), self.authenticators)
        return None if users is None else users.actor()

    def sql_trials(self) -> list[SQLTrial]:
        """What PostgreSQL is asked about the SQL of the declaration. Computed anew: for the start, and for `gatepost
        doctor`."""
        return sql_trials([*self.served], sample_users(entity_of(self.user_model), self.authenticators))

    def index_warnings(self) -> list[IndexWarning]:
        """Which values may be too long for an index. Computed anew: for the start, and for `gatepost doctor`."""
        return _once(index_warnings(self.served))

    def owner_warnings(self) -> list[OwnerWarning]:
        """By which columns lists find the rows of an owner without an index. Computed anew: for the start, and for
        `gatepost doctor`."""
        return _once(owner_warnings(self.served))

    def relation_warnings(self) -> list[RelationWarning]:
        """Which relationships clients cannot use. Computed anew: for the start, and for `gatepost doctor`."""
        return _once(relation_warnings(self.served))

    @property
    def actor_columns(self) -> ActorColumns | None:
        """The columns that actors have; None where authenticators make users, which are of no model."""
        if not any(isinstance(each, UserAuthenticator) for each in self.authenticators):
            return None
        return ActorColumns(self.user_model, kept_names(entity_of(self.user_model)))


def _once(found: Iterable[T]) -> list[T]:
    """What several versions have in common, said once."""
    return [*dict.fromkeys(found)]


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
