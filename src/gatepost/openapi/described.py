"""What the document is made of: each operation with what it is derived or bound from. The composition root makes it,
and the document reads it at its first request."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gatepost.actor import Actor
from gatepost.auth.authenticator import Authenticator
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.endpoint_lists import EndpointList
from gatepost.controllers.endpoint_requests import EndpointRequests
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.paging import PagingParameters
from gatepost.declaring.dialect import Dialect
from gatepost.declaring.info import Info
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.models.dto_members import DTOMembers
from gatepost.models.filters import Filterable
from gatepost.models.served_model import ServedModel
from gatepost.operations import Operation


class DescribedVerb(NamedTuple):
    """A derived operation. `method` is the method of the resource's service that overrides its verb, None where none
    does. `runs_code` says that a service runs: that one, or that of the resource of a subclass."""

    operation: Operation
    served: ServedModel
    verb: str
    paging: PagingParameters
    envelope: Envelope
    body_envelope: BodyEnvelope | None
    method: Any = None
    runs_code: bool = False

    @property
    def group(self) -> str:
        """The name of the group that it is of; empty for the app's own."""
        return self.served.group


class DescribedEndpoint(NamedTuple):
    """An operation that is written. `dto` is what it shows rows as, in place of their resource's; `rows` is the list
    that it returns, None where it returns something else. `requests` reads what a request gives. `runs_code` says that
    it is the application's, not Gatepost's."""

    operation: Operation
    bound: BoundEndpoint
    dto: DTOMembers | None
    envelope: Envelope
    body_envelope: BodyEnvelope | None
    rows: EndpointList | None
    requests: EndpointRequests
    runs_code: bool = True

    @property
    def group(self) -> str:
        """The name of the group that it is of; empty for the app's own."""
        return self.bound.method.group


Described = DescribedVerb | DescribedEndpoint


class DescribedAPI(NamedTuple):
    """Everything that the document is made of. `dialects` are those of the app (by an empty name) and of its groups;
    `served` are the resources of all of them, with those that groups inherit. `filterable` is what can be filtered and
    sorted by; `authenticators` are asked in their order, with the names of their classes; `signed_in` makes a user
    without roles, to find out what signing in would open; None where no user can be made up. `mounts` are the paths of
    other applications."""

    info: Info
    dialects: Mapping[str, Dialect]
    verbs: Sequence[DescribedVerb]
    endpoints: Sequence[DescribedEndpoint]
    served: Sequence[ServedModel]
    filterable: Mapping[ServedModel, Filterable]
    authenticators: Sequence[tuple[Any, Authenticator]]
    signed_in: Callable[[], Actor | None]
    mounts: Sequence[str] = ()
