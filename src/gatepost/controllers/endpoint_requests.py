"""What an own endpoint is given: its arguments as the request has them, read before a connection is taken, so that
whatever is wrong with a request is refused without one."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from gatepost.call import Call
from gatepost.controllers.bound_endpoints import BoundEndpoint
from gatepost.controllers.endpoint_bodies import compile_body_reader
from gatepost.controllers.endpoint_lists import EndpointList
from gatepost.controllers.error_pointers import with_wire_names
from gatepost.controllers.path_rows import NamedRow, below_of, compared_row, read_rows
from gatepost.controllers.query_strings import RawQuery
from gatepost.controllers.responses import wanted_versions
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.parsed_json import is_located
from gatepost.epoch import Epoch
from gatepost.errors import Problem


class Given(NamedTuple):
    """What has been read of a request: arguments, what names the rows of its path, and the query string of a list."""

    arguments: Mapping[str, Any]
    rows: Collection[NamedRow]
    query: RawQuery | None


class EndpointRequests:
    """Reads the requests of one endpoint."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a request is read by
        self,
        bound: BoundEndpoint,
        listed: EndpointList | None,
        bounds: Bounds,
        envelope: BodyEnvelope | None,
        wire_name: WireName,
        epoch: Epoch,
    ) -> None:
        """`listed` reads the query string where a `Select` of a served model is returned; `bounds` and `envelope` are
        those of bodies; `wire_name` makes the names that clients know; `epoch` is that of entity tags."""
        body = bound.body
        self._simple = bound.simple
        self._query = bound.query
        self._takes_any_query = bound.method.route.probe  # what asks whether a server lives may add what it likes
        self._rows = bound.rows
        self._nesting = bound.nesting
        self._compared = compared_row(bound.rows, bound.texts, bound.method.route.method)
        self._list = listed
        self._epoch = epoch
        self._wire_name = wire_name
        self._envelope = None if body is None else envelope
        self._body = (
            None
            if body is None
            else (body.name, compile_body_reader(body, bound.method.location, bounds, wire_name, envelope))
        )

    async def read(self, call: Call) -> Given:
        """What a request says. Raises whatever is wrong with it."""
        arguments = {name: read(call) for name, read in self._simple}
        query: RawQuery | None = None
        if self._list is not None:
            values, query = self._list.parse(call)
            arguments.update(values)
        elif not self._takes_any_query:
            arguments.update(self._query.read(call))
        rows = read_rows(self._rows, call)
        call.below = below_of(self._nesting, rows, call)
        header = None if self._compared is None else call.headers.get(b"if-match")
        if self._compared is not None and (versions := wanted_versions(header, self._epoch)) is not None:
            row, lookup = rows[self._compared.name]
            rows[row.name] = NamedRow(row, lookup._replace(versions=versions))
        if self._body is not None:
            name, read = self._body
            arguments[name] = read(call, await call.body())
        return Given(arguments, rows.values(), query)

    def located(self, problem: Problem) -> Problem:
        """A refusal of the values of a request, with the names and the pointers that its client knows."""
        if is_located(problem):
            return problem
        refusal = with_wire_names(problem, self._wire_name)
        return refusal if self._envelope is None else self._envelope.located(refusal)
