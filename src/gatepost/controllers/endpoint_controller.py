"""The handler of one own endpoint: from the request to the method of the controller, and from its result to the
response.

The head is read first, then the body, so that whatever is wrong with the request is refused before a connection is
taken; then the transaction begins, the rows of the path are loaded, the method runs, and what it returns is rendered.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

from msgspec.structs import replace

from gatepost.call import JSON_HEADERS, Call, Response, location_field
from gatepost.controllers.endpoint_binding import BoundEndpoint
from gatepost.controllers.endpoint_bodies import compile_body_reader
from gatepost.controllers.endpoint_lists import EndpointList, refused_row_count
from gatepost.controllers.envelopes import Envelope
from gatepost.controllers.error_pointers import with_wire_names
from gatepost.controllers.path_rows import NamedRow, below_of, read_rows
from gatepost.controllers.plain_values import value_encoder
from gatepost.controllers.provided_values import ProvidedValues, Values
from gatepost.controllers.query_strings import RawQuery
from gatepost.controllers.responses import empty_response, row_response, unless_unchanged
from gatepost.controllers.rows_above import ListPaths
from gatepost.declaring.dto import Created
from gatepost.declaring.wire_names import WireName
from gatepost.dtos.body_envelopes import BodyEnvelope
from gatepost.dtos.json_values import Bounds
from gatepost.dtos.path_keys import key_writer
from gatepost.errors import NotFound, Problem
from gatepost.models.catalog import ServedModel
from gatepost.models.dto_members import DTOMembers
from gatepost.models.nesting import Nesting
from gatepost.models.select_shapes import RowCountOutOfRange
from gatepost.services.answers import RowAnswers, is_select, select_plainly
from gatepost.services.call_transactions import CallTransactions
from gatepost.services.unit_of_work import UnitOfWork
from gatepost.services.verbs import Row

SAFE = ("GET", "HEAD")
"""Methods that only read: their transactions are READ ONLY (RFC 9110, section 9.2.1)."""


class Surroundings(NamedTuple):
    """What an endpoint acts in: its transactions, what renders rows of each served model, the prefix of the app,
    what reads its query strings where it returns a `Select` of a served model, the envelopes of what it returns
    and of its bodies, what makes the names that clients know, what `App(provide=)` makes, and the DTO that it shows
    rows as, in place of their resource's."""

    transactions: CallTransactions
    answers: Mapping[type[Any], RowAnswers]
    prefix: str
    listed: EndpointList | None
    envelope: Envelope
    body_envelope: BodyEnvelope | None
    wire_name: WireName
    provided: ProvidedValues
    dto: DTOMembers | None


class _Given(NamedTuple):
    """What has been read of a request: arguments, what names the rows of its path, and the query string of a list."""

    arguments: Mapping[str, Any]
    rows: Collection[NamedRow]
    query: RawQuery | None


