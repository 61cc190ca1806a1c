"""The resources of an app, or of a group of it, read and checked: their catalog, their services, their DTOs, and the
endpoints beside them.

Made when the app is built, by `declaration.py`, which reads what is the app's as a whole.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple, cast, get_args, get_origin

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from gatepost.controllers.bound_endpoints import BoundEndpoint, EndpointMethod
from gatepost.controllers.endpoint_binding import EndpointBinder
from gatepost.controllers.injection import Injected, check_not_per_call, injected
from gatepost.controllers.providers import Providers
from gatepost.declaring.controller import check_standalone, checked_controller, checked_controllers
from gatepost.declaring.dialect import Dialect
from gatepost.declaring.dto import declared_of
from gatepost.declaring.group import restricted
from gatepost.declaring.policies import Policy, is_nobody, owned_by
from gatepost.declaring.resource import Resource
from gatepost.dtos.body import check_field
from gatepost.dtos.path_keys import check_key
from gatepost.errors import ConfigurationError
from gatepost.gateway.problem_pages import ProblemDescription, describe
from gatepost.mistakes import Mistakes, Source
from gatepost.models.actor_columns import ActorColumns
from gatepost.models.addresses import check_above, check_address
from gatepost.models.catalog import Catalog
from gatepost.models.constructors import constructor_of
from gatepost.models.delete_cascades import check_deletable
from gatepost.models.dto_bodies import check_model, read_body
from gatepost.models.dto_members import ComputedMember, DTOReader
from gatepost.models.effects import check_effects
from gatepost.models.entity import Entity
from gatepost.models.field_checks import check_field_rules
from gatepost.models.orm_reasons import check_validators, orm_reasons
from gatepost.models.owner_checks import check_owner
from gatepost.models.policy_trials import Reach, check_can_be_called, reached_policies, try_functions
from gatepost.models.readable_cycles import readable_cycles
from gatepost.models.restrictions import check_restriction
from gatepost.models.sample_users import SampleUsers
from gatepost.models.served_model import ServedModel
from gatepost.services.service import Service, check_transactions, check_verbs, overridden, served_model
from gatepost.sources import attribute_location, location_of


class KnownUsers(NamedTuple):
    """Those who sign in, as policies are tried with them: made-up users, and the columns that actors have. None where
    authenticators make users that are of no model."""

    users: SampleUsers | None
    columns: ActorColumns | None


class DeclaredResources:
    """Resources with the controllers beside them, below one prefix and in one dialect: those of the app, or of a group
    of it. What is wrong becomes one of the `mistakes`; they are declared at `source`, in the `location`."""

    def __init__(  # noqa: PLR0913 - what resources are declared with
        self,
        resources: Sequence[Resource[Any]],
        *,
        prefix: str,
        dialect: Dialect,
        bigint_as_string: bool,
        source: str,
        mistakes: Mistakes,
        location: str = "App",
        group: str = "",
        of_app: "DeclaredResources | None" = None,
    ) -> None:
        """Of a group, `group` is the name, and `of_app` are the app's own resources."""
        inherited: Sequence[Resource[Any]] = () if of_app is None else of_app.resources
        restricting = {each.model: each for each in inherited}
        self.resources: list[Resource[Any]] = [
            restricted(each, restricting[each.model]) if each.model in restricting else each for each in resources
        ]
        self._source = source
        self.location = location
        self.group = group
        self.of_app = of_app
        self._mistakes = mistakes
        self.prefix = prefix
        self.dialect = dialect
        self.paging = dialect.paging
        self.catalog = Catalog(
            self.resources,
            mistakes,
            bigint_as_string=bigint_as_string,
            wire_name=dialect.names,
            group=group,
            inherited=inherited,
        )
        self.services: dict[type[Any], type[Service[Any]]] = {}
        self.injected: dict[type[Service[Any]], Injected] = {}
        self.endpoints: list[BoundEndpoint] = []
        self.dtos = DTOReader(self.catalog, mistakes)

    def complete(
        self,
        controllers: Sequence[Any],
        providers: Providers,
        problems: dict[str, ProblemDescription],
        users: KnownUsers,
    ) -> None:
        """Read what needs the schema, and check everything. `problems` are those that are described so far, by
        code."""
        self.services.update(self._read_services())
        self.injected.update(self._read_injected(providers))
        self._check_unread()
        self._read_bodies()
        self.endpoints += self._bind_endpoints(controllers, providers)
        self._check_raises(problems)
        self._check_policies(users.users)
        self._check_fields()
        self._read_dtos()
        self._check_computed(users.users)
        if users.columns is not None and users.users is not None:
            self._check_actor_columns(users.columns, users.users)

    @property
    def service_models(self) -> dict[type[Service[Any]], type[Any]]:
        """The models of the service classes that can be asked for. Where a group has a service of its own, those who
        ask for the app's get this one, which is a subclass of it."""
        found = {} if self.of_app is None else self.of_app.service_models
        return found | {service: model for model, service in self.services.items()}

    def find_resource(self, model: type[Any]) -> ServedModel | None:
        """The app's resource of a model, whether or not this is a group."""
        return (self.of_app or self).catalog.by_model.get(model)

    def limited(self, served: ServedModel) -> ServedModel:
        """The resource whose rate limits hold for a resource, with its buckets: the app's where that of a group
        declares none."""
        of_app = self.find_resource(served.entity.model)
        return served if of_app is None or served.resource.rate_limits else of_app

    def limited_name(self, method: EndpointMethod) -> str:
        """What the buckets of an endpoint's own limits are called by. Where the app serves the same method, a group
        takes from the same buckets."""
        of_app = () if self.of_app is None else self.of_app.endpoints
        same = (each.method for each in of_app if each.method.route is method.route)
        return next(same, method).operation_name

    def _read_services(self) -> dict[type[Any], type[Service[Any]]]:
        services: dict[type[Any], type[Service[Any]]] = {}
        of_app = {} if self.of_app is None else self.of_app.services
        for resource in self.resources:
            service: type[Any] | None = resource.service
            if service is not None:
                with self._mistakes.check(resource.source):
                    _check_service(service, resource.model, services.values())
                    _check_replaced(service, of_app.get(resource.model), resource.model)
                    services[resource.model] = service
                    check_transactions(service)
                    check_verbs(service)
        return {**of_app, **services}

    def _read_injected(self, providers: Providers) -> dict[type[Service[Any]], Injected]:
        """What is injected into services, which are made outside of calls as well."""
        found: dict[type[Service[Any]], Injected] = {}
        for service in self.services.values():
            with self._mistakes.check(partial(location_of, service)):
                attributes = injected(service, providers)
                check_not_per_call(service, attributes, providers)
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

    def _read_dtos(self) -> None:
        """The DTOs by which resources and endpoints show rows."""
        reader = self.dtos
        for served in (*self.catalog.served, *self._inherited_rows()):
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

    def _inherited_rows(self) -> Iterator[ServedModel]:
        """The resources of the app whose rows the endpoints of a group show as the app does."""
        for bound in self.endpoints:
            served = bound.returned.served
            if served is not None and served.is_inherited and bound.method.route.answers is None:
                yield served

    def _bind_endpoints(self, controllers: Sequence[Any], providers: Providers) -> list[BoundEndpoint]:
        """The endpoints of the resources' controllers, then those of the others."""
        binder = EndpointBinder(
            self.catalog,
            self.service_models,
            providers,
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
        listed = self._mistakes.attempt(partial(checked_controllers, controllers, self.location), (), self._source)
        for controller in listed:
            with self._mistakes.check(self._source):
                checked = checked_controller(controller, self.location)
                found += binder.bind(checked)
                with self._mistakes.check(partial(location_of, checked)):
                    check_standalone(checked)
        return found

    def _check_raises(self, found: dict[str, ProblemDescription]) -> None:
        for method in (endpoint.method for endpoint in self.endpoints):
            for problem in method.route.raises:
                with self._mistakes.check(method.route.source):
                    describe(problem, found, method.location)
        for served in self.catalog.served:
            for problem in chain.from_iterable(served.resource.raises.values()):
                with self._mistakes.check(served.resource.source):
                    describe(problem, found, f"Resource({served.entity.name})")

    def _check_unread(self) -> None:
        """What can be checked of policies whose model cannot be read."""
        read = {served.entity.model for served in self.catalog.served}
        for resource in self.resources:
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
        if not self._mistakes:  # functions that fail are called no further
            for mistake in readable_cycles(self.catalog, users):
                self._mistakes.add(mistake)

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

    def _check_actor_columns(self, columns: ActorColumns, users: SampleUsers) -> None:
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
            check_effects(served, self.catalog.used, self._mistakes)
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


def _written(service: Any) -> str:
    """A service as it is given, for messages: a class by its name, else as Python shows it, without modules."""
    if isinstance(service, type):
        return service.__name__
    arguments = ", ".join(getattr(item, "__name__", str(item)) for item in get_args(service))
    origin = getattr(get_origin(service), "__name__", None)
    return f"{origin}[{arguments}]" if origin else repr(service)


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
            f"service={_written(service)} is not a subclass of Service.",
            location=location,
            hint=f"Write class {model_name}s(Service[{model_name}]), and service={model_name}s.",
        )
    model = served_model(cast("type[Any]", service))
    if model is not None and model is not served:
        hint = f"Write class {name}(Service[{model_name}])."
        raise ConfigurationError(f"{name} is a service of {model.__name__}.", location=location, hint=hint)
    if service in others:
        raise ConfigurationError(f"{name} serves two resources.", location=location, hint="Make a subclass for one.")


def _check_replaced(service: type[Service[Any]], replaced: type[Service[Any]] | None, model: type[Any]) -> None:
    """Raise `ConfigurationError` for a service of a group that does not do what the app's service of the model does:
    callers that ask for that one would be given this one."""
    if replaced is not None and not issubclass(service, replaced):
        raise ConfigurationError(
            f"service={service.__name__} is not a subclass of {replaced.__name__}, the service of the app's "
            f"Resource({model.__name__}): other services that ask for {replaced.__name__} would be given it.",
            location=f"Resource({model.__name__})",
            hint=f"Write class {service.__name__}({replaced.__name__}), or leave service= out to use "
            f"{replaced.__name__}.",
        )
