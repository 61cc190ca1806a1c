"""What the OpenAPI document is made of, put together at its first request: the operations that `composition.py` has
made, each with what it is derived or bound from."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gatepost.auth.authenticator import Authenticator
from gatepost.controllers.envelopes import Envelopes
from gatepost.controllers.paging import PagingParameters
from gatepost.controllers.queries import QueryParsers
from gatepost.declaration import Declaration
from gatepost.models.served_model import ServedModel
from gatepost.openapi.described import DescribedAPI, DescribedEndpoint, DescribedVerb
from gatepost.operations import Operation
from gatepost.services.service import overridden


class DerivedOperation(NamedTuple):
    """A derived operation, as it is noted at start."""

    operation: Operation
    served: ServedModel
    verb: str
    paging: PagingParameters


class OpenAPIComposition:
    """Notes the operations of an app, and describes them when it is asked to."""

    def __init__(self, declaration: Declaration) -> None:
        self._declaration = declaration
        self._declared = {declared.group: declared for declared in declaration.all}
        self.derived: list[DerivedOperation] = []
        self.endpoints: list[DescribedEndpoint] = []

    def described(
        self, parsers: Mapping[ServedModel, QueryParsers], authenticators: Sequence[Authenticator]
    ) -> DescribedAPI:
        """Everything that documents are made of. `authenticators` are the declared ones, as they are asked."""
        declaration = self._declaration
        return DescribedAPI(
            declaration.info,
            {group: declared.dialect for group, declared in self._declared.items()},
            [self._verb(item) for item in self.derived],
            self.endpoints,
            [*parsers],
            {served: found.filterable for served, found in parsers.items()},
            [*zip(declaration.authenticators, authenticators, strict=True)],
            declaration.sample_user,
            [*declaration.mounts],
        )

    def _verb(self, item: DerivedOperation) -> DescribedVerb:
        served, verb, declared = item.served, item.verb, self._declared[item.served.group]
        services, envelopes = declared.services, Envelopes(declared.dialect)
        resource, own = served.resource, services.get(served.entity.model)
        method = None if own is None else overridden(own).get(verb)
        running = [own, *(services.get(other.model) for other in served.others)]
        return DescribedVerb(
            item.operation,
            served,
            verb,
            item.paging,
            envelopes.of(resource.answers, resource.lists),
            envelopes.of_body(resource.updates if verb == "update" else resource.creates, resource.answers),
            None if own is None or method is None else getattr(own, method),
            runs_code=any(verb in overridden(service) for service in running if service is not None),
        )