class EndpointController:
    """Handles the requests of one endpoint."""

    def __init__(self, bound: BoundEndpoint, surroundings: Surroundings, bounds: Bounds) -> None:
        """`bounds` are those of its bodies."""
        self._envelope = surroundings.envelope
        self._opening = surroundings.envelope.opening.encode()
        self._wire_name = surroundings.wire_name
        self._encode = value_encoder(surroundings.wire_name)
        self._bound = bound
        self._transactions = surroundings.transactions
        self._answers = surroundings.answers
        self._provided = surroundings.provided.values
        provided = (*bound.injected.provided, *bound.attributes.provided)
        self._of_call = surroundings.provided.of_call({key for _, key in provided})
        self._is_safe = bound.method.route.method in SAFE
        inside = None if bound.body is None else surroundings.body_envelope
        self._locate = None if inside is None else inside.located
        self._read_body = (
            None
            if bound.body is None
            else compile_body_reader(bound.body, bound.method.location, bounds, surroundings.wire_name, inside)
        )
        self._function = bound.method.function
        caching = bound.method.route.cache_control
        self._caching = None if caching is None else caching.encode()
        self._shared = None if any(bound.attributes) else bound.method.controller()
        returned = bound.returned.served
        self._shown = (
            None if returned is None else surroundings.answers[returned.entity.model].shown_as(surroundings.dto)
        )
        self._location = _location_writer(returned, surroundings.prefix, bound.nesting)
        self._list = surroundings.listed

    async def handle(self, call: Call) -> Response:
        """The response to one request."""
        arguments = {name: read(call) for name, read in self._bound.simple}
        query: RawQuery | None = None
        if self._list is not None:
            values, query = self._list.parse(call)
            arguments.update(values)
        elif not self._bound.method.route.probe:  # what asks whether a server lives may add what it likes
            arguments.update(self._bound.query.read(call))
        rows = read_rows(self._bound.rows, call)
        call.below = below_of(self._bound.nesting, rows, call)
        if self._bound.body is not None and self._read_body is not None:
            arguments[self._bound.body.name] = self._read_body(call, await call.body())

        given = _Given(arguments, rows.values(), query)
        if self._of_call is None:
            response = await self._run(call, given, self._provided)
        else:
            async with self._of_call.made(call) as provided:
                response = await self._run(call, given, provided)
        return response if self._caching is None else _cached(response, self._caching)

    async def _run(self, call: Call, given: _Given, provided: Values) -> Response:
        """The response to a request, in its transaction where it needs one."""
        try:
            if not self._bound.needs_unit:
                return self._plain(await self._result(given.arguments, None, provided))
            return await self._run_in_transaction(call, given, provided)
        except Problem as problem:
            refusal = with_wire_names(problem, self._wire_name)
            raise (refusal if self._locate is None else self._locate(refusal)) from problem.__cause__

    async def _run_in_transaction(self, call: Call, given: _Given, provided: Values) -> Response:
        async def work(unit: UnitOfWork) -> Response:
            found = dict(given.arguments)
            for named in given.rows:
                row = await self._find(call, unit, named)
                if named.row.is_parameter:
                    found[named.row.name] = row
            result = await self._result(found, unit, provided)
            try:
                if self._list is not None and given.query is not None and is_select(result):
                    return await self._page(call, unit, result, self._list, given.query)
                return await self._respond(call, unit, result)
            except RowCountOutOfRange as error:
                if not found:  # no client has a part in it
                    raise
                raise refused_row_count(error, self._bound.query, found) from error

        return await self._transactions.run(call, work, is_read_only=self._is_safe)

    async def _find(self, call: Call, unit: UnitOfWork, named: NamedRow) -> Any:
        row, lookup = named
        with row.about:
            return await self._answers[row.served.entity.model].find(call, unit, lookup)

    async def _result(self, arguments: Mapping[str, Any], unit: UnitOfWork | None, provided: Values) -> Any:
        """What the method of the controller returns."""
        injected = dict(self._bound.injected.values(unit, provided))
        return await self._function(self._instance(unit, provided), **arguments, **injected)

    def _instance(self, unit: UnitOfWork | None, provided: Values) -> Any:
        """The controller of this call: one for all calls where nothing is injected."""
        if self._shared is not None:
            return self._shared
        made = self._bound.method.controller()
        for name, value in self._bound.attributes.values(unit, provided):
            setattr(made, name, value)
        return made

    async def _respond(self, call: Call, unit: UnitOfWork, result: Any) -> Response:
        """The response that a result means."""
        if self._shown is None and is_select(result):
            with self._located():
                result = await select_plainly(call, unit, result)
        if self._shown is None or result is None or isinstance(result, Response):
            return self._plain(result)
        if isinstance(result, Created):
            return await self._created(call, unit, cast("Any", result), self._shown)
        return await self._rows(call, unit, result, self._shown)

    def _plain(self, result: Any) -> Response:
        """The response that a result means which shows no rows."""
        if result is None:
            return self._nothing()
        if isinstance(result, Response):
            return result
        try:
            encoded = self._encode(result)
        except (TypeError, ValueError, RecursionError) as error:
            raise TypeError(f"{self._bound.method.location} returned what JSON cannot hold: {error}") from error
        return Response(self._status(200), b"%b%b}" % (self._opening, encoded), JSON_HEADERS)

    async def _page(self, call: Call, unit: UnitOfWork, selected: Any, listed: EndpointList, raw: RawQuery) -> Response:
        """The rows of a `Select`, as the query string wants them."""
        shown = cast("RowAnswers", self._shown)
        call.view = shown.served.view(call.actor)
        with self._located():
            chosen = shown.choose(call, selected)
            query = listed.query(call, raw, chosen.order)
            page = await shown.show_selected(call, unit, chosen.rows, query)
        return listed.respond(call, query, page, chosen.limit)

    @contextmanager
    def _located(self) -> Generator[None]:
        """Name the method in what is wrong with its result."""
        try:
            yield
        except TypeError as error:
            raise TypeError(f"{self._bound.method.location}: {error}") from error

    async def _rows(self, call: Call, unit: UnitOfWork, result: Any, shown: RowAnswers) -> Response:
        """One row or several, as far as the actor may read them."""
        if isinstance(result, Sequence):
            page = await shown.show_all(call, unit, cast("Any", result))
            return Response(self._status(200), b"%b%b]}" % (self._envelope.list_opening, page.rows.encode()))
        row = await shown.show(call, unit, self._checked(result, shown.served))
        if row is None:
            return self._nothing()
        unless = call.headers.get(b"if-none-match") if self._is_safe else None
        return unless_unchanged(unless, self._status(200), row.data, row.tag, self._envelope.opening)

    async def _created(self, call: Call, unit: UnitOfWork, result: "Created[Any]", shown: RowAnswers) -> Response:
        row: Row | None = await shown.show(call, unit, self._checked(result.row, shown.served))
        location = result.location
        if location is None and self._location is not None:
            address = await shown.address(call, unit, result.row)
            location = None if address is None else self._location(call, address)
        headers = () if location is None else (location_field(location),)
        if row is None:
            return empty_response(self._status(201), *headers)
        return row_response(self._status(201), row.data, row.tag, *headers, opening=self._envelope.opening)

    def _nothing(self) -> Response:
        """Nothing to show: after a read there is nothing here, after a write there is no more to say."""
        if self._is_safe:
            raise NotFound("not_found", "There is nothing here that you may see.")
        return empty_response(self._status(204))

    def _status(self, usual: int) -> int:
        return self._bound.method.route.status or usual

    def _checked(self, row: Any, served: ServedModel) -> Any:
        if not isinstance(row, served.entity.model):
            location = self._bound.method.location
            raise TypeError(f"{location} returned {type(row).__name__}, not {served.entity.name}.")
        return row


def _cached(response: Response, caching: bytes) -> Response:
    """A response that may be stored as its endpoint declares, unless it is no success or says so itself."""
    is_success = 200 <= response.status < 300
    return replace(response, cache_control=caching) if is_success and response.cache_control is None else response


def _location_writer(
    served: ServedModel | None, prefix: str, nesting: Nesting | None
) -> Callable[[Call, Any], str] | None:
    """The path of a row by what it has as its key; None where the resource has no path for one, or has it below another
    row, which only the endpoints of its own controller know."""
    if served is None or not served.offers("get") or (served.nesting is not nesting and served.nesting is not None):
        return None
    write, paths = key_writer(served.addressed.entity.key), ListPaths(served, prefix)
    return lambda call, key: f"{paths.of(call)}/{write(key)}"
