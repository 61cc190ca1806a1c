"""Which service and which compiled verbs belong to a model."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gatepost.errors import ConfigurationError
from gatepost.models.orm_reasons import Reasons
from gatepost.services.accounts import AccountOperations
from gatepost.services.compiled_verbs import CompiledVerbs
from gatepost.services.service import READS, Service, overridden, own_writes, transaction_of


class ServiceRegistry:
    """Maps models to service classes and compiled verbs. Made once, when the app starts."""

    def __init__(  # noqa: PLR0913 - what services are made of
        self,
        compiled: Mapping[type[Any], CompiledVerbs],
        services: Mapping[type[Any], type[Service[Any]]],
        orm_reasons: Mapping[type[Any], Mapping[str, Reasons]],
        accounts: AccountOperations,
        *,
        models: Mapping[type[Any], type[Any]] = {},
        injected: Mapping[type[Service[Any]], Sequence[tuple[str, type[Any]]]] = {},
        provided: Mapping[type[Any], Any] = {},
    ) -> None:
        """`orm_reasons` say of each served model why which of its actions go through the ORM. `models` are those of the
        service classes that can be asked for. `injected` are attributes
        of services, with the class by which each is in `provided` while the app runs."""
        self._orm_reasons = orm_reasons
        self.accounts = accounts
        self._injected = injected
        self._provided = provided
        self._compiled = compiled
        self._services = services
        self._models = models
        self._overridden = {model: frozenset(overridden(service)) for model, service in services.items()}
        self._own_writes = {model: own_writes(service) for model, service in services.items()}
        self._own_verbs = {
            model: (*verbs, *sorted(self._overridden[model] & READS)) for model, verbs in self._own_writes.items()
        }

    def model_of(self, service: type[Any]) -> type[Any]:
        """The model of a service class. Raises `ConfigurationError` for one that no resource names."""
        model = self._models.get(service)
        if model is None:
            raise ConfigurationError(
                f"no resource has service={service.__name__}.", location=service.__name__, hint="Name it in a Resource."
            )
        return model

    def service_of(self, model: type[Any]) -> type[Service[Any]]:
        """The service class of a model: `Service` itself where the resource names none. Raises 503 `schema_changed`
        where the table is not the one of the model."""
        compiled = self.compiled_of(model)
        owner = compiled.served.entity.model
        if owner is not model:
            hint = f"Its rows belong to the resource of {owner.__name__}: ask for the service of that."
            raise ConfigurationError(f"{model.__name__} has no resource.", location="service()", hint=hint)
        compiled.database.schema.check((compiled.served.entity.table.fullname,))
        return self._services.get(model, Service)

    def transaction_of(self, models: Iterable[type[Any]]) -> tuple[str, int]:
        """The isolation level and the number of attempts of a transaction in which the services of these models
        work."""
        return transaction_of([self._services.get(model, Service) for model in models])

    def inject(self, service: Service[Any]) -> None:
        """Give a service what it has by class."""
        if self._injected:
            for name, key in self._injected.get(type(service), ()):
                setattr(service, name, self._provided[key])

    def is_compiled(self, model: type[Any], action: str) -> bool:
        """Whether a compiled statement does the same as the service of a model."""
        return action not in self.overridden(model) and action not in self._orm_reasons.get(model, {action: ()})

    def overriding(self, model: type[Any], action: str) -> type[Any] | None:
        """The model whose service overrides an action on rows of a class: the one that they belong to, if its service
        does."""
        owner = self.compiled_of(model).served.entity.model
        return owner if action in self.overridden(owner) else None

    def overridden(self, model: type[Any]) -> frozenset[str]:
        """The actions that the service of a served model overrides."""
        return self._overridden.get(model, frozenset())

    def own_writes(self, model: type[Any]) -> Sequence[str]:
        """The verbs that write, and that the service of a served model writes itself."""
        return self._own_writes.get(model, ())

    def own_verbs(self, model: type[Any]) -> Sequence[str]:
        """The verbs that the service of a served model writes itself, and around which something is enforced."""
        return self._own_verbs.get(model, ())

    def compiled_of(self, model: type[Any]) -> CompiledVerbs:
        """The compiled verbs of the resource that rows of a class belong to: its own, or that of its nearest base."""
        found = self.find_compiled(model)
        if found is None:
            raise ConfigurationError(f"{model.__name__} has no resource.", location="service()")
        return found

    def find_compiled(self, model: type[Any]) -> CompiledVerbs | None:
        """`compiled_of`; None where rows of the class belong to no resource."""
        return next((self._compiled[base] for base in model.__mro__ if base in self._compiled), None)
