"""The declaration of an app, read and checked: the catalog, the users, the services, the completed schema.

Made when the app is built, at import of the user's module; a mistake raises `ConfigurationError` there.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import MetaData
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.orm.attributes import manager_of_class

from gatepost.accounts.models import UserColumns, complete_users_table, user_model
from gatepost.actor import Actor, ActorId, anonymous
from gatepost.asgi import ASGIApp
from gatepost.auth.authenticator import AnyAuthenticator
from gatepost.auth.authenticator import checked as checked_authenticators
from gatepost.declaring.mount import Mount, taken_by_mount
from gatepost.declaring.resource import PATH, Resource
from gatepost.dtos.body import check_fields
from gatepost.dtos.path_keys import check_key
from gatepost.errors import ConfigurationError
from gatepost.models.base import Model
from gatepost.models.catalog import Catalog, two_classes
from gatepost.models.conditions import check_policy
from gatepost.models.entity import Entity, entity_of
from gatepost.models.field_checks import check_field_rules
from gatepost.models.mapping import table_key
from gatepost.models.policy_warnings import PolicyWarning, policy_warnings
from gatepost.models.schema import complete_schema
from gatepost.services.service import Service, check_transactions, check_verbs, overridden, served_model


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
    ) -> None:
        self.authenticators = checked_authenticators(authenticators)
        for given in resources:
            if not isinstance(given, Resource):  # pyright: ignore[reportUnnecessaryIsInstance]
                name = getattr(given, "__name__", repr(given))
                raise ConfigurationError(
                    f"{name} is not a Resource.", location="App", hint="Write Resource(Model, read=...)."
                )
        if not resources and not mounts:
            raise ConfigurationError(
                "App() serves nothing.", location="App", hint="Give it a Resource(Model, read=...)."
            )
        self.prefix = _path("prefix", prefix)
        self.mounts = {
            _path("mount", path): app if isinstance(app, Mount) else Mount(_callable(path, app))
            for path, app in mounts.items()
        }
        base = _base_of(resources[0].model) if resources else Model
        self.user_model: type[Any] = user_model(base) if users is None else _checked_users(users)
        for model in (self.user_model, *(resource.model for resource in resources)):
            if UserColumns in getattr(model, "__mro__", ()) and hasattr(model, "__mapper__"):
                complete_users_table(model)  # once more: a class may have been mapped after it was made
        self.catalog = Catalog(resources, bigint_as_string=bigint_as_string)
        self._check_mounts()
        self.entities: list[Entity] = [served.entity for served in self.catalog.served]
        if self.user_model not in self.catalog.by_model:
            self.entities.append(self._users_entity())
        complete_schema(self.entities, {served.entity.model: served.resource for served in self.catalog.served})
        self.services = self._services()
        self._check_policies()
        for served in self.catalog.served:
            service = self.services.get(served.entity.model)
            check_field_rules(served, is_filled=service is not None and "create" in overridden(service))
            check_fields(served.writable, served.entity.name)
            check_key(served.entity)

    @property
    def metadata(self) -> MetaData:
        """The MetaData of the app's tables."""
        return self.entities[0].table.metadata

    def _check_mounts(self) -> None:
        for served in self.catalog.served:
            path = f"{self.prefix}/{served.path}"
            if path in self.mounts:
                raise taken_by_mount(path, f"Resource({served.entity.name})")

    def _users_entity(self) -> Entity:
        entity = entity_of(self.user_model)
        other = self.catalog.by_table.get(table_key(entity.table))
        if other is not None:
            raise two_classes(entity, other.entity)
        return entity

    def _services(self) -> dict[type[Any], type[Service[Any]]]:
        services: dict[type[Any], type[Service[Any]]] = {}
        for served in self.catalog.served:
            service: type[Any] | None = served.resource.service
            if service is None:
                continue
            location = f"Resource({served.entity.name})"
            name = getattr(service, "__name__", repr(service))
            if not _is_service(service):
                raise ConfigurationError(f"service={name} is not a subclass of Service.", location=location)
            model = served_model(service)
            if model is not None and model is not served.entity.model:
                hint = f"Write class {name}(Service[{served.entity.name}])."
                raise ConfigurationError(f"{name} is a service of {model.__name__}.", location=location, hint=hint)
            if service in services.values():
                raise ConfigurationError(
                    f"{name} serves two resources.", location=location, hint="Make a subclass for one."
                )
            check_transactions(service)
            check_verbs(service)
            services[served.entity.model] = service
        return services

    def policy_warnings(self) -> list[PolicyWarning]:
        """What of the policies can raise on a row. Computed anew: for the start, and for `gatepost doctor`."""
        return policy_warnings(self.catalog.served, _actors(self.user_model))

    def _check_policies(self) -> None:
        """Every path of `owner()` has to lead somewhere, and every function to give SQL: a mistake must not wait for a
        request."""
        actors = _actors(self.user_model)
        for served in self.catalog.served:
            of_fields = ((rules.read, rules.create, rules.update) for rules in served.rules.values())
            for policy in chain(served.resource.policies.values(), *of_fields):
                check_policy(policy, served.entity, actors)


def _actors(user_model: type[Any]) -> list[Actor]:
    """The anonymous actor and a sample user, on which the functions of policies are tried."""
    key = _KEYS.get(entity_of(user_model).single_key.shape.python_type)
    user = [] if key is None else [Actor(key, user=manager_of_class(user_model).new_instance())]
    return [anonymous, *user]


_KEYS: Mapping[type[Any], ActorId] = {UUID: UUID(int=0), int: 0, str: ""}


def _is_service(given: object) -> bool:
    return isinstance(given, type) and issubclass(given, Service)


def _base_of(model: type[Any]) -> type[DeclarativeBase]:
    """The declarative base of a model: the most general one with the model's own MetaData, where the users' table will
    stand, too."""
    bases = [base for base in model.__mro__ if issubclass(base, DeclarativeBase) and base is not DeclarativeBase]
    own = [base for base in bases if base.metadata is model.metadata]
    return own[-1] if own else Model


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
